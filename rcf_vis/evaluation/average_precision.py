"""Average precision and recall of tracks, as the official YouTube-VIS evaluator defines them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .matching import VideoMatches, match_tracks
from .overlaps import track_ious
from .track_files import GroundTruth, Result, Truth, read_ground_truth, read_results
from .track_masks import set_areas

__all__ = ["METRICS", "RECALLS", "evaluate_ytvis", "precision_at_recalls"]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)  # where the precision is read off
MAX_RESULTS = (1, 10, 100)  # best results that count, per video and category
AREA_RANGES = np.array(  # mean pixels of a track per frame; both ends belong to the range
    [[0, 1e5**2], [0, 128**2], [128**2, 256**2], [256**2, 1e5**2]]
)
_SHAPE = (len(AREA_RANGES), len(IOU_THRESHOLDS))
METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def evaluate_ytvis(
    gt_json: str | os.PathLike | Mapping[str, Any], results: str | os.PathLike | list[dict]
) -> dict[str, Any]:
    """Average precision of tracks: figures equal to those of the official evaluator.

    The definition, where it differs from COCO's or surprises:

    - The IoU of two tracks is the sum of the frames' intersections over the sum of their unions. A
      crowd's is no other; it may be found by any number of results, all of which are ignored.
    - The size of a truth is the mean of the non-zero entries of the json's ``areas`` (of its masks
      when there are none); of a result, that of its non-empty masks. Small is up to 128², medium
      up to 256², large the rest; a mean on a border belongs to both sides.
    - The best 100 results of each video *and category* count; ties keep the order of the list,
      and across videos that of their ids.
    - A truth of id 0 takes a result but never counts as found (the official evaluator reads the id
      as "none"). ``ignore`` has no effect.
    - Without results, what has ground truth scores 0; what has none is −1.

    - Results of a category that the ground truth does not list are left out, with one warning that
      counts them; so are annotations of a video that it does not list. Fields of a result that do
      not enter (``id``, ``bboxes``, ``areas``, ``iscrowd``) are not read.

    Refused here, though it passes there: a mask that is not of its video's size or a track that is
    not of its length (compared as far as they go, or a crash), ids that occur twice, results of an
    unknown video. Accepted here only: results with uncompressed ``counts``; annotations without
    ``areas`` or ``iscrowd``.

    Args:
        gt_json: path or content of a YouTube-VIS json with annotations. Masks are compressed or
            uncompressed RLE or polygons; null (or anything empty) where the object is absent.
        results: path or list of ``{"video_id", "category_id", "score", "segmentations"}``.

    Returns:
        Floats in [0, 1], −1 where undefined, under ``AP``, ``AP50``, ``AP75``; ``APs``, ``APm``,
        ``APl`` by size; ``AR1``, ``AR10``, ``AR100`` by the number of results; ``ARs``, ``ARm``,
        ``ARl``; and ``per_category``, name → AP.

    Raises:
        FileNotFoundError: a path is not there.
        ValueError: broken data; the message names file, entry and video. For ground truth it is a
            :class:`rcf_vis.data.DatasetError`; having no annotations is one too.

    Example:
        >>> evaluate_ytvis("valid.json", "output/inference/results.json")["AP"]
        0.408
    """
    ground_truth = read_ground_truth(gt_json)
    matches = _match_all(ground_truth, read_results(results, ground_truth))
    precision = np.full((len(ground_truth.categories), *_SHAPE, len(RECALLS)), -1.0)
    recall = np.full((len(ground_truth.categories), *_SHAPE, len(MAX_RESULTS)), -1.0)
    for k, category in enumerate(ground_truth.categories):
        if category in matches:
            precision[k], recall[k] = _curves(matches[category])
    return _summarize(precision, recall, list(ground_truth.categories.values()))


def _match_all(
    ground_truth: GroundTruth, results: Mapping[tuple[int, int], Sequence[Result]]
) -> dict[int, list[VideoMatches]]:
    """Category id → matches of its videos by ascending id; only categories that have truths."""
    matches: dict[int, list[VideoMatches]] = {category: [] for _, category in ground_truth.truths}
    set_areas([result.track for group in results.values() for result in group])
    for key in sorted(results.keys() | ground_truth.truths.keys()):
        if key[1] not in matches:
            continue
        best = sorted(results.get(key, []), key=lambda result: -result.score)[: MAX_RESULTS[-1]]
        matches[key[1]].append(_match_video(ground_truth.truths.get(key, []), best))
    return matches


def _match_video(truths: Sequence[Truth], results: Sequence[Result]) -> VideoMatches:
    """Match the results of one video and category, best first."""
    crowd = np.array([truth.crowd for truth in truths], dtype=bool)
    return match_tracks(
        track_ious(
            [result.track for result in results],
            [truth.track for truth in truths],
            IOU_THRESHOLDS[0],
        ),
        IOU_THRESHOLDS,
        scores=np.array([result.score for result in results], dtype=np.float64),
        outside=_outside_ranges([result.track.mean_area for result in results]),
        truth_ignored=_outside_ranges([truth.mean_area for truth in truths]) | crowd,
        truth_crowd=crowd,
        truth_countable=np.array([truth.countable for truth in truths], dtype=bool),
    )


def _outside_ranges(areas: Sequence[float]) -> np.ndarray:
    """(A, N) bool: the area is not in the range."""
    values = np.array(areas, dtype=np.float64)
    return (values < AREA_RANGES[:, :1]) | (values > AREA_RANGES[:, 1:])


def _curves(matches: Sequence[VideoMatches]) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall of one category over all videos; −1 where no truth is in range.

    Returns:
        Precision at RECALLS for the largest of MAX_RESULTS, ``(A, T, R)``, and the final recall
        for each of MAX_RESULTS, ``(A, T, M)``.
    """
    precision = np.full((*_SHAPE, len(RECALLS)), -1.0)
    recall = np.full((*_SHAPE, len(MAX_RESULTS)), -1.0)
    num_truths = np.sum([m.num_truths for m in matches], axis=0)
    defined = np.flatnonzero(num_truths)
    order = np.argsort(-np.concatenate([m.scores for m in matches]), kind="stable")
    rank = np.concatenate([np.arange(len(m.scores)) for m in matches])[order]
    matched = np.concatenate([m.matched for m in matches], axis=-1)[..., order]
    counted = ~np.concatenate([m.ignored for m in matches], axis=-1)[..., order]
    true, false = matched & counted, ~matched & counted  # (A, T, N)
    for m, limit in enumerate(MAX_RESULTS):
        hits = true[..., rank < limit].sum(-1)
        recall[defined, :, m] = hits[defined] / num_truths[defined, None]
    for a in defined:
        for t in range(len(IOU_THRESHOLDS)):
            precision[a, t] = precision_at_recalls(true[a, t], false[a, t], num_truths[a])
    return precision, recall


