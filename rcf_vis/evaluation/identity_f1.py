"""IDF1: how many detections carry the right identity, with one identity for a whole track.

E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking",
ECCV workshops 2016.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .frame_iou import Overlaps

__all__ = ["identity_f1", "identity_f1_sums"]


def identity_f1_sums(overlaps: Overlaps, min_iou: float = 0.5) -> np.ndarray:
    """What IDF1 is made of; the sums of several videos add up.

    Whole tracks are matched one to one, so that as many frames as can be have an IoU of at least
    ``min_iou``, which leaves the fewest false positives and negatives.

    Returns:
        ``(3,)`` int64: IDTP, all detections of the ground truth, all detections of the results.
    """
    frames = (overlaps.ious >= min_iou).sum(0)
    true = frames[linear_sum_assignment(frames, maximize=True)].sum()
    return np.array([true, overlaps.truth_frames.sum(), overlaps.result_frames.sum()])


def identity_f1(sums: np.ndarray) -> float:
    """2 IDTP / (2 IDTP + IDFP + IDFN); −1 where there is nothing at all."""
    true, truths, results = sums.tolist()
    return 2 * true / (truths + results) if truths + results else -1.0
