"""Which result finds which truth, in one video and one category: COCO's greedy matching."""

from __future__ import annotations

from dataclasses import dataclass

import numba
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
    shape = (len(outside), len(thresholds), len(scores))
    matched, ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    _match(ious, thresholds, outside, truth_ignored, truth_crowd, truth_countable, matched, ignored)
    return VideoMatches(scores, matched, ignored, (~truth_ignored).sum(1))


@numba.njit(  # loaded with the import, as the types are given
    "(f8[:, ::1], f8[::1], b1[:, ::1], b1[:, ::1], b1[::1], b1[::1], b1[:, :, ::1], b1[:, :, ::1])",
    cache=True,
)
def _match(
    ious: np.ndarray,
    thresholds: np.ndarray,
    outside: np.ndarray,
    truth_ignored: np.ndarray,
    truth_crowd: np.ndarray,
    truth_countable: np.ndarray,
    matched: np.ndarray,
    ignored: np.ndarray,
) -> None:
    """Fill ``matched`` and ``ignored``."""
    num_ranges, num_thresholds, num_results = matched.shape
    for a in range(num_ranges):
        for t in range(num_thresholds):
            free = np.ones(len(truth_crowd), dtype=np.bool_)
            for d in range(num_results):
                best = -1
                for g in range(len(free)):
                    if not free[g] or ious[d, g] < thresholds[t]:
                        continue
                    if best < 0 or truth_ignored[a, best] != truth_ignored[a, g]:
                        better = best < 0 or truth_ignored[a, best]
                    else:
                        better = ious[d, g] >= ious[d, best]
                    if better:
                        best = g
                if best >= 0:
                    free[best] = truth_crowd[best]
                    matched[a, t, d] = truth_countable[best]
                    ignored[a, t, d] = truth_ignored[a, best]
                ignored[a, t, d] |= outside[a, d] and not matched[a, t, d]
