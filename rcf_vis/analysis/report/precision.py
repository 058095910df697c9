"""Precision over recall from paired tracks, also for videos drawn more than once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rcf_vis.evaluation.average_precision import RECALLS, precision_at_recalls

from .pairs import VideoPairs

__all__ = [
    "RankedResults",
    "drawn_precision",
    "mean_of_defined",
    "precision_curves",
    "rank_results",
]

_DRAWS_AT_ONCE = 100  # bounds the memory of a bootstrap


@dataclass(frozen=True, eq=False)
class RankedResults:
    """All N results of a data set, best score first, ties in the evaluator's order.

    Attributes:
        scores: ``(N,)`` float64.
        videos: ``(N,)`` int64, positions in the list of V videos.
        categories: ``(N,)`` int64, positions in the list of K categories.
        true: ``(T, N)`` bool, found a truth that counts, at each of T IoU thresholds.
        false: ``(T, N)`` bool, found none; a result that is ignored is neither.
        num_truths: ``(V, K)`` int64, crowds left out.
    """

    scores: np.ndarray
    videos: np.ndarray
    categories: np.ndarray
    true: np.ndarray
    false: np.ndarray
    num_truths: np.ndarray


def rank_results(pairs: Sequence[VideoPairs], num_categories: int) -> RankedResults:
    """Sort the results of all videos."""
    scores = np.concatenate([video.scores for video in pairs])
    order = np.argsort(-scores, kind="stable")
    found = np.concatenate([video.found for video in pairs], axis=1)[:, order]
    ignored = np.concatenate([video.ignored for video in pairs], axis=1)[:, order]
    counts = [
        np.bincount(video.truth_categories[video.regular], minlength=num_categories)
        for video in pairs
    ]
    return RankedResults(
        scores=scores[order],
        videos=np.repeat(np.arange(len(pairs)), [len(video.results) for video in pairs])[order],
        categories=np.concatenate([video.result_categories for video in pairs])[order],
        true=(found >= 0) & ~ignored,
        false=(found < 0) & ~ignored,
        num_truths=np.array(counts),
    )


def precision_curves(
    categories: np.ndarray, true: np.ndarray, false: np.ndarray, num_truths: np.ndarray
) -> np.ndarray:
    """Best precision at or beyond each of the 101 recalls; its mean over them is AP.

    Args:
        categories: ``(N,)``, of results by descending score.
        true, false: ``(T, N)``, whether each counts as right and as wrong.
        num_truths: ``(K,)``, how many there are to be found.

    Returns:
        ``(K, T, 101)`` float64; nan for a category without truths.
    """
    curves = np.full((len(num_truths), len(true), len(RECALLS)), np.nan)
    for k, count in enumerate(num_truths):
        rows = categories == k
        curves[k] = _curves(true[:, rows], false[:, rows], np.full(len(true), count))
    return curves


def drawn_precision(ranked: RankedResults, draws: np.ndarray) -> np.ndarray:
    """AP of each category and IoU threshold when videos are there several times, or not at all.

    Args:
        draws: ``(B, V)`` int, how often each video is there.

    Returns:
        ``(B, K, T)`` float64; nan for a category without truths.
    """
    num_thresholds = len(ranked.true)
    num_truths = draws @ ranked.num_truths
    found = np.full((*num_truths.shape, num_thresholds), np.nan)
    for k in range(num_truths.shape[1]):
        rows = ranked.categories == k
        for b in range(0, len(draws), _DRAWS_AT_ONCE):
            block = slice(b, b + _DRAWS_AT_ONCE)
            times = draws[block][:, None, ranked.videos[rows]]  # (b, 1, n)
            counts = np.repeat(num_truths[block, k], num_thresholds)
            true, false = (
                (flags[:, rows] * times).reshape(len(counts), times.shape[-1])
                for flags in (ranked.true, ranked.false)
            )
            found[block, k] = _curves(true, false, counts).mean(-1).reshape(-1, num_thresholds)
    return found


def mean_of_defined(values: np.ndarray) -> float:
    """Mean of what is not nan; nan when nothing is left."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _curves(true: np.ndarray, false: np.ndarray, num_truths: np.ndarray) -> np.ndarray:
    """Curves of M independent rankings of n results, with ``(M,)`` truths; ``(M, 101)``."""
    curves = np.full((len(true), len(RECALLS)), np.nan)
    for m in np.flatnonzero(num_truths):
        curves[m] = precision_at_recalls(true[m], false[m], num_truths[m])
    return curves
