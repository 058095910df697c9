"""Which result finds which truth, in one video and one category: COCO's greedy matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["VideoMatches", "match_tracks"]


@dataclass(frozen=True, eq=False)
class VideoMatches:
    """Outcome for the D results of one video and category, best score first.

    Attributes:
        scores: ``(D,)`` float64, descending.
        matched: ``(A, T, D)`` bool, for A area ranges and T IoU thresholds: found a truth.
        ignored: ``(A, T, D)`` bool: counts neither as true nor as false positive.
        num_truths: ``(A,)`` int64: truths that can be missed.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_truths: np.ndarray


def match_tracks(
    ious: np.ndarray,
    thresholds: np.ndarray,
    *,
    scores: np.ndarray,
    outside: np.ndarray,
    truth_ignored: np.ndarray,
    truth_crowd: np.ndarray,
    truth_countable: np.ndarray,
) -> VideoMatches:
    """Match results to truths, for all area ranges and IoU thresholds at once.

    Results choose in the order of their scores: each takes the free truth of the highest IoU that
    reaches the threshold (of equal ones the last), an ignored truth only when there is no other. A
    crowd stays free. A result that found an ignored truth, or found none and is itself outside the
    area range, is ignored.

    Args:
        ious: ``(D, G)``, results by descending score.
        thresholds: ``(T,)``, ascending.
        scores: ``(D,)``, descending.
        outside: ``(A, D)`` bool, the result's mean area is outside the range.
        truth_ignored: ``(A, G)`` bool, crowd or outside the range.
        truth_crowd: ``(G,)`` bool.
        truth_countable: ``(G,)`` bool; a match with a truth that is not is no match, though it
            takes that truth.
    """
    num_results, num_truths = ious.shape
    shape = (len(outside), len(thresholds), num_results)
    matched, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    free = np.ones((*shape[:2], num_truths), dtype=bool)
    regular = ~truth_ignored[:, None]
    for d in np.flatnonzero((ious >= thresholds[0]).any(1)):
        reached = free & (ious[d] >= thresholds[:, None])
        preferred = reached & regular
        reached = np.where(preferred.any(-1, keepdims=True), preferred, reached)
        a, t = np.nonzero(reached.any(-1))
        found = np.where(reached[a, t], ious[d], -1.0)
        g = num_truths - 1 - found[:, ::-1].argmax(-1)  # of equal ones the last
        free[a, t, g] = truth_crowd[g]
        matched[a, t, d] = truth_countable[g]
        ignored[a, t, d] = truth_ignored[a, g]
    ignored |= outside[:, None] & ~matched
    return VideoMatches(scores, matched, ignored, (~truth_ignored).sum(1))
