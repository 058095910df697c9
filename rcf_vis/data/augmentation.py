"""Augmentation of a clip: drawn once, applied to each frame and each mask alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import transforms as T

from .color_jitter import build_color_jitter

__all__ = ["augment_clip", "build_test_augmentation", "build_train_augmentation", "frame_to_tensor"]


def build_train_augmentation(cfg: CfgNode) -> list[T.Augmentation]:
    """What ``INPUT`` asks for: crop, resize or large-scale jitter, flip, colours, rotation.

    In this order, and with Detectron2's own augmentations and keys where it has them. With the
    default keys it is the multi-scale resize and the flip.

    Raises:
        ValueError: a key has a value that it cannot have, or contradicts another key.
    """
    return [
        *_build_crop(cfg),
        *(_build_large_scale_jitter(cfg) if cfg.INPUT.LSJ.ENABLED else _build_resize(cfg)),
        *_build_flip(cfg),
        *build_color_jitter(cfg),
        *_build_rotation(cfg),
    ]


def _build_crop(cfg: CfgNode) -> list[T.Augmentation]:
    """Detectron2's crop, or DETR's recipe: resize, then crop, in a share ``PROB`` of the clips."""
    crop = cfg.INPUT.CROP
    if not crop.ENABLED:
        return []
    if cfg.INPUT.LSJ.ENABLED:
        raise ValueError("INPUT.CROP.ENABLED and INPUT.LSJ.ENABLED: LSJ crops; expected one of two")
    if crop.TYPE not in ("relative_range", "relative", "absolute", "absolute_range"):
        raise ValueError(
            f"INPUT.CROP.TYPE is '{crop.TYPE}', expected relative_range, relative, absolute or "
            "absolute_range"
        )
    sizes = list(crop.SIZE)
    if crop.TYPE.startswith("relative"):
        valid, expected = all(0 < size <= 1 for size in sizes), "[h, w], each over 0 and up to 1"
    else:
        valid = all(isinstance(size, int) and size > 0 for size in sizes)
        expected = "[h, w] in pixels"
    if crop.TYPE == "absolute_range":
        valid, expected = valid and sizes == sorted(sizes), "[smallest, largest] side in pixels"
    if len(sizes) != 2 or not valid:
        raise ValueError(
            f"INPUT.CROP.SIZE is {sizes}; for the TYPE '{crop.TYPE}' expected {expected}"
        )
    if not 0 < crop.PROB <= 1:
        raise ValueError(f"INPUT.CROP.PROB is {crop.PROB}, expected over 0 and up to 1")
    steps: list[T.Augmentation] = [T.RandomCrop(crop.TYPE, crop.SIZE)]
    if crop.MIN_SIZE:
        _check_sides("INPUT.CROP.MIN_SIZE", crop.MIN_SIZE)
        steps.insert(0, T.ResizeShortestEdge(crop.MIN_SIZE, sample_style="choice"))
    return steps if crop.PROB == 1 else [T.RandomApply(T.AugmentationList(steps), crop.PROB)]


def _build_resize(cfg: CfgNode) -> list[T.Augmentation]:
    sides, style = cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING
    if style not in ("choice", "range"):
        raise ValueError(f"INPUT.MIN_SIZE_TRAIN_SAMPLING is '{style}', expected choice or range")
    sides = (sides,) if isinstance(sides, int) else sides
    _check_sides("INPUT.MIN_SIZE_TRAIN", sides, smallest=0)  # 0: the size of the frame stays
    if style == "range" and (len(sides) != 2 or sides[0] > sides[1]):
        raise ValueError(
            f"INPUT.MIN_SIZE_TRAIN is {sides}; with INPUT.MIN_SIZE_TRAIN_SAMPLING 'range' expected "
            "(smallest, largest)"
        )
    return [T.ResizeShortestEdge(sides, cfg.INPUT.MAX_SIZE_TRAIN, style)]


def _build_large_scale_jitter(cfg: CfgNode) -> list[T.Augmentation]:
    """Scale by a factor from a wide range, then crop to ``SIZE`` what is larger.

    A picture that is smaller is not filled up to ``SIZE`` here. Pixels that are added here would
    count as image; those that the model adds to make a batch do not (they are masked out).
    """
    lsj = cfg.INPUT.LSJ
    if not 0 < lsj.MIN_SCALE <= lsj.MAX_SCALE:
        raise ValueError(
            f"INPUT.LSJ.MIN_SCALE is {lsj.MIN_SCALE} and INPUT.LSJ.MAX_SCALE {lsj.MAX_SCALE}, "
            "expected 0 < MIN_SCALE <= MAX_SCALE"
        )
    _check_sides("INPUT.LSJ.SIZE", lsj.SIZE)
    if len(lsj.SIZE) != 2:
        raise ValueError(f"INPUT.LSJ.SIZE is {lsj.SIZE}, expected (height, width)")
    height, width = lsj.SIZE
    return [
        T.ResizeScale(lsj.MIN_SCALE, lsj.MAX_SCALE, height, width),
        T.FixedSizeCrop((height, width), pad=False),
    ]


def _build_flip(cfg: CfgNode) -> list[T.Augmentation]:
    flip = cfg.INPUT.RANDOM_FLIP
    if flip not in ("none", "horizontal", "vertical"):
        raise ValueError(f"INPUT.RANDOM_FLIP is '{flip}', expected none, horizontal or vertical")
    if flip == "none":
        return []
    return [T.RandomFlip(horizontal=flip == "horizontal", vertical=flip == "vertical")]


def _build_rotation(cfg: CfgNode) -> list[T.Augmentation]:
    """Rotation about the centre; the size stays, and what turns in from outside is black."""
    angle = cfg.INPUT.ROTATION
    if not 0 <= angle <= 180:
        raise ValueError(f"INPUT.ROTATION is {angle}, expected 0 to 180 degrees")
    return [T.RandomRotation([-angle, angle], expand=False)] if angle else []


def _check_sides(key: str, sides: Sequence[int], smallest: int = 1) -> None:
    if not sides or not all(isinstance(side, int) and side >= smallest for side in sides):
        raise ValueError(f"{key} is {sides}, expected sides in pixels, each at least {smallest}")


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
        augmentations: Detectron2's augmentations, applied in order. What they draw must hold for
            any frame: not so ``T.RandomSaturation``, whose transform keeps the first frame's grey
            picture; use :class:`~rcf_vis.data.color_jitter.RandomClipSaturation`.
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
