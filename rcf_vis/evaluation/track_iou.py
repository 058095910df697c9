"""Spatio-temporal IoU of tracks: masks stay run-length encoded, whole videos at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pycocotools.mask as mask_util

__all__ = ["TrackMasks", "track_ious"]

_BOX_PAIRS = 50_000  # how many boxes pycocotools may compare in one call: these cost little


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
        """Pixels of each frame's mask, ``(T,)`` int64; 0 where there is none."""
        areas = np.zeros(len(self.masks), dtype=np.int64)
        present = [frame for frame, mask in enumerate(self.masks) if mask is not None]
        if present:
            areas[present] = _areas([self.masks[frame] for frame in present])
        return areas

    @property
    def mean_area(self) -> float:
        """Mean area over the frames in which it has pixels; 0.0 when there are none."""
        return float(self.areas.sum() / max(np.count_nonzero(self.areas), 1))


def track_ious(
    results: Sequence[TrackMasks], truths: Sequence[TrackMasks], min_iou: float
) -> np.ndarray:
    """IoU of each result with each truth: sum of the frames' intersections over sum of unions.

    A frame in which only one of the two has a mask adds that mask to the union. IoUs below
    ``min_iou`` are of no interest and may be given as 0: most pairs are told apart by the areas of
    their masks alone, or by a part of the frames.

    Args:
        results: D tracks of one video.
        truths: G tracks of the same video.

    Returns:
        ``(D, G)`` float64, exact where it is ``min_iou`` or more; 0 where neither has a pixel.

    Raises:
        ValueError: a mask is broken.
    """
    if not results or not truths:
        return np.zeros((len(results), len(truths)))
    result_areas = np.stack([track.areas for track in results])
    truth_areas = np.stack([track.areas for track in truths])
    total = result_areas.sum(1)[:, None] + truth_areas.sum(1)
    possible = np.minimum(result_areas[:, None], truth_areas)  # (D, G, T)
    intersection = possible.sum(-1)  # an upper bound, made exact frame by frame

    hopeful = _iou(intersection, total) >= min_iou
    rest = np.argsort(-possible.sum((0, 1)), kind="stable")  # the frames that tell the most first
    while len(rest) and hopeful.any():
        rows, columns = np.flatnonzero(hopeful.any(1)), np.flatnonzero(hopeful.any(0))
        count = _frames_at_once(len(rows) * len(columns), possible.shape[-1])
        frames, rest = rest[:count], rest[count:]
        bound = possible[np.ix_(rows, columns, frames)]
        found = _intersections(
            [results[i] for i in rows], [truths[j] for j in columns], frames, bound
        )
        intersection[np.ix_(rows, columns)] -= bound.sum(-1) - found
        hopeful = _iou(intersection, total) >= min_iou
    return np.where(hopeful, _iou(intersection, total), 0.0)


def _frames_at_once(num_pairs: int, num_frames: int) -> int:
    """Frames to compare before the next look at what is still hopeful; few if there are many pairs.

    A third holds at least a third of the pixels: enough to tell two apart that nowhere overlap.
    """
    return max(1, min(-(-num_frames // 3), int((_BOX_PAIRS / num_pairs) ** 0.5)))


def _iou(intersection: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Intersection over union, where ``total`` is the sum of both areas; 0 where that is 0."""
    return intersection / np.maximum(total - intersection, 1)


def _intersections(
    results: Sequence[TrackMasks],
    truths: Sequence[TrackMasks],
    frames: np.ndarray,
    possible: np.ndarray,
) -> np.ndarray:
    """Common pixels of each result with each truth over the given frames.

    One call of pycocotools compares all masks of all frames: those of different frames are given
    different widths, upon which it does not compare them. (It makes no other use of the width.)

    Args:
        possible: ``(D, G, F)``, the smaller of the two areas in each frame; 0 where one is absent.

    Returns:
        ``(D, G)`` int64.
    """
    intersection = np.zeros(possible.shape[:2], dtype=np.int64)
    i, j, f = np.nonzero(possible)
    if len(i):
        result_index, result_masks, result_areas = _flatten(results, frames, possible.any(1))
        truth_index, truth_masks, truth_areas = _flatten(truths, frames, possible.any(0))
        rows, columns = result_index[i, f], truth_index[j, f]
        ious = mask_util.iou(result_masks, truth_masks, [0] * len(truth_masks))[rows, columns]
        both = result_areas[rows] + truth_areas[columns]
        # I / (both - I) = iou; the areas are integers far below 2^53, so rounding gives I exactly.
        np.add.at(intersection, (i, j), np.rint(ious * both / (1 + ious)).astype(np.int64))
    return intersection


def _flatten(
    tracks: Sequence[TrackMasks], frames: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, list[dict], np.ndarray]:
    """The used masks of some frames as one list, each checked.

    Args:
        used: ``(N, F)`` bool.

    Returns:
        Index of each mask in the list, ``(N, F)``; the list of M masks, the width of those of
        frame f enlarged by f; their areas, ``(M,)``.
    """
    position = used.cumsum().reshape(used.shape) - 1
    rows, columns = np.nonzero(used)
    numbers = frames[columns]
    masks = [tracks[n].masks[t] for n, t in zip(rows.tolist(), numbers.tolist(), strict=True)]
    areas = np.stack([track.areas[frames] for track in tracks])[used]
    covered = _covered_pixels(masks, areas)
    widened = []
    for k, mask in enumerate(masks):
        height, width = mask["size"]
        if covered[k] != height * width:
            raise ValueError(
                f"{tracks[rows[k]].where}: segmentations[{numbers[k]}]: 'counts' is broken; "
                f"expected runs that cover {height} x {width} pixels, found {covered[k]}"
            )
        widened.append({"size": [height, width + columns[k]], "counts": mask["counts"]})
    return position, widened, areas


def _areas(masks: Sequence[dict]) -> np.ndarray:
    """Pixels of each mask, (M,) int64; in parts, as pycocotools fails on more than 255 at once."""
    parts = [mask_util.area(masks[start : start + 255]) for start in range(0, len(masks), 255)]
    return np.concatenate(parts).astype(np.int64)


def _covered_pixels(masks: Sequence[dict], areas: np.ndarray) -> np.ndarray:
    """Sum of all runs of each mask, background included, modulo 2^32; (M,) int64.

    pycocotools would never return from comparing two masks that differ in it.

    Args:
        areas: of the masks, in pixels; (M,) int64.
    """
    first_runs, swapped = [], []
    for mask in masks:
        counts = mask["counts"]
        if isinstance(counts, str):
            counts = counts.encode()
        length, end = _first_run(counts)
        first_runs.append(length)
        # A run of 0 behind the first makes the background of the rest count as foreground. The
        # third run stays what it is, though it now stands where differences to the run before the
        # last stand (that is the 0), and so do those after it, which are such differences already.
        swapped.append({"size": mask["size"], "counts": counts[:end] + b"0" + counts[end:]})
    return (areas + first_runs + _areas(swapped)) % 2**32


def _first_run(counts: bytes) -> tuple[int, int]:
    """First number of a run-length string, and where it ends.

    A number is written in groups of five bits, lowest first; 32 = another follows, and bit 16 of
    the last is the sign.
    """
    value = shift = 0
    for end, character in enumerate(counts, start=1):
        group = character - 48
        value |= (group & 31) << shift
        shift += 5
        if not group & 32:
            return value - (1 << shift if group & 16 else 0), end
    return value, len(counts)
