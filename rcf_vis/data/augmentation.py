"""Augmentation of a clip: drawn once, applied to each frame and each mask alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import transforms as T


def build_train_augmentation(cfg: CfgNode) -> list[T.Augmentation]:
    """Crop (``INPUT.CROP``), multi-scale resize (``INPUT.*_TRAIN``), flip, in this order.

    These are Detectron2's own augmentations, keys and order.

    Raises:
        ValueError: ``INPUT.RANDOM_FLIP`` is not one of none, horizontal and vertical.
    """
    augmentations: list[T.Augmentation] = []
    if cfg.INPUT.CROP.ENABLED:
        augmentations.append(T.RandomCrop(cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE))
    augmentations.append(
        T.ResizeShortestEdge(
            cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING
        )
    )
    flip = cfg.INPUT.RANDOM_FLIP
    if flip not in ("none", "horizontal", "vertical"):
        raise ValueError(f"INPUT.RANDOM_FLIP is '{flip}', expected none, horizontal or vertical")
    if flip != "none":
        augmentations.append(
            T.RandomFlip(horizontal=flip == "horizontal", vertical=flip == "vertical")
        )
    return augmentations


def build_test_augmentation(cfg: CfgNode) -> T.Augmentation:
    """The test-time resize to ``INPUT.MIN_SIZE_TEST`` (short side), ``MAX_SIZE_TEST`` (long side).

    Example::

        resize = build_test_augmentation(cfg)
        tensor = frame_to_tensor(resize.get_transform(frame).apply_image(frame))
    """
    return T.ResizeShortestEdge(cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST)


def frame_to_tensor(image: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 array → (3, H, W) uint8 tensor with memory of its own."""
    return torch.from_numpy(np.array(image.transpose(2, 0, 1), order="C"))


def augment_clip(
    augmentations: Sequence[T.Augmentation],
    frames: Sequence[np.ndarray],
    masks: Sequence[Sequence[np.ndarray]],
) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Draw the augmentation once, on the first frame, and apply it to the whole clip.

    Random numbers come from numpy's global generator, which Detectron2 seeds in each worker.

    Args:
        augmentations: Detectron2's augmentations, applied in order.
        frames: arrays (H, W, 3) uint8, all of one size.
        masks: for each frame, arrays (H, W) uint8 of 0 and 1.

    Returns:
        the frames (h, w, 3) and masks (h, w) after the one transform, (h, w) being the same for
        all of them.
    """
    first = T.AugInput(frames[0])
    transform = T.AugmentationList(augmentations)(first)
    images = [first.image, *(transform.apply_image(frame) for frame in frames[1:])]
    return images, [[transform.apply_segmentation(mask) for mask in of] for of in masks]
