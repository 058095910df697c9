"""Results beside truths, video by video: how much each pair overlaps, and which finds which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rcf_vis.evaluation.average_precision import IOU_THRESHOLDS, MAX_RESULTS
from rcf_vis.evaluation.matching import match_tracks
from rcf_vis.evaluation.overlaps import track_ious
from rcf_vis.evaluation.track_files import GroundTruth, Result, Truth

__all__ = ["MIN_IOU", "VideoPairs", "pair_tracks"]

MIN_IOU = 0.1  # less is no overlap: the border between background and objects, Bolya et al. 2020


@dataclass(frozen=True, eq=False)
class VideoPairs:
    """The D results and G truths of one video, of all categories.

    Attributes:
        video_id: the json's.
        results: by category, best score first; at most 100 a category, as for AP.
        truths: by category.
        result_categories: ``(D,)`` int64, positions in the list of categories.
        truth_categories: ``(G,)`` int64.
        ious: ``(D, G)`` float64, whatever the categories.
        found: ``(T, D)`` int64, the truth that a result finds at each of the evaluator's T IoU
            thresholds, within its category and without regard to size; −1 for none.
        ignored: ``(T, D)`` bool, the result counts neither as right nor as wrong.
    """

    video_id: int
    results: Sequence[Result]
    truths: Sequence[Truth]
    result_categories: np.ndarray
    truth_categories: np.ndarray
    ious: np.ndarray
    found: np.ndarray
    ignored: np.ndarray

    @property
    def scores(self) -> np.ndarray:
        """``(D,)`` float64."""
        return np.array([result.score for result in self.results], dtype=np.float64)

    @property
    def regular(self) -> np.ndarray:
        """``(G,)`` bool, the truth is no crowd."""
        return np.array([not truth.crowd for truth in self.truths], dtype=bool)


def pair_tracks(
    ground_truth: GroundTruth, results: Mapping[tuple[int, int], Sequence[Result]]
) -> list[VideoPairs]:
    """Pair results with truths as the evaluator does; videos by ascending id.

    Args:
        results: as :func:`rcf_vis.evaluation.track_files.read_results` has them.

    Raises:
        ValueError: there is no video, or a mask is broken.
    """
    if not ground_truth.videos:
        raise ValueError(f"{ground_truth.name}: 'videos' is empty; expected at least one")
    return [_pair_video(ground_truth, results, video) for video in sorted(ground_truth.videos)]


def _pair_video(
    ground_truth: GroundTruth, all_results: Mapping[tuple[int, int], Sequence[Result]], video: int
) -> VideoPairs:
    results: list[Result] = []
    truths: list[Truth] = []
    result_counts, truth_counts = [], []
    for category in ground_truth.categories:
        group = all_results.get((video, category), [])
        order = np.argsort([-result.score for result in group], kind="stable")[: MAX_RESULTS[-1]]
        results += [group[i] for i in order]
        result_counts.append(len(order))
        of_category = ground_truth.truths.get((video, category), [])
        truths += of_category
        truth_counts.append(len(of_category))
    numbers = np.arange(len(ground_truth.categories))
    result_categories = np.repeat(numbers, result_counts)
    truth_categories = np.repeat(numbers, truth_counts)
    ious = track_ious([r.track for r in results], [t.track for t in truths])
    found = np.full((len(IOU_THRESHOLDS), len(results)), -1)
    ignored = np.zeros(found.shape, dtype=bool)
    for category in np.intersect1d(result_categories, truth_categories):
        rows = np.flatnonzero(result_categories == category)
        columns = np.flatnonzero(truth_categories == category)
        found[:, rows], ignored[:, rows] = _match(
            ious, rows, columns, [results[d] for d in rows], [truths[g] for g in columns]
        )
    return VideoPairs(
        video, results, truths, result_categories, truth_categories, ious, found, ignored
    )


def _match(
    ious: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    results: Sequence[Result],
    truths: Sequence[Truth],
) -> tuple[np.ndarray, np.ndarray]:
    """``found`` and ``ignored`` of the results of one category.

    The matching tells that a result found a truth, not which. What counts as a match changes
    nothing else in it: so it is asked once for each truth, with all others not countable.
    """
    crowd = np.array([truth.crowd for truth in truths], dtype=bool)
    countable = np.array([truth.countable for truth in truths], dtype=bool)
    found = np.full((len(IOU_THRESHOLDS), len(rows)), -1)
    ignored = np.zeros(found.shape, dtype=bool)
    for g, column in enumerate(columns):
        matches = match_tracks(
            ious[np.ix_(rows, columns)],
            IOU_THRESHOLDS,
            scores=np.array([result.score for result in results]),
            outside=np.zeros((1, len(rows)), dtype=bool),
            truth_ignored=crowd[None],
            truth_crowd=crowd,
            truth_countable=countable & (np.arange(len(columns)) == g),
        )
        found[matches.matched[0]] = column
        ignored |= matches.ignored[0]
    return found, ignored
