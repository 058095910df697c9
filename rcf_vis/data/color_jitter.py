"""Colours of a clip: drawn once, so that an object has the same colour in all of its frames.

A drawn colour change is a function of the pixel alone, the same function for each frame: equal
pixels stay equal, wherever in the clip they are.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from detectron2.config import CfgNode
from detectron2.data import transforms as T

__all__ = ["RandomClipSaturation", "build_color_jitter"]

_LUMA_RGB = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def build_color_jitter(cfg: CfgNode) -> list[T.Augmentation]:
    """Brightness, contrast, saturation, lighting (``INPUT.COLOR_JITTER``), those that are not 0.

    Contrast pulls each pixel towards, or away from, the mean value of the frame that it is drawn
    on, the first of the clip; that one value holds for the whole clip.

    Raises:
        ValueError: a strength is out of its range.
    """
    jitter = cfg.INPUT.COLOR_JITTER
    for key in ("BRIGHTNESS", "CONTRAST", "SATURATION"):
        if not 0 <= jitter[key] <= 1:
            raise ValueError(f"INPUT.COLOR_JITTER.{key} is {jitter[key]}, expected 0 to 1")
    if jitter.LIGHTING < 0:
        raise ValueError(f"INPUT.COLOR_JITTER.LIGHTING is {jitter.LIGHTING}, expected 0 or more")
    augmentations: list[T.Augmentation] = []
    if jitter.BRIGHTNESS:
        augmentations.append(T.RandomBrightness(1 - jitter.BRIGHTNESS, 1 + jitter.BRIGHTNESS))
    if jitter.CONTRAST:
        augmentations.append(T.RandomContrast(1 - jitter.CONTRAST, 1 + jitter.CONTRAST))
    if jitter.SATURATION:
        augmentations.append(
            RandomClipSaturation(
                intensity_min=1 - jitter.SATURATION,
                intensity_max=1 + jitter.SATURATION,
                image_format=cfg.INPUT.FORMAT,
            )
        )
    if jitter.LIGHTING:
        augmentations.append(_build_lighting(jitter.LIGHTING, cfg.INPUT.FORMAT))
    return augmentations


class RandomClipSaturation(T.Augmentation):
    """Saturation by one factor for all frames, each blended with its own grey picture.

    Detectron2's ``RandomSaturation`` keeps the grey picture of the frame that it was drawn on:
    applied to the other frames of a clip, it would leave a ghost of the first in all of them.

    Args:
        intensity_min, intensity_max: the factor is drawn from here; 0 is grey, 1 changes nothing.
        image_format: ``"RGB"`` or ``"BGR"``, the order of the channels.
    """

    def __init__(
        self, *, intensity_min: float, intensity_max: float, image_format: str = "RGB"
    ) -> None:
        super().__init__()
        self.intensity_min = intensity_min
        self.intensity_max = intensity_max
        self.image_format = image_format

    def get_transform(self, image: np.ndarray) -> T.Transform:
        factor = self._rand_range(self.intensity_min, self.intensity_max)
        luma = _LUMA_RGB if self.image_format == "RGB" else _LUMA_RGB[::-1]
        return T.ColorTransform(partial(_saturate, factor=factor, luma=luma))


def _saturate(image: np.ndarray, *, factor: float, luma: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → the same, blended with its own grey picture."""
    grey = (image.astype(np.float32) @ luma)[..., np.newaxis]
    return T.BlendTransform(grey, src_weight=1 - factor, dst_weight=factor).apply_image(image)


def _build_lighting(std: float, image_format: str) -> T.Augmentation:
    """AlexNet's PCA lighting, whose numbers are of RGB colours in 0 to 1, for those in 0 to 255."""
    lighting = T.RandomLighting(255.0 * std)
    if image_format == "BGR":
        lighting.eigen_vecs = lighting.eigen_vecs[::-1]
    return lighting
