"""The masks of tracks: run-length encoded as they come, checked many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycocotools.mask as mask_util

from rcf_vis.data.masks import rle_areas_covered
from rcf_vis.data.ytvis_tracks import broken_counts
from rcf_vis.errors import DatasetError

__all__ = ["TrackMasks", "check_tracks"]

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
        return self.areas

    @cached_property
    def mean_area(self) -> float:
        """Mean area over the frames in which it has pixels; 0.0 when there are none."""
        return float(self.areas.sum() / max(np.count_nonzero(self.areas), 1))


def _areas(masks: Sequence[dict]) -> np.ndarray:
    """Pixels of masks that were checked before, ``(N,)`` int64."""
    parts = range(0, len(masks), _MASKS_AT_ONCE)
    areas = [mask_util.area(masks[start : start + _MASKS_AT_ONCE]) for start in parts]
    return np.concatenate([np.zeros(0), *areas]).astype(np.int64)


def check_tracks(tracks: Sequence[TrackMasks], *, checked: bool = False) -> None:
    """Check the masks of tracks of any videos, and set their ``areas``.

    pycocotools must not see a mask before: it reads beyond the end of a string that is cut off, and
    compares masks that cover another number of pixels without end.

    Args:
        checked: their masks were checked when they were read: only the areas are missing.

    Raises:
        DatasetError: a mask is broken; the message names its track and frame.
    """
    present = [(n, t) for n, track in enumerate(tracks) for t, m in enumerate(track.masks) if m]
    masks = [tracks[n].masks[t] for n, t in present]
    for start in range(0, 0 if checked else len(masks), _MASKS_AT_ONCE):
        part = masks[start : start + _MASKS_AT_ONCE]
        pixels = [mask["size"][0] * mask["size"][1] for mask in part]
        broken = np.flatnonzero(rle_areas_covered(part) != pixels)
        if len(broken):
            n, t = present[start + broken[0]]
            height, width = tracks[n].masks[t]["size"]
            what = broken_counts({"height": height, "width": width})
            raise DatasetError(f"{tracks[n].where}: segmentations[{t}]: {what}", "masks")
    for track in tracks:
        vars(track)["areas"] = np.zeros(len(track.masks), dtype=np.int64)  # as if asked for before
    for (n, t), area in zip(present, _areas(masks).tolist(), strict=True):
        tracks[n].areas[t] = area
