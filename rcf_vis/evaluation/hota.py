"""HOTA with its two halves, detection and association, and IDF1.

J. Luiten et al., "HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking", IJCV 2021;
E. Ristani et al., "Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking",
ECCV workshops 2016.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .overlaps import Overlaps

__all__ = ["ALPHAS", "hota_figures", "hota_sums", "identity_f1", "identity_f1_sums"]

ALPHAS = np.arange(1, 20) / 20  # the localisation thresholds that HOTA is the mean over


def hota_sums(overlaps: Overlaps) -> np.ndarray:
    """What HOTA is made of; the sums of several videos add up.

    In each frame truths and results are matched once for all thresholds, as the authors' own
    evaluation does: one to one, with the greatest sum of (IoU × how well the two tracks agree over
    the whole video). A pair is a true positive c at the thresholds that its IoU reaches, and
    A(c) = TPA / (TPA + FNA + FPA) is the share of the frames of its two tracks in which both are
    matched with each other.

    Returns:
        ``(4, A)`` float64, for A thresholds: true positives, all detections of the ground truth,
        all detections of the results, and the sum of A(c) over the true positives.
    """
    truth_frames, result_frames = overlaps.truth_frames, overlaps.result_frames
    shape = (len(ALPHAS), len(truth_frames), len(result_frames))
    together = np.zeros(shape)  # TPA of each pair of tracks
    score = _agreement(overlaps) * overlaps.ious
    for t in np.flatnonzero(score.any((1, 2))):
        rows, columns = linear_sum_assignment(score[t], maximize=True)
        # An assignment has a pair just once, so nothing is added twice.
        together[:, rows, columns] += overlaps.ious[t, rows, columns] >= ALPHAS[:, None]
    either = truth_frames[:, None] + result_frames - together
    association = together * together / np.maximum(either, 1)
    detections = np.ones(len(ALPHAS))
    return np.stack(
        [
            together.sum((1, 2)),
            truth_frames.sum() * detections,
            result_frames.sum() * detections,
            association.sum((1, 2)),
        ]
    )


def hota_figures(sums: np.ndarray) -> dict[str, float]:
    """``HOTA``, ``DetA`` and ``AssA`` from the sums; −1 where there is nothing at all."""
    true, truths, results, association = sums
    detections = truths + results - true  # TP + FN + FP
    if not detections[0]:
        return dict.fromkeys(("HOTA", "DetA", "AssA"), -1.0)
    detection = true / detections
    association = association / np.maximum(true, 1)
    return {
        "HOTA": float(np.sqrt(detection * association).mean()),
        "DetA": float(detection.mean()),
        "AssA": float(association.mean()),
    }


def _agreement(overlaps: Overlaps) -> np.ndarray:
    """How well two tracks agree over all frames: a soft form of A(c), ``(G, D)``.

    In a frame a pair counts by its share of all the IoUs in which one of the two takes part.
    """
    ious = overlaps.ious
    around = ious.sum(1, keepdims=True) + ious.sum(2, keepdims=True) - ious
    shares = np.divide(ious, around, out=np.zeros_like(ious), where=around > 0).sum(0)
    either = overlaps.truth_frames[:, None] + overlaps.result_frames - shares
    return shares / np.maximum(either, 1)


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
