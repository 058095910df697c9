"""IoU of tracks, frame by frame and as a whole: masks stay run-length encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycocotools.mask as mask_util

from .track_masks import TrackMasks, check_tracks

__all__ = ["Overlaps", "changes_of_shape", "frame_overlaps", "track_ious"]


@dataclass(frozen=True, eq=False)
class Overlaps:
    """How the G truths and the D results of one video lie over one another.

    Attributes:
        ious: ``(T, G, D)`` float64; 0 where one of the two is absent.
        truth_present: ``(T, G)`` bool: it has a pixel.
        result_present: ``(T, D)`` bool.
    """

    ious: np.ndarray
    truth_present: np.ndarray
    result_present: np.ndarray

    @cached_property
    def truth_frames(self) -> np.ndarray:
        """Frames in which each truth is present, ``(G,)``."""
        return self.truth_present.sum(0)

    @cached_property
    def result_frames(self) -> np.ndarray:
        """Frames in which each result is present, ``(D,)``."""
        return self.result_present.sum(0)


def frame_overlaps(
    truths: Sequence[TrackMasks], results: Sequence[TrackMasks], num_frames: int
) -> Overlaps:
    """IoU of each truth with each result in each frame of a video.

    Raises:
        ValueError: a mask is broken.
    """
    truth_present, result_present = _present(truths, num_frames), _present(results, num_frames)
    ious = np.zeros((num_frames, len(truths), len(results)))
    for t in np.flatnonzero(truth_present.any(1) & result_present.any(1)):
        rows, columns = np.flatnonzero(truth_present[t]), np.flatnonzero(result_present[t])
        found = _ious(_masks(truths, rows, t), _masks(results, columns, t))
        ious[t, rows[:, None], columns] = found
    return Overlaps(ious, truth_present, result_present)


def track_ious(
    results: Sequence[TrackMasks], truths: Sequence[TrackMasks], min_iou: float = 0.0
) -> np.ndarray:
    """IoU of each result with each truth: sum of the frames' intersections over sum of unions.

    Args:
        results, truths: D and G tracks of one video; the masks of the truths were checked.
        min_iou: an IoU below it may be given as 0: tracks that cannot reach it with any other, by
            the areas of their masks, are not compared.

    Returns:
        ``(D, G)`` float64; 0 where neither has a pixel.

    Raises:
        ValueError: a mask is broken.
    """
    if not results or not truths:
        return np.zeros((len(results), len(truths)))
    areas, others = (np.array([track.areas for track in side]) for side in (results, truths))
    total = areas.sum(1)[:, None] + others.sum(1)
    most = np.minimum(areas[:, None], others).sum(-1)
    possible = (most > 0) & (most >= min_iou * (total - most))
    rows, columns = np.flatnonzero(possible.any(1)), np.flatnonzero(possible.any(0))
    found = np.zeros(total.shape)
    if len(rows):
        check_tracks([results[d] for d in rows])
        overlaps = frame_overlaps(
            [truths[g] for g in columns], [results[d] for d in rows], areas.shape[1]
        )
        ious, pixels = overlaps.ious, others[columns].T[:, :, None] + areas[rows].T[:, None]
        # IoU = c / (a + b − c): c is an integer, and too small for the division to hide it.
        common = np.rint(ious * pixels / (1 + ious)).astype(np.int64).sum(0).T
        part = np.ix_(rows, columns)
        found[part] = common / np.maximum(total[part] - common, 1)
    return found


def changes_of_shape(
    tracks: Sequence[TrackMasks], frames: np.ndarray, indices: np.ndarray
) -> np.ndarray:
    """IoU of a track's mask in a frame with its own mask in the next.

    Args:
        frames: ``(P,)``, ascending; the frames.
        indices: ``(P,)``, of the tracks, which are present in the frame and in the next.

    Returns:
        ``(P,)`` float64.
    """
    parts = [np.zeros(0)]
    for t in np.unique(frames):
        chosen = indices[frames == t]
        parts.append(_ious(_masks(tracks, chosen, t), _masks(tracks, chosen, t + 1)).diagonal())
    return np.concatenate(parts)


def _present(tracks: Sequence[TrackMasks], num_frames: int) -> np.ndarray:
    """``(T, N)`` bool."""
    areas = [track.areas for track in tracks]
    return np.array(areas, dtype=np.int64).reshape(-1, num_frames).T > 0


def _masks(tracks: Sequence[TrackMasks], indices: np.ndarray, frame: int) -> list[dict]:
    return [tracks[i].masks[frame] for i in indices]


def _ious(masks: list[dict], others: list[dict]) -> np.ndarray:
    return mask_util.iou(masks, others, [0] * len(others))
