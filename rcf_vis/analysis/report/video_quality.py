"""How well a single video went: what a person wants to see first, and last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .pairs import VideoPairs

__all__ = ["VideoQuality", "best_and_worst", "video_quality"]


@dataclass(frozen=True)
class VideoQuality:
    """Panoptic quality (Kirillov et al., CVPR 2019) of a video's tracks.

    Attributes:
        video_id: the json's.
        quality: sum of the found truths' IoU / (found + wrong / 2 + missed / 2), in [0, 1]; nan
            for a video without truths and results.
        mean_iou: of the found truths; nan when there are none.
        num_found: truths that a result of their category finds with IoU ≥ 0.5.
        num_truths: crowds left out.
        num_wrong: results that find nothing.
    """

    video_id: int
    quality: float
    mean_iou: float
    num_found: int
    num_truths: int
    num_wrong: int


def video_quality(video: VideoPairs, score_threshold: float) -> VideoQuality:
    """The quality of a video, of the results with at least this score."""
    shown = (video.scores >= score_threshold) & ~video.ignored[0]
    rows = np.flatnonzero(shown & (video.found[0] >= 0))
    total = video.ious[rows, video.found[0, rows]].sum()
    num_found, num_truths = len(rows), int(video.regular.sum())
    num_wrong = int(shown.sum()) - num_found
    weight = num_found + (num_wrong + num_truths - num_found) / 2
    return VideoQuality(
        video_id=video.video_id,
        quality=float(total / weight) if weight else math.nan,
        mean_iou=float(total / num_found) if num_found else math.nan,
        num_found=num_found,
        num_truths=num_truths,
        num_wrong=num_wrong,
    )


def best_and_worst(
    qualities: Sequence[VideoQuality], count: int
) -> tuple[list[VideoQuality], list[VideoQuality]]:
    """Up to ``count`` of the best videos, best first, and of the worst others, worst first.

    Of equal ones, more found objects are better and more errors are worse. Videos without truths
    and results are left out.
    """
    ranked = sorted(
        (video for video in qualities if not math.isnan(video.quality)),
        key=lambda video: (
            -video.quality,
            -video.num_found,
            video.num_wrong + video.num_truths,
            video.video_id,
        ),
    )
    best = ranked[: min(count, (len(ranked) + 1) // 2)]
    return best, ranked[len(best) :][::-1][:count]
