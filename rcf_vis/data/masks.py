"""Run-length encoded masks: bring each form that a json may hold to one, and decode safely.

pycocotools reads past the end of a truncated run-length string, writes past the end of a mask where
a run is negative, and takes memory for each pixel along a polygon. So each mask is checked here, in
numpy, before pycocotools sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pycocotools.mask as mask_util
from PIL import Image

from rcf_vis.errors import shown
from rcf_vis.limits import check_limit

__all__ = [
    "check_polygons",
    "decode_rles",
    "is_complete",
    "rle_areas_covered",
    "to_compressed_rle",
]

_ALPHABET = bytes(range(48, 48 + 64))  # six bits a character
_MAX_GROUPS = 7  # of five bits
_BEYOND = 2**31 - 1  # stands for a run that is longer; no mask is that large
_NUMBERS = (float, np.floating, np.integer)
_FORMS = "a dict with 'size' and 'counts' (str or list), or a list of polygons"


def to_compressed_rle(segmentation: dict | list, height: int, width: int) -> dict:
    """One mask in COCO's compressed form.

    Args:
        segmentation: compressed RLE, uncompressed RLE (``counts`` is a list of run lengths) or
            polygons ``[[x0, y0, x1, y1, x2, y2, …], …]`` in pixels.
        height, width: size of the video, in pixels.

    Returns:
        ``{"size": [height, width], "counts": str}``. A string that came compressed is taken as
        it is: see :func:`rle_areas_covered` for its check.

    Raises:
        ValueError: the mask is of another size or in none of the three forms.
    """
    if isinstance(segmentation, list):
        return _encode_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise ValueError(f"no mask that can be read; expected {_FORMS}")
    size, counts = segmentation["size"], segmentation["counts"]
    if not isinstance(size, (list, tuple)) or list(size) != [height, width]:
        raise ValueError(f"mask size {shown(size)}, expected [height, width] = [{height}, {width}]")
    if isinstance(counts, list):
        return _encode_runs(counts, height, width)
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    if not isinstance(counts, str):
        raise ValueError(f"'counts' is a {type(counts).__name__}; expected {_FORMS}")
    return {"size": [height, width], "counts": counts}


def rle_areas_covered(rles: Sequence[dict]) -> np.ndarray:
    """Number of pixels, background included, that the runs of each mask cover.

    A valid mask covers exactly height × width. All masks are parsed at once.

    Args:
        rles: N compressed masks with ``counts`` as str or bytes.

    Returns:
        (N,) int64; −1 where ``counts`` is not a run-length string, or has a negative run.
    """
    counts = [_as_bytes(rle["counts"]) for rle in rles]
    totals = np.full(len(counts), -1, dtype=np.int64)
    complete = [i for i, text in enumerate(counts) if is_complete(text)]
    if complete:
        totals[complete] = _covered_pixels([counts[i] for i in complete])
    return totals


def decode_rles(
    rles: Sequence[dict | list], height: int, width: int, size: tuple[int, int] | None = None
) -> list[np.ndarray]:
    """Masks as (height, width) uint8 arrays of 0 and 1.

    Args:
        rles: masks in any form that :func:`to_compressed_rle` takes.
        size: (height, width) of the result: what Pillow's nearest-neighbour resize of the masks
            gives, pixel for pixel, without the masks at their own size.

    Raises:
        ValueError: a mask is of another size, or broken.
    """
    if not rles:
        return []
    compressed = [to_compressed_rle(rle, height, width) for rle in rles]
    if (rle_areas_covered(compressed) != height * width).any():
        raise ValueError(f"run lengths that do not cover {height} x {width} pixels")
    if size == (height, width):
        size = None
    if size is not None and size[1] <= width:
        runs = (_runs_of(_as_bytes(rle["counts"])) for rle in compressed)
        return [_sampled(of_mask, (height, width), size) for of_mask in runs]
    stacked = mask_util.decode(compressed)
    if size is not None:
        stacked = stacked[np.ix_(_taken(height, size[0]), _taken(width, size[1]))]
    return [stacked[:, :, i] for i in range(stacked.shape[2])]


def check_polygons(polygons: list) -> None:
    """Raise a ValueError unless the polygons of a mask can be drawn.

    Each needs three points of finite coordinates; all outlines together are at most
    ``LIMITS.OUTLINE_PIXELS`` long, and no coordinate is larger than that.
    """
    length = 0.0
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise ValueError("a polygon needs at least three points [x0, y0, x1, y1, x2, y2, …]")
        kinds = set(map(type, polygon))
        if not kinds <= {int, float} and not all(issubclass(kind, _NUMBERS) for kind in kinds):
            raise ValueError(f"a polygon of {shown(polygon)}, expected numbers")
        points = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        farthest = np.abs(points).max()
        if not farthest < np.inf:
            raise ValueError("a polygon with a coordinate that is not finite")
        with np.errstate(over="ignore"):
            steps = np.abs(points - np.roll(points, -1, axis=0)).max(axis=1)
            length = max(length + steps.sum() + len(points), farthest)
    check_limit("OUTLINE_PIXELS", int(min(length, 2**63)), "pixels along polygons")


def _encode_polygons(polygons: list, height: int, width: int) -> dict:
    check_polygons(polygons)
    if not polygons:
        return _encode_runs([height * width], height, width)
    rle = mask_util.merge(mask_util.frPyObjects(polygons, height, width))
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}


def _encode_runs(runs: list, height: int, width: int) -> dict:
    if set(map(type, runs)) != {int} or sum(runs) != height * width or min(runs) < 0:
        raise ValueError(
            f"run lengths do not cover the mask; expected them to add up to "
            f"{height} x {width} = {height * width}"
        )
    rle = mask_util.frPyObjects({"size": [height, width], "counts": runs}, height, width)
    return {"size": [height, width], "counts": rle["counts"].decode("ascii")}


def _as_bytes(counts: str | bytes) -> bytes:
    # What is not ASCII becomes bytes that are no letters of a run-length string.
    return counts if isinstance(counts, bytes) else counts.encode("utf-8", "surrogatepass")


def is_complete(counts: str | bytes) -> bool:
    """True where a run-length string has only its own 64 characters and its last run ends."""
    text = _as_bytes(counts)
    return bool(text) and not text.translate(None, _ALPHABET) and not (text[-1] - 48) & 32


def _runs_of(counts: bytes) -> np.ndarray:
    """The lengths of the runs of a string, background first, (K,) int64."""
    runs = _values_of_runs(np.frombuffer(counts, dtype=np.uint8) - np.uint8(48))[0].astype(np.int64)
    for start in (1, 2):  # written are differences from the fourth run on
        runs[start::2] = runs[start::2].cumsum()
    if runs.min() < 0:
        raise ValueError("a run of negative length")
    return runs


def _sampled(runs: np.ndarray, size: tuple[int, int], sampled: tuple[int, int]) -> np.ndarray:
    """The mask of some runs at the rows and columns that a resize takes, uint8.

    Runs go down the columns; so each border between two of them lies between two of the pixels that
    are taken, and runs of these are known without any pixel. No column is taken twice.
    """
    height = size[0]
    rows_before, columns_before = (
        np.searchsorted(_taken(side, taken), np.arange(side + 1))
        for side, taken in zip(size, sampled, strict=True)
    )
    column, row = np.divmod(runs.cumsum(), height)
    taken = np.diff(columns_before, append=columns_before[-1])[column] > 0
    borders = columns_before[column] * sampled[0] + np.where(taken, rows_before[row], 0)
    lengths = np.diff(borders, prepend=0)
    values = np.arange(len(runs), dtype=np.uint8) & 1
    return np.repeat(values, lengths).reshape(sampled[::-1]).T


@lru_cache(maxsize=256)
def _taken(side: int, sampled: int) -> np.ndarray:
    """Which of ``side`` pixels Pillow's nearest-neighbour resize takes, ascending, (sampled,)."""
    places = Image.fromarray(np.arange(side, dtype=np.int32)[None])
    return np.asarray(places.resize((sampled, 1), Image.NEAREST))[0]


