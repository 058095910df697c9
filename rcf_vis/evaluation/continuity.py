"""Which result follows which truth through a video: ID switches, fragmentations, flicker.

K. Bernardin and R. Stiefelhagen, "Evaluating Multiple Object Tracking Performance: The CLEAR MOT
Metrics", 2008 (correspondence and switches); Y. Li, C. Huang and R. Nevatia, "Learning to
Associate", CVPR 2009 (fragmentations).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from .overlaps import Overlaps, changes_of_shape
from .track_masks import TrackMasks

__all__ = ["count_breaks", "flicker_sums", "follow"]


def follow(overlaps: Overlaps, min_iou: float = 0.5) -> np.ndarray:
    """The correspondence of CLEAR MOT: which result each truth is found by, frame by frame.

    One to one, with an IoU of at least ``min_iou``. As many truths as can be keep the result that
    they were last found by; the rest is matched for the greatest total IoU.

    Returns:
        ``(T, G)`` int64 indices of results, −1 where the truth is not found.
    """
    num_frames, num_truths, num_results = overlaps.ious.shape
    followed = np.full((num_frames, num_truths), -1)
    last = np.full(num_truths, -1)
    for t, ious in enumerate(overlaps.ious):
        reached = ious >= min_iou
        if not reached.any():
            continue
        kept = last[:, None] == np.arange(num_results)
        # A pair that is kept weighs more than all the IoUs of a frame together.
        rows, columns = linear_sum_assignment(
            np.where(reached, ious + (num_truths + 1) * kept, 0.0), maximize=True
        )
        found = reached[rows, columns]
        followed[t, rows[found]] = last[rows[found]] = columns[found]
    return followed


def count_breaks(followed: np.ndarray, truth_present: np.ndarray) -> np.ndarray:
    """ID switches and fragmentations, ``(2,)`` int64.

    A switch: a truth is found by another result than when it was last found. A fragmentation: a
    truth that was found is, while present, not found, and later found again. Frames in which the
    object is hidden or gone interrupt nothing.

    Args:
        followed: ``(T, G)`` as :func:`follow` gives it.
        truth_present: ``(T, G)`` bool.
    """
    switches = fragments = 0
    for indices, present in zip(followed.T, truth_present.T, strict=True):
        found = indices[present] >= 0
        switches += np.count_nonzero(np.diff(indices[indices >= 0]))
        beginnings = np.count_nonzero(found[1:] & ~found[:-1]) + int(found[:1].sum())
        fragments += max(beginnings - 1, 0)
    return np.array([switches, fragments])


def flicker_sums(
    truths: Sequence[TrackMasks], results: Sequence[TrackMasks], followed: np.ndarray
) -> np.ndarray:
    """Where a truth is found by one result in two neighbouring frames: how both change their shape.

    Returns:
        ``(2,)`` float64: sum of (IoU of the result's two masks − IoU of the truth's two masks), and
        how many such pairs of frames there are. The mean is 0 when the masks are as steady as the
        ground truth, and negative when they flicker.
    """
    steady = (followed[:-1] == followed[1:]) & (followed[:-1] >= 0)
    frames, indices = np.nonzero(steady)
    of_results = changes_of_shape(results, frames, followed[frames, indices])
    of_truths = changes_of_shape(truths, frames, indices)
    return np.array([of_results.sum() - of_truths.sum(), float(len(frames))])
