"""Spatio-temporal IoU of tracks: masks stay run-length encoded, many tracks at a time.

Two tracks, or thousands of pairs of tracks, are compared at once, over all frames, on one line (see
:mod:`.track_line`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .track_line import Line, TrackMasks, decode_tracks

__all__ = ["TrackMasks", "pair_ious", "track_ious"]

_EDGES_AT_ONCE = 100_000  # of the pairs that are compared together: arrays that fit into a cache


def track_ious(
    results: Sequence[TrackMasks], truths: Sequence[TrackMasks], min_iou: float
) -> np.ndarray:
    """IoU of each result with each truth: sum of the frames' intersections over sum of unions.

    Args:
        results: D tracks of one video.
        truths: G tracks of the same video.
        min_iou: as for :func:`pair_ious`.

    Returns:
        ``(D, G)`` float64, exact where it is ``min_iou`` or more; 0 where neither has a pixel.

    Raises:
        ValueError: a mask is broken.
    """
    rows, columns = np.indices((len(results), len(truths))).reshape(2, -1)
    return pair_ious(results, truths, rows, columns, min_iou).reshape(len(results), len(truths))


def pair_ious(
    results: Sequence[TrackMasks],
    truths: Sequence[TrackMasks],
    rows: np.ndarray,
    columns: np.ndarray,
    min_iou: float,
) -> np.ndarray:
    """IoU of some results with some truths, of any videos.

    A frame in which only one of the two has a mask adds that mask to the union. IoUs below
    ``min_iou`` are of no interest and may be given as 0: most pairs are told apart by the areas of
    their masks and the columns that these lie in. The ``areas`` of all tracks are set.

    Args:
        rows, columns: ``(K,)`` int64: result ``rows[k]`` with truth ``columns[k]``, which is of the
            same video.

    Returns:
        ``(K,)`` float64, exact where it is ``min_iou`` or more; 0 where neither has a pixel.

    Raises:
        ValueError: a mask is broken.
    """
    ious = np.zeros(len(rows))
    line = decode_tracks([*results, *truths])
    if not len(rows):
        return ious
    columns = columns + len(results)
    total = line.sums[rows] + line.sums[columns]
    bound = _most_in_common(line, rows, columns)
    hopeful = np.flatnonzero((_iou(bound, total) >= min_iou) & (bound > 0))
    common = _intersections(line, rows[hopeful], columns[hopeful], line.edge_stops[len(results)])
    found = _iou(common, total[hopeful])
    ious[hopeful] = np.where(found >= min_iou, found, 0.0)
    return ious


def _most_in_common(line: Line, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Upper bound of the common pixels of each pair, ``(K,)`` int64."""
    lengths = np.diff(line.slot_stops)[rows]
    starts = np.cumsum(lengths) - lengths
    frames = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    one = frames + np.repeat(line.slot_stops[rows], lengths)
    other = frames + np.repeat(line.slot_stops[columns], lengths)
    first = np.maximum(line.left[one], line.left[other])
    last = np.minimum(line.right[one], line.right[other])
    in_columns = (last - first + 1).clip(0) * np.repeat(line.heights[rows], lengths)
    common = np.minimum(np.minimum(line.areas[one], line.areas[other]), in_columns)
    before = np.concatenate([[0], np.cumsum(common)])
    return before[starts + lengths] - before[starts]


def _iou(intersection: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Intersection over union, where ``total`` is the sum of both areas; 0 where that is 0."""
    return intersection / np.maximum(total - intersection, 1)


def _intersections(
    line: Line, rows: np.ndarray, columns: np.ndarray, first_edge: int
) -> np.ndarray:
    """Common pixels of each pair, ``(K,)`` float64, exact; each of the tracks has a pixel.

    How many of the truths' pixels lie before a place is linear between their edges: so what a run
    of a result has in common with a truth is the difference of two values that numpy interpolates.
    (All numbers are integers far below 2^53.)

    Args:
        first_edge: where the edges of the truths begin.
    """
    found = np.zeros(len(rows))
    edges = line.edges[first_edge:].astype(np.float64)
    pixels_before = np.zeros_like(edges)
    np.cumsum(edges[1::2] - edges[0::2], out=pixels_before[1::2])
    pixels_before[2::2] = pixels_before[1:-1:2]
    begins, stops = line.edge_stops[rows], line.edge_stops[rows + 1]
    shifts = line.begins[columns] - line.begins[rows]
    for pairs in _parts(stops - begins):
        bounds = zip(*(x[pairs].tolist() for x in (begins, stops, shifts)), strict=True)
        places = np.concatenate([line.edges[a:b] + shift for a, b, shift in bounds])
        values = np.interp(places, edges, pixels_before)
        starts = np.cumsum(stops[pairs] - begins[pairs]) - (stops[pairs] - begins[pairs])
        found[pairs] = np.add.reduceat(values[1::2] - values[0::2], starts // 2)
    return found


def _parts(lengths: np.ndarray) -> Iterator[slice]:
    """Slices of pairs that have not too many edges together."""
    start = 0
    total = np.cumsum(lengths)
    while start < len(lengths):
        limit = total[start] - lengths[start] + _EDGES_AT_ONCE
        stop = max(start + 1, int(np.searchsorted(total, limit, side="right")))
        yield slice(start, stop)
        start = stop
