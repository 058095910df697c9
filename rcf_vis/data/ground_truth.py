"""The annotated objects of a frame as what the model is trained with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances

from rcf_vis.errors import DatasetError

from .masks import decode_rles

__all__ = ["decode_masks", "ignored_of", "ignored_place", "objects_of", "to_instances"]


def objects_of(record: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """The annotated objects of a frame, without crowds."""
    return [item for item in record["annotations"][index] if not item.get("iscrowd", 0)]


def ignored_of(record: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """Those of categories that are no classes (``DATASETS.IGNORE_CLASSES``)."""
    return [item for item in record["annotations"][index] if item.get("ignore")]


def decode_masks(
    record: dict[str, Any], index: int, objects: list[dict], size: tuple[int, int] | None = None
) -> list[np.ndarray]:
    """Masks (H, W) uint8 of the objects of a frame; (h, w) = ``size`` if given, nearest pixels."""
    rles = [item["segmentation"] for item in objects]
    try:
        return decode_rles(rles, record["height"], record["width"], size)
    except ValueError as error:
        raise DatasetError(
            f"video {record['video_id']}, frame {record['file_names'][index]}: "
            f"a mask of tracks {[item['id'] for item in objects]} cannot be decoded ({error})"
        ) from error


def to_instances(image: np.ndarray, objects: list[dict], masks: list[np.ndarray]) -> Instances:
    """Ground truth of one augmented frame, without what is ignored and what has no pixel."""
    seen = [
        (item, mask)
        for item, mask in zip(objects, masks, strict=True)
        if mask.any() and not item.get("ignore")
    ]
    height, width = image.shape[:2]
    stacked = np.zeros((len(seen), height, width), dtype=bool)
    for row, (_, mask) in zip(stacked, seen, strict=True):
        row[:] = mask
    instances = Instances((height, width))
    instances.gt_classes = torch.tensor([o["category_id"] for o, _ in seen], dtype=torch.int64)
    instances.gt_masks = BitMasks(torch.from_numpy(stacked))
    instances.gt_ids = torch.tensor([o["id"] for o, _ in seen], dtype=torch.int64)
    return instances


def ignored_place(image: np.ndarray, objects: list[dict], masks: list[np.ndarray]) -> torch.Tensor:
    """Bool (h, w), True on what is ignored in one augmented frame."""
    place = np.zeros(image.shape[:2], dtype=bool)
    for item, mask in zip(objects, masks, strict=True):
        if item.get("ignore"):
            place |= mask > 0
    return torch.from_numpy(place)
