"""Animated strips: ground truth above prediction, the same object in the same colour."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as mask_util
from scipy.optimize import linear_sum_assignment

from rcf_vis.data import read_frame
from rcf_vis.evaluation.track_files import Result, Truth
from rcf_vis.files import whole_file
from rcf_vis.visualization.tracks import draw_masks

from .pairs import MIN_IOU, VideoPairs

__all__ = ["draw_strip", "film_strip", "result_identities", "save_animation"]

_GAP = 4  # pixels between ground truth and prediction


def result_identities(video: VideoPairs, shown: np.ndarray) -> np.ndarray:
    """Numbers under which results are drawn beside the truths 0 … G − 1.

    A result has the number of the truth that it overlaps most, whatever its category, one to one
    with the greatest total IoU; those that overlap none have numbers of their own from G on.

    Args:
        shown: ``(D',)`` int64, the results.

    Returns:
        ``(D',)`` int64.
    """
    ious = video.ious[shown]
    identities = np.full(len(shown), -1)
    for row, column in zip(*linear_sum_assignment(ious, maximize=True), strict=True):
        if ious[row, column] >= MIN_IOU:
            identities[row] = column
    others = identities < 0
    identities[others] = len(video.truths) + np.arange(others.sum())
    return identities


def draw_strip(
    video: VideoPairs,
    record: Mapping[str, Any],
    category_names: Sequence[str],
    *,
    score_threshold: float,
    width: int = 400,
    max_frames: int = 36,
) -> list[np.ndarray]:
    """Draw a video's frames, each as ground truth above prediction.

    Args:
        video: its tracks.
        record: of :func:`rcf_vis.data.load_ytvis_json`, with ``file_names``.
        score_threshold: results with less are not drawn.
        width: of the pictures in pixels.
        max_frames: a longer video is thinned out evenly.

    Returns:
        Up to ``max_frames`` arrays ``(2·h + 4, width, 3)`` uint8 BGR.

    Raises:
        FileNotFoundError, DatasetError: a frame is missing, broken or of another size; the message
            names video and file.
    """
    height = max(1, round(width * record["height"] / record["width"]))
    shown = np.flatnonzero(video.scores >= score_threshold)
    results = [video.results[d] for d in shown]
    truth_names = [category_names[k] for k in video.truth_categories]
    result_names = [category_names[k] for k in video.result_categories[shown]]
    identities = result_identities(video, shown).tolist()
    truth_labels = [f"{g} {name}" for g, name in enumerate(truth_names)]
    result_labels = [
        f"{number} {name} {result.score:.0%}"
        for number, name, result in zip(identities, result_names, results, strict=True)
    ]
    pictures = []
    frames = np.linspace(0, record["length"] - 1, min(max_frames, record["length"]))
    for t in frames.round().astype(int).tolist():
        frame = read_frame(
            record["file_names"][t],
            image_format="BGR",
            **{key: record[key] for key in ("height", "width", "video_id")},
        )
        frame = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        truth_masks = _masks(video.truths, t, frame)
        upper = draw_masks(frame, truth_masks, range(len(truth_masks)), truth_labels)
        lower = draw_masks(frame, _masks(results, t, frame), identities, result_labels)
        pictures.append(np.concatenate([upper, np.zeros((_GAP, width, 3), np.uint8), lower]))
    return pictures


def film_strip(pictures: Sequence[np.ndarray], count: int = 4) -> np.ndarray:
    """Up to ``count`` pictures, evenly spread over the video, side by side."""
    chosen = np.linspace(0, len(pictures) - 1, min(count, len(pictures))).round().astype(int)
    return np.concatenate([pictures[t] for t in chosen], axis=1)


def save_animation(
    pictures: Sequence[np.ndarray], path: str | os.PathLike, *, frame_rate: float = 6.0
) -> None:
    """Write ``(H, W, 3)`` uint8 BGR pictures as an endless animated WebP, atomically."""
    first, *others = (Image.fromarray(picture[..., ::-1]) for picture in pictures)
    with whole_file(path) as temporary:
        first.save(
            temporary,
            format="WEBP",
            save_all=True,
            append_images=others,
            duration=round(1000 / frame_rate),
            loop=0,
            quality=70,
        )


def _masks(tracks: Sequence[Truth | Result], frame: int, picture: np.ndarray) -> list[np.ndarray]:
    """Masks of one frame at the size of the picture; empty where a track has none."""
    height, width = picture.shape[:2]
    masks = []
    for item in tracks:
        rle = item.track.masks[frame]
        mask = np.zeros((1, 1), np.uint8) if rle is None else mask_util.decode(rle)
        masks.append(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
    return masks
