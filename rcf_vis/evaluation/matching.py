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
    num_ranges, num_truths = truth_ignored.shape
    shape = (num_ranges, len(thresholds), len(scores))
    matched, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    if not num_truths:
        ignored |= outside[:, None, :]
        return VideoMatches(scores, matched, ignored, np.zeros(num_ranges, dtype=np.int64))
    free = np.ones((num_ranges, len(thresholds), num_truths), dtype=bool)
    reached = ious[:, None, :] >= thresholds[:, None]  # (D, T, G)
    # Of the free truths that are reached the one of the highest number is taken: first by regular
    # ones, then by IoU, then the last. The ranges are a dimension of it, as regular depends on it.
    by_iou = np.argsort(np.argsort(ious, axis=-1, kind="stable"), axis=-1)  # (D, G)
    preference = by_iou[:, None, None] + num_truths * ~truth_ignored[:, None]  # (D, A, 1, G)
    for d in np.flatnonzero(reached.any((1, 2))):
        preferred = np.where(free & reached[d], preference[d], -1)  # (A, T, G)
        best = preferred.argmax(-1)
        area, threshold = np.nonzero(preferred.max(-1) >= 0)
        best = best[area, threshold]
        ignored[area, threshold, d] = truth_ignored[area, best]
        matched[area, threshold, d] = truth_countable[best]
        free[area, threshold, best] = truth_crowd[best]
    ignored |= ~matched & outside[:, None, :]
    return VideoMatches(scores, matched, ignored, (~truth_ignored).sum(1))
