"""Is B better than A, on the same videos: the paired statistics of the paper's tables X and XII."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from rcf_vis.evaluation.average_precision import IOU_THRESHOLDS
from rcf_vis.evaluation.track_files import GroundTruth, read_ground_truth, read_results

from .pairs import VideoPairs, pair_tracks
from .precision import drawn_precision, mean_of_defined, rank_results

__all__ = ["APDifference", "Comparison", "PairedIoU", "compare_results"]

_AP_THRESHOLDS = {"AP": slice(None), "AP50": slice(0, 1), "AP75": slice(5, 6)}
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class PairedIoU:
    """IoU of the objects that both A and B find with more than ``threshold``.

    Attributes:
        threshold: of the IoU.
        num_objects: those that both find.
        only_a, only_b: objects that one of them finds alone; they enter nothing else here.
        mean_a, mean_b: mean IoU over ``num_objects``.
        difference: mean of B less A.
        t, p_value: of the paired t-test, two-sided; nan where it is not defined.
        interval: 95 % of the difference, bootstrap over videos.
    """

    threshold: float
    num_objects: int
    only_a: int
    only_b: int
    mean_a: float
    mean_b: float
    difference: float
    t: float
    p_value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class APDifference:
    """A figure in [0, 1] of A and of B, B less A, and its 95 % bootstrap interval over videos."""

    name: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """All that :func:`compare_results` finds."""

    num_videos: int
    average_precision: list[APDifference]
    paired: list[PairedIoU]


def compare_results(
    gt_json: str | os.PathLike | Mapping[str, Any],
    results_a: str | os.PathLike | list[dict],
    results_b: str | os.PathLike | list[dict],
    *,
    thresholds: Sequence[float] = (0.5, 0.75),
    num_resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compare two results on the same ground truth.

    An object's IoU is that of its track with the result that finds it: of the same category, by
    the evaluator's matching at the threshold. The t-test takes objects as independent, as the
    paper does; those of one video are not, so the intervals draw whole videos.

    Args:
        gt_json, results_a, results_b: as :func:`rcf_vis.evaluation.evaluate_ytvis` takes them.
        thresholds: among the evaluator's 0.5, 0.55, … 0.95; the IoU must be greater.
        num_resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis`; also for no
            video, and a threshold that is none of the evaluator's.
    """
    unknown = [value for value in thresholds if not np.isclose(value, IOU_THRESHOLDS).any()]
    if unknown:
        raise ValueError(f"threshold {unknown[0]}: expected one of {IOU_THRESHOLDS.round(2)}")
    ground_truth = read_ground_truth(gt_json)
    a, b = (
        pair_tracks(ground_truth, read_results(source, ground_truth))
        for source in (results_a, results_b)
    )
    num_videos = len(a)
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(num_videos, np.full(num_videos, 1 / num_videos), num_resamples)
    return Comparison(
        num_videos=num_videos,
        average_precision=_compare_ap(ground_truth, a, b, draws),
        paired=[_compare_ious(a, b, threshold, draws) for threshold in thresholds],
    )


def _compare_ap(
    ground_truth: GroundTruth, a: list[VideoPairs], b: list[VideoPairs], draws: np.ndarray
) -> list[APDifference]:
    once = np.ones((1, len(a)), dtype=draws.dtype)
    (values_a, *drawn_a), (values_b, *drawn_b) = (
        _ap_figures(pairs, len(ground_truth.categories), np.concatenate([once, draws]))
        for pairs in (a, b)
    )
    intervals = _interval(np.array(drawn_b) - np.array(drawn_a))
    return [
        APDifference(name, values_a[i], values_b[i], values_b[i] - values_a[i], intervals[i])
        for i, name in enumerate(_AP_THRESHOLDS)
    ]


def _ap_figures(
    pairs: list[VideoPairs], num_categories: int, draws: np.ndarray
) -> list[list[float]]:
    """The figures of ``_AP_THRESHOLDS`` for each draw."""
    precision = drawn_precision(rank_results(pairs, num_categories), draws)
    return [
        [mean_of_defined(drawn[:, chosen]) for chosen in _AP_THRESHOLDS.values()]
        for drawn in precision
    ]


def _compare_ious(
    a: list[VideoPairs], b: list[VideoPairs], threshold: float, draws: np.ndarray
) -> PairedIoU:
    index = int(np.abs(IOU_THRESHOLDS - threshold).argmin())
    ious_a = [_ious_of_truths(video, index) for video in a]
    ious_b = [_ious_of_truths(video, index) for video in b]
    videos = np.repeat(np.arange(len(a)), [len(ious) for ious in ious_a])
    ious_a, ious_b = np.concatenate(ious_a), np.concatenate(ious_b)
    has_a, has_b = ious_a > threshold, ious_b > threshold
    both = has_a & has_b
    differences = (ious_b - ious_a)[both]
    sums = np.bincount(videos[both], weights=differences, minlength=len(a))
    counts = np.bincount(videos[both], minlength=len(a))
    with np.errstate(invalid="ignore"):  # no object in a draw: nan, left out of the interval
        drawn = (draws @ sums) / (draws @ counts)
    t, p_value = _paired_t_test(ious_b[both], ious_a[both])
    return PairedIoU(
        threshold=threshold,
        num_objects=int(both.sum()),
        only_a=int((has_a & ~has_b).sum()),
        only_b=int((has_b & ~has_a).sum()),
        mean_a=mean_of_defined(ious_a[both]),
        mean_b=mean_of_defined(ious_b[both]),
        difference=mean_of_defined(differences),
        t=t,
        p_value=p_value,
        interval=_interval(drawn[:, None])[0],
    )


def _ious_of_truths(video: VideoPairs, index: int) -> np.ndarray:
    """IoU of each truth that is no crowd with the result that finds it, 0 where none does."""
    ious = np.zeros(len(video.truths))
    rows = np.flatnonzero(video.found[index] >= 0)
    columns = video.found[index, rows]
    ious[columns] = video.ious[rows, columns]
    return ious[video.regular]


def _paired_t_test(b: np.ndarray, a: np.ndarray) -> tuple[float, float]:
    """Statistic and p-value; nan for fewer than two pairs, and where no two differences differ."""
    if len(a) < 2 or np.ptp(b - a) == 0:
        return float("nan"), float("nan")
    test = stats.ttest_rel(b, a)
    return float(test.statistic), float(test.pvalue)


def _interval(drawn: np.ndarray) -> list[tuple[float, float]]:
    """Percentile interval of each column; nan where nothing is defined."""
    tails = ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)
    columns = [column[~np.isnan(column)] for column in drawn.T]
    return [
        tuple(np.quantile(column, tails).tolist()) if len(column) else (float("nan"),) * 2
        for column in columns
    ]
