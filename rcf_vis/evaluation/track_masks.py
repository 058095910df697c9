"""The masks of tracks: run-length encoded as they come, checked many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycocotools.mask as mask_util

from rcf_vis.data.masks import is_complete, rle_areas_covered
from rcf_vis.data.ytvis_tracks import broken_counts
from rcf_vis.errors import DatasetError

__all__ = ["TrackMasks", "check_tracks", "set_areas"]

_MASKS_AT_ONCE = 100  # pycocotools takes 255 at most; arrays of the check fit into a cache


@dataclass(frozen=True, eq=False)
class TrackMasks:
    """The masks of one track.

    Attributes:
        masks: compressed RLE of each frame of the video, None where the object is absent.
        where: names the track in errors.
    """

    masks: Sequence[dict | None]
    where: str

    @cached_property
    def areas(self) -> np.ndarray:
        """Pixels of each frame's mask, ``(T,)`` int64; 0 where there is none.

        Raises:
            DatasetError: a mask is broken.
        """
        check_tracks([self])
        set_areas([self])
        return self.areas

    @cached_property
    def mean_area(self) -> float:
        """Mean area over the frames in which it has pixels; 0.0 when there are none."""
        return float(self.areas.sum() / max(np.count_nonzero(self.areas), 1))


def check_tracks(tracks: Sequence[TrackMasks]) -> None:
    """Check that the runs of each mask cover its frame, for tracks of any videos.

    pycocotools must not compare others: it would do so without end.

    Raises:
        DatasetError: a mask is broken; the message names its track and frame.
    """
    present = _present(tracks)
    for start in range(0, len(present), _MASKS_AT_ONCE):
        part = [tracks[n].masks[t] for n, t in present[start : start + _MASKS_AT_ONCE]]
        pixels = [mask["size"][0] * mask["size"][1] for mask in part]
        broken = np.flatnonzero(rle_areas_covered(part) != pixels)
        if len(broken):
            raise _broken_mask(tracks, *present[start + broken[0]])


def set_areas(tracks: Sequence[TrackMasks]) -> None:
    """Set the ``areas`` of tracks of any videos.

    Of the strings it is checked that they are complete, as pycocotools reads beyond the end of one
    that is cut off; not that their runs cover the frame, see :func:`check_tracks`.

    Raises:
        DatasetError: a mask is broken; the message names its track and frame.
    """
    present = _present(tracks)
    masks = [tracks[n].masks[t] for n, t in present]
    for place, mask in zip(present, masks, strict=True):
        if not is_complete(mask["counts"]):
            raise _broken_mask(tracks, *place)
    for track in tracks:
        vars(track)["areas"] = np.zeros(len(track.masks), dtype=np.int64)  # as if asked for before
    for start in range(0, len(masks), _MASKS_AT_ONCE):
        part = slice(start, start + _MASKS_AT_ONCE)
        areas = mask_util.area(masks[part]).tolist()
        for (n, t), area in zip(present[part], areas, strict=True):
            tracks[n].areas[t] = area


def _present(tracks: Sequence[TrackMasks]) -> list[tuple[int, int]]:
    """(track, frame) of each mask."""
    return [(n, t) for n, track in enumerate(tracks) for t, m in enumerate(track.masks) if m]


def _broken_mask(tracks: Sequence[TrackMasks], track: int, frame: int) -> DatasetError:
    height, width = tracks[track].masks[frame]["size"]
    what = broken_counts({"height": height, "width": width})
    return DatasetError(f"{tracks[track].where}: segmentations[{frame}]: {what}", "masks")