def precision_at_recalls(true: np.ndarray, false: np.ndarray, num_truths: int) -> np.ndarray:
    """Best precision at each of RECALLS or beyond; 0 where the recall is not reached; (R,)."""
    hits, misses = np.cumsum(true), np.cumsum(false)
    precision = hits / np.maximum(hits + misses, 1)
    best_beyond = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(hits / num_truths, RECALLS, side="left")
    return np.append(best_beyond, 0.0)[first]


def _summarize(
    precision: np.ndarray, recall: np.ndarray, category_names: Sequence[str]
) -> dict[str, Any]:
    """The figures, from precision ``(K, A, T, R)`` and recall ``(K, A, T, M)``."""
    everything, small, medium, large = range(4)
    values = (
        precision[:, everything],
        precision[:, everything, 0],
        precision[:, everything, 5],
        *(precision[:, size] for size in (small, medium, large)),
        *(recall[:, everything, :, m] for m in range(3)),
        *(recall[:, size, :, -1] for size in (small, medium, large)),
    )
    figures: dict[str, Any] = {
        name: _mean_of_defined(value) for name, value in zip(METRICS, values, strict=True)
    }
    per_category = zip(category_names, precision[:, everything], strict=True)
    figures["per_category"] = {name: _mean_of_defined(value) for name, value in per_category}
    return figures


def _mean_of_defined(values: np.ndarray) -> float:
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else -1.0
