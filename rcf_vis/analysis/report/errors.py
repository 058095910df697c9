"""What kinds of error cost how much AP: TIDE (Bolya et al., ECCV 2020), on tracks.

The IoU is that of tracks, t_f = 0.5 (foreground) and t_b = 0.1 (background). A wrong result is the
first of these that it is, in the order of the authors' toolbox:

- localization: the truth of its category that it overlaps most has t_b ≤ IoU < t_f;
- classification: IoU ≥ t_f with a truth of another category;
- duplicate: IoU ≥ t_f with a truth of its category, which another result has found;
- background: IoU < t_b with every truth;
- both: all others, t_b ≤ IoU < t_f with a truth of another category.

Missed is a truth that no result found and no localization or classification error points at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .pairs import MIN_IOU, VideoPairs
from .precision import mean_of_defined, precision_curves

__all__ = ["ERROR_KINDS", "ErrorBreakdown", "VideoErrors", "break_down_errors", "find_errors"]

ERROR_KINDS = ("classification", "localization", "both", "duplicate", "background", "missed")
_CLASSIFICATION, _LOCALIZATION, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(6)
_FOREGROUND_IOU = 0.5  # the first of the evaluator's thresholds


@dataclass(frozen=True, eq=False)
class VideoErrors:
    """Errors of one video with D results and G truths.

    Attributes:
        kinds: ``(D,)`` int64, positions in :data:`ERROR_KINDS`; −1 where nothing is wrong.
        targets: ``(D,)`` int64, the truth that a classification or localization error would find
            when fixed; −1 where that truth is found already, and for other results.
        missed: ``(G,)`` bool.
    """

    kinds: np.ndarray
    targets: np.ndarray
    missed: np.ndarray

    def count(self) -> dict[str, int]:
        """Number of errors by kind."""
        counts = np.bincount(self.kinds[self.kinds >= 0], minlength=len(ERROR_KINDS))
        counts[_MISSED] = self.missed.sum()
        return dict(zip(ERROR_KINDS, counts.tolist(), strict=True))


@dataclass(frozen=True)
class ErrorBreakdown:
    """Errors of a data set.

    Attributes:
        ap50: AP at IoU 0.5, in [0, 1]; nan without truths.
        counts: kind → number of errors.
        gains: kind → dAP: AP at IoU 0.5 with all errors of this kind fixed, less ``ap50``.
        false_positive: the gain if there were no wrong results.
        false_negative: the gain if there were no truths but those found.
    """

    ap50: float
    counts: dict[str, int]
    gains: dict[str, float]
    false_positive: float
    false_negative: float


def find_errors(video: VideoPairs) -> VideoErrors:
    """Sort the wrong results and missed truths of a video by kind."""
    same = video.result_categories[:, None] == video.truth_categories
    right = np.where(same & video.regular, video.ious, 0.0)
    other = np.where(~same & video.regular, video.ious, 0.0)
    best_right, best_other = right.max(1, initial=0.0), other.max(1, initial=0.0)
    found = video.found[0]
    kinds = np.select(
        [
            (found >= 0) | video.ignored[0],
            (best_right >= MIN_IOU) & (best_right < _FOREGROUND_IOU),
            best_other >= _FOREGROUND_IOU,
            best_right >= _FOREGROUND_IOU,
            np.maximum(best_right, best_other) < MIN_IOU,
        ],
        [-1, _LOCALIZATION, _CLASSIFICATION, _DUPLICATE, _BACKGROUND],
        default=_BOTH,
    )
    targets = np.full(len(kinds), -1)
    for kind, ious in ((_LOCALIZATION, right), (_CLASSIFICATION, other)):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            targets[rows] = ious[rows].argmax(1)
    targets[np.isin(targets, found[found >= 0])] = -1
    untouched = np.ones(len(video.truths), dtype=bool)
    untouched[np.concatenate([found[found >= 0], targets[targets >= 0]])] = False
    return VideoErrors(kinds, targets, untouched & video.regular)


def break_down_errors(
    pairs: Sequence[VideoPairs], errors: Sequence[VideoErrors], num_categories: int
) -> ErrorBreakdown:
    """Count the errors, and fix one kind after the other, each alone.

    A classification or localization error is fixed by letting the result find its truth; of
    several that point at one truth the best score does, the others are removed, as are those whose
    truth is found already. Errors of the kinds both, duplicate and background are removed. Missed
    truths are no longer asked for; a category that has no others does not enter the mean then,
    and where no category is left the gain is nan.

    Args:
        errors: of each of the videos in ``pairs``.
    """
    table = _Table.of(pairs, errors, num_categories)
    ap50 = table.average_precision()
    counts = [video.count() for video in errors]
    without_false = replace(table, false=np.zeros_like(table.false))
    num_found = np.bincount(table.categories[table.true], minlength=num_categories)
    return ErrorBreakdown(
        ap50=ap50,
        counts={kind: sum(count[kind] for count in counts) for kind in ERROR_KINDS},
        gains={
            kind: table.without(number).average_precision() - ap50
            for number, kind in enumerate(ERROR_KINDS)
        },
        false_positive=without_false.average_precision() - ap50,
        false_negative=replace(table, num_truths=num_found).average_precision() - ap50,
    )


@dataclass(frozen=True, eq=False)
class _Table:
    """All N results by descending score, and the M truths of all videos."""

    categories: np.ndarray  # (N,)
    true: np.ndarray  # (N,) bool
    false: np.ndarray  # (N,) bool
    kinds: np.ndarray  # (N,)
    targets: np.ndarray  # (N,), positions among the M
    truth_categories: np.ndarray  # (M,)
    missed: np.ndarray  # (M,) bool
    num_truths: np.ndarray  # (K,)

    @classmethod
    def of(
        cls, pairs: Sequence[VideoPairs], errors: Sequence[VideoErrors], num_categories: int
    ) -> _Table:
        starts = np.cumsum([0, *(len(video.truths) for video in pairs)])
        targets = [
            np.where(error.targets < 0, -1, error.targets + start)
            for error, start in zip(errors, starts, strict=False)
        ]
        order = np.argsort(-np.concatenate([video.scores for video in pairs]), kind="stable")
        found = np.concatenate([video.found[0] for video in pairs])[order]
        ignored = np.concatenate([video.ignored[0] for video in pairs])[order]
        truth_categories = np.concatenate([video.truth_categories for video in pairs])
        regular = np.concatenate([video.regular for video in pairs])
        return cls(
            categories=np.concatenate([video.result_categories for video in pairs])[order],
            true=(found >= 0) & ~ignored,
            false=(found < 0) & ~ignored,
            kinds=np.concatenate([error.kinds for error in errors])[order],
            targets=np.concatenate(targets)[order],
            truth_categories=truth_categories,
            missed=np.concatenate([error.missed for error in errors]),
            num_truths=np.bincount(truth_categories[regular], minlength=num_categories),
        )

    def average_precision(self) -> float:
        curves = precision_curves(
            self.categories, self.true[None], self.false[None], self.num_truths
        )
        return mean_of_defined(curves)

    def without(self, kind: int) -> _Table:
        """Fix all errors of a kind."""
        if kind == _MISSED:
            missed = self.truth_categories[self.missed]
            missed = np.bincount(missed, minlength=len(self.num_truths))
            return replace(self, num_truths=self.num_truths - missed)
        of_kind = np.flatnonzero(self.kinds == kind)
        candidates = of_kind[self.targets[of_kind] >= 0]
        targets, first = np.unique(self.targets[candidates], return_index=True)
        best = candidates[first]
        categories, true, false = self.categories.copy(), self.true.copy(), self.false.copy()
        false[of_kind] = False
        true[best] = True
        categories[best] = self.truth_categories[targets]
        return replace(self, categories=categories, true=true, false=false)
