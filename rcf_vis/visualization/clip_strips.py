"""Strips of clips: what a data set holds, and what the loader makes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import matplotlib
import numpy as np
import torch
from torch import Tensor

from rcf_vis.data import read_frame
from rcf_vis.visualization.contact_sheet import contact_sheet
from rcf_vis.visualization.fonts import drawable_names
from rcf_vis.visualization.tracks import draw_ground_truth, draw_masks

__all__ = ["record_strip", "sample_strip"]

MIN_WIDTH = 320  # pixels, of a drawn frame
AUDIO_RANGE = (np.log(0.01), 2.0)  # of a log-mel spectrogram, from silence to loud


def record_strip(
    record: Mapping[str, Any], class_names: Sequence[str], *, num_frames: int = 6
) -> np.ndarray:
    """Draw a video as it is annotated.

    Args:
        record: of a data set (see :func:`~rcf_vis.data.load_ytvis_json`).
        class_names: by contiguous category.
        num_frames: drawn of it, evenly spread.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    last = record["length"] - 1
    shown = np.linspace(0, last, min(num_frames, last + 1)).round().astype(int).tolist()
    size = {key: record[key] for key in ("height", "width", "video_id")}
    pictures = []
    for t in shown:
        frame = read_frame(record["file_names"][t], image_format="BGR", **size)
        if "annotations" in record:
            frame = draw_ground_truth(frame, record["annotations"][t], class_names)
        pictures.append(frame)
    rows = {f"video {record['video_id']}": pictures}
    return contact_sheet(rows, column_names=[f"frame {t}" for t in shown])


def sample_strip(
    sample: Mapping[str, Any], class_names: Sequence[str], *, image_format: str
) -> np.ndarray:
    """Draw a training sample: each frame after augmentation, the supervised ones with their masks.

    Args:
        sample: as :class:`~rcf_vis.data.ClipDatasetMapper` gives it in training; with ``audio``
            each frame's patch of the spectrogram stands below it, low frequencies at the bottom.
        class_names: by contiguous category.
        image_format: "BGR" or "RGB", ``INPUT.FORMAT``.

    Returns:
        ``(H, W, 3)`` uint8 BGR. A column's name says how far back its frame is, and what the model
        is told about it; its file's name tells where a clip was reversed or a frame repeated.
    """
    pictures = [_picture(image, image_format) for image in sample["image"]]
    references = len(pictures) - len(sample["instances"])
    shown, names = drawable_names(class_names), []
    for place, file_name in enumerate(sample["file_names"]):
        age = len(pictures) - 1 - place
        kind = "target" if age == 0 else f"t-{age}"
        names.append(f"{kind}: {os.path.basename(file_name)}")
    for place, instances in enumerate(sample["instances"], start=references):
        ids = instances.gt_ids.tolist()
        categories = instances.gt_classes.tolist()
        labels = [f"{i} {shown[c]}" for i, c in zip(ids, categories, strict=True)]
        masks = [_enlarge(mask.numpy()) for mask in instances.gt_masks.tensor]
        pictures[place] = draw_masks(pictures[place], masks, ids, labels)
    rows = {f"video {sample['video_id']}": pictures}
    if "audio" in sample:
        rows["audio"] = [_audio(patch, pictures[0].shape) for patch in sample["audio"]]
    return contact_sheet(rows, column_names=names)


def _picture(image: Tensor, image_format: str) -> np.ndarray:
    """``(3, h, w)`` uint8 → ``(h, w, 3)`` uint8 BGR."""
    picture = image.permute(1, 2, 0).numpy()
    return _enlarge(picture if image_format == "BGR" else picture[..., ::-1])


def _enlarge(picture: np.ndarray) -> np.ndarray:
    """Each pixel as often as it takes for labels to be small beside the objects."""
    times = -(-MIN_WIDTH // picture.shape[1])
    return np.ascontiguousarray(picture.repeat(times, axis=0).repeat(times, axis=1))


def _audio(patch: Tensor, shape: tuple[int, ...]) -> np.ndarray:
    """``(η, 64)`` log-mel, time first → a picture of this shape."""
    low, high = AUDIO_RANGE
    values = ((patch.float() - low) / (high - low)).clamp(0, 1)
    colors = matplotlib.colormaps["magma"](torch.flip(values.T, [0]).numpy())[..., 2::-1]
    picture = np.rint(255 * colors).astype(np.uint8)
    return cv2.resize(picture, shape[1::-1], interpolation=cv2.INTER_NEAREST)
