"""Results as they are read: compared with their truths at once, then their masks are let go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .track_files import GroundTruth, Result
from .track_iou import pair_ious

__all__ = ["ComparedResult", "compare_results"]

_Key = tuple[int, int]  # video id, category id
_MASKS_AT_ONCE = 1500  # that are decoded together: few calls, and arrays that fit into a cache


@dataclass(frozen=True, eq=False)
class ComparedResult:
    """What the evaluation needs of a result.

    Attributes:
        score: of the entry.
        mean_area: over the frames in which it has pixels.
        ious: ``(G,)`` float64, with the truths of its video and category, in their order.
    """

    score: float
    mean_area: float
    ious: np.ndarray


def compare_results(
    results: Iterable[tuple[_Key, Result]], ground_truth: GroundTruth, min_iou: float
) -> dict[_Key, list[ComparedResult]]:
    """Results by (video id, category id), in their order; only of categories that have truths.

    Args:
        results: as :func:`.track_files.iterate_results` gives them: each is used and forgotten.
        min_iou: lower IoUs may be given as 0.

    Raises:
        ValueError: a mask is broken.
    """
    categories = {category for _, category in ground_truth.truths}
    compared: dict[_Key, list[ComparedResult]] = defaultdict(list)
    batch: list[tuple[_Key, Result]] = []
    num_masks = 0
    for key, result in results:
        if key[1] not in categories:
            continue
        batch.append((key, result))
        num_masks += len(result.track.masks)
        if num_masks >= _MASKS_AT_ONCE:
            _compare(batch, ground_truth, min_iou, compared)
            batch, num_masks = [], 0
    _compare(batch, ground_truth, min_iou, compared)
    return compared


def _compare(
    batch: Sequence[tuple[_Key, Result]],
    ground_truth: GroundTruth,
    min_iou: float,
    compared: dict[_Key, list[ComparedResult]],
) -> None:
    """Add a batch of results to those that are compared already."""
    truths = {key: ground_truth.truths.get(key, []) for key, _ in batch}
    first, number = {}, 0
    for key, group in truths.items():
        first[key] = number
        number += len(group)
    counts = [len(truths[key]) for key, _ in batch]
    columns = [first[key] + k for key, _ in batch for k in range(len(truths[key]))]
    ious = pair_ious(
        [result.track for _, result in batch],
        [truth.track for group in truths.values() for truth in group],
        np.repeat(np.arange(len(batch)), counts),
        np.array(columns, dtype=np.int64),
        min_iou,
    )
    stops = np.cumsum(counts, dtype=np.int64).tolist()
    for (key, result), count, stop in zip(batch, counts, stops, strict=True):
        of_result = ious[stop - count : stop]
        compared[key].append(ComparedResult(result.score, result.track.mean_area, of_result))
