"""Spatio-temporal IoU of tracks: masks stay run-length encoded, many pairs at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from .track_masks import TrackMasks, decode_tracks

__all__ = ["TrackMasks", "pair_ious", "track_ious"]


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
    ``min_iou`` are of no interest and are given as 0: most pairs are told apart by the areas of
    their masks and the ranges that these lie in. The ``areas`` of all tracks are set.

    Args:
        rows, columns: ``(K,)`` int64: result ``rows[k]`` with truth ``columns[k]``, which is of the
            same video.

    Returns:
        ``(K,)`` float64, exact where it is ``min_iou`` or more; 0 where neither has a pixel.

    Raises:
        ValueError: a mask is broken.
    """
    tracks = decode_tracks([*results, *truths])
    ious = np.zeros(len(rows))
    _compare(
        ious, rows, columns + len(results), min_iou, tracks.slot_stops,
        tracks.areas, tracks.edges, tracks.edge_stops,
    )  # fmt: skip
    return ious


@numba.njit(cache=True)
def _most_in_common(
    a: int, b: int, areas: np.ndarray, edges: np.ndarray, edge_stops: np.ndarray
) -> int:
    """Upper bound of the common pixels of two slots: areas, and the range that both lie in."""
    if areas[a] == 0 or areas[b] == 0:
        return 0
    begin = max(edges[edge_stops[a]], edges[edge_stops[b]])
    end = min(edges[edge_stops[a + 1] - 1], edges[edge_stops[b + 1] - 1])
    return max(min(areas[a], areas[b], end - begin), 0)


@numba.njit(cache=True)
def _in_common(a: int, b: int, edges: np.ndarray, edge_stops: np.ndarray) -> int:
    """Common pixels of two slots."""
    i, last = edge_stops[a], edge_stops[a + 1]
    j, other_last = edge_stops[b], edge_stops[b + 1]
    common = 0
    while i < last and j < other_last:
        common += max(min(edges[i + 1], edges[j + 1]) - max(edges[i], edges[j]), 0)
        if edges[i + 1] < edges[j + 1]:
            i += 2
        else:
            j += 2
    return common


# Loaded with the import, as the types are given
@numba.njit("(f8[::1], i8[::1], i8[::1], f8, i8[::1], i8[::1], i4[::1], i8[::1])", cache=True)
def _compare(
    ious: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    min_iou: float,
    slot_stops: np.ndarray,
    areas: np.ndarray,
    edges: np.ndarray,
    edge_stops: np.ndarray,
) -> None:
    """Fill in the IoU of each pair of tracks that reaches ``min_iou``.

    The common pixels are first put at the most that they can be, then corrected frame by frame for
    as long as the pair may still reach it.
    """
    for pair in range(len(rows)):
        row, column = rows[pair], columns[pair]
        first, other = slot_stops[row], slot_stops[column]
        total, common = 0, 0
        for frame in range(slot_stops[row + 1] - first):
            a, b = first + frame, other + frame
            total += areas[a] + areas[b]
            common += _most_in_common(a, b, areas, edges, edge_stops)
        iou = common / max(total - common, 1)
        for frame in range(slot_stops[row + 1] - first):
            if common == 0 or iou < min_iou:
                break
            a, b = first + frame, other + frame
            common -= _most_in_common(a, b, areas, edges, edge_stops)
            common += _in_common(a, b, edges, edge_stops)
            iou = common / max(total - common, 1)
        if common > 0 and iou >= min_iou:
            ious[pair] = iou