def _covered_pixels(counts: list[bytes]) -> np.ndarray:
    """Sum of the runs of each string, (N,) int64; −1 where one is negative or beyond all masks."""
    codes = np.frombuffer(b"".join(counts), dtype=np.uint8) - np.uint8(48)
    values, first = _values_of_runs(codes)
    ends = np.searchsorted(first, np.cumsum([len(text) for text in counts]))
    starts = np.concatenate(([0], ends[:-1]))
    runs = _added_up(values, starts, ends - starts)
    totals = np.add.reduceat(runs, starts)
    wrong = runs.view(np.uint64) >= _BEYOND  # as such, negative ones are large
    if wrong.any():
        totals[np.searchsorted(ends, np.flatnonzero(wrong), side="right")] = -1
    return totals


def _added_up(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Runs (K,) int64 of the strings from what is written of each.

    From the fourth run of a string on, that is the difference to the run before the last: so each
    run is a sum over each second value before it, up to the second or third of its string.
    """
    sums = values.astype(np.int64)
    for parity in (0, 1):
        sums[parity::2] = sums[parity::2].cumsum()
    before = np.stack([sums[starts], np.where(starts, sums[starts - 1], 0)])  # third, second run
    place = np.arange(len(values)) - np.repeat(starts, lengths)
    runs = sums - np.where(place & 1, *np.repeat(before[::-1], lengths, axis=1))
    runs[starts] = values[starts]
    return runs


def _values_of_runs(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is written for each run, (K,) int32, and the place of its first group.

    A run is written in groups of five bits, lowest first; bit 5 says that another group follows,
    bit 4 of the last group is the sign. From the fourth run on, the difference to the run before
    the last is written: so run k is part of itself and of each second run after it.
    """
    goes_on = codes > 31
    first = np.flatnonzero(~np.concatenate(([False], goes_on[:-1])))  # group of each run
    values = codes[first].astype(np.int32)
    single = values < 32
    values -= (values & 16) << 1  # the sign, of runs of one group
    longer = np.flatnonzero(~single)
    values[longer] = _values_of_groups(codes, first[longer])
    return values, first


def _values_of_groups(codes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Runs of two groups or more, from the place of their first group, cut off at ±_BEYOND."""
    values, going_on = (codes[first] & 31).astype(np.int64), np.arange(len(first))
    for place in range(1, _MAX_GROUPS):
        groups = codes[first[going_on] + place].astype(np.int64)
        last = groups < 32
        sign = np.where(last, groups & 16, 0) << 1
        values[going_on] += ((groups & 31) - sign) << (5 * place)
        going_on = going_on[~last]
        if not len(going_on):
            break
    values[going_on] = _BEYOND
    return values.clip(-_BEYOND, _BEYOND)
