"""From the instances of each frame, as they come, to a video's results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from detectron2.structures import Instances

from rcf_vis.tracking import box_masks_of

from .slot_history import SlotCounts, SlotHistory

__all__ = ["TrackAccumulator"]


@dataclass(eq=False)
class _Track:
    probability_sum: np.ndarray  # (num_classes,) float64, over the frames in which it fired
    num_frames: int = 0
    masks: dict[int, str] = field(default_factory=dict)  # frame → counts of the RLE


class TrackAccumulator:
    """Collects the frames of one video; masks are run-length encoded at once and not kept.

    Args:
        video_id: of the results.
        num_frames: how many frames there must be; None when that is not known beforehand.

    Example:
        >>> tracks = TrackAccumulator(video_id=1)
        >>> for frame in video:
        ...     tracks.add(predictor(frame))
        >>> results = tracks.results({0: 1, 1: 2})
    """

    def __init__(self, *, video_id: int, num_frames: int | None = None) -> None:
        self.video_id = video_id
        self._expected_frames = num_frames
        self._frames = 0
        self._image_size: tuple[int, int] | None = None
        self._tracks: dict[int, _Track] = {}
        self._slots = SlotHistory()

    def __len__(self) -> int:
        """Number of frames so far."""
        return self._frames

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) of the frames; None before the first."""
        return self._image_size

    @property
    def slot_counts(self) -> SlotCounts:
        """How often tracks kept their slots so far; all 0 where the instances have no ``slots``."""
        return self._slots.counts

    def add(self, instances: Instances) -> None:
        """Take the next frame.

        Args:
            instances: F of them, with ``pred_masks`` (bool, F × H × W), ``class_probs``
                (F × num_classes, without the empty class) and ``track_ids`` (F, unique in the
                frame). A mask without a pixel counts as absent, but its probabilities do count.
                ``slots`` (ascending, see :meth:`rcf_vis.modeling.RCF.track`) may be missing.

        Raises:
            ValueError: a frame too many, of another size than the first, or an identity twice.
        """
        where = f"video {self.video_id}, frame {self._frames}"
        if self._frames == self._expected_frames:
            raise ValueError(f"{where}: expected only {self._expected_frames} frames")
        if self._image_size not in (None, instances.image_size):
            raise ValueError(
                f"{where}: size {instances.image_size}, expected that of the frames before, "
                f"{self._image_size} (height, width)"
            )
        self._image_size = instances.image_size
        track_ids = instances.track_ids.tolist()
        if len(set(track_ids)) != len(track_ids):
            raise ValueError(f"{where}: track_ids {track_ids}, expected each to be there once")
        probabilities = instances.class_probs.double().cpu().numpy()
        for track_id, mask, probability in zip(
            track_ids, box_masks_of(instances).rles(), probabilities, strict=True
        ):
            track = self._tracks.setdefault(track_id, _Track(np.zeros_like(probability)))
            track.probability_sum += probability
            track.num_frames += 1
            if mask is not None:
                track.masks[self._frames] = mask["counts"]
        if instances.has("slots"):
            self._slots.add(track_ids, instances.slots.tolist())
        self._frames += 1

    def results(
        self,
        contiguous_id_to_dataset_id: Mapping[int, int] | Sequence[int],
        labels_per_track: int = 1,
    ) -> list[dict[str, Any]]:
        """Results in the YouTube-VIS format, ready for json.

        A track's distribution is the mean of its frames' class probabilities; its most probable
        classes become one result each, with their probabilities as scores.

        Args:
            contiguous_id_to_dataset_id: the model's class index → category id of the data set.
            labels_per_track: how many classes of a track are output.

        Returns:
            ``{"video_id", "category_id", "score", "segmentations"}`` for each track that has a
            pixel; ``segmentations`` has an RLE (``counts`` as str) for each frame, None where the
            track is absent.

        Raises:
            ValueError: fewer frames came than expected, or a class has no category id.
        """
        if self._expected_frames not in (None, self._frames):
            raise ValueError(
                f"video {self.video_id}: {self._frames} frames came, expected "
                f"{self._expected_frames}"
            )
        results = []
        for track in self._tracks.values():
            if not track.masks:
                continue
            distribution = track.probability_sum / track.num_frames
            if len(distribution) != len(contiguous_id_to_dataset_id):
                raise ValueError(
                    f"video {self.video_id}: the model has {len(distribution)} classes, the data "
                    f"set {len(contiguous_id_to_dataset_id)}"
                )
            segmentations = self._segmentations(track)
            for label in np.argsort(-distribution, kind="stable")[:labels_per_track].tolist():
                results.append(
                    {
                        "video_id": self.video_id,
                        "category_id": contiguous_id_to_dataset_id[label],
                        "score": float(distribution[label]),
                        "segmentations": segmentations,
                    }
                )
        return results

    def _segmentations(self, track: _Track) -> list[dict[str, Any] | None]:
        found: list[dict[str, Any] | None] = [None] * self._frames
        for frame, counts in track.masks.items():
            found[frame] = {"size": list(self._image_size), "counts": counts}
        return found
