"""From a still image to a clip of it: each frame is the image under a random affine map.

The first stage of training joins YouTube-VIS with still images of COCO (section IV-A). The paper
does not say how a still image becomes a clip. Here, as is usual in the field, each frame is drawn
independently of the others: jitter, no trajectory. Only the motion of the camera is imitated, no
motion of one object against another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from detectron2.config import CfgNode, configurable
from detectron2.data import transforms as T

__all__ = ["AffineTransform", "RandomAffine", "make_pseudo_clip"]


class AffineTransform(T.Transform):
    """An affine map of an image onto a canvas of the same size; black where nothing is known.

    Args:
        matrix: (2, 3) or (3, 3) float, from old to new (x, y) in pixels, where the centre of the
            first pixel is (0.5, 0.5), as in all of Detectron2's transforms.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        super().__init__()
        self.matrix = np.asarray(matrix, dtype=np.float64)[:2]
        # OpenCV puts (0, 0) at the centre of the first pixel
        self._matrix_of_indices = self.matrix.copy()
        self._matrix_of_indices[:, 2] += self.matrix[:, :2].sum(axis=1) / 2 - 0.5

    def apply_image(self, img: np.ndarray) -> np.ndarray:
        """(H, W) or (H, W, C) uint8 or float → the same shape and dtype, bilinear."""
        return self._warp(img, cv2.INTER_LINEAR)

    def apply_segmentation(self, segmentation: np.ndarray) -> np.ndarray:
        """(H, W) uint8 → the same shape and dtype, nearest neighbour."""
        return self._warp(segmentation, cv2.INTER_NEAREST)

    def apply_coords(self, coords: np.ndarray) -> np.ndarray:
        """(N, 2) float (x, y) → (N, 2) float64."""
        return np.asarray(coords, dtype=np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def _warp(self, array: np.ndarray, interpolation: int) -> np.ndarray:
        height, width = array.shape[:2]
        return cv2.warpAffine(array, self._matrix_of_indices, (width, height), flags=interpolation)


class RandomAffine(T.Augmentation):
    """Rotation, scale and shift about the centre, then a crop that is enlarged to the whole frame.

    Random numbers, all uniform, come from numpy's global generator, which Detectron2 seeds in each
    worker.

    Args:
        rotation: largest angle, degrees, either way (``INPUT.PSEUDO_CLIP.ROTATION``).
        scale: least and largest factor (``SCALE``).
        shift: largest shift, as a share of the width and of the height (``SHIFT``).
        crop: least side of the window, as a share of the frame's (``CROP``); the window has the
            frame's proportions and lies inside it. 1 is no crop.

    Raises:
        ValueError: a value is out of its range; the message names the key.
    """

    @configurable
    def __init__(
        self,
        *,
        rotation: float = 15.0,
        scale: Sequence[float] = (0.8, 1.2),
        shift: float = 0.1,
        crop: float = 0.8,
    ) -> None:
        super().__init__()
        for key, value, valid, expected in (
            ("ROTATION", rotation, 0 <= rotation <= 180, "degrees from 0 to 180"),
            (
                "SCALE",
                scale,
                len(scale) == 2 and 0 < scale[0] <= scale[-1] < math.inf,
                "[least, largest], both > 0",
            ),
            ("SHIFT", shift, 0 <= shift < 1, "0 <= SHIFT < 1"),
            ("CROP", crop, 0 < crop <= 1, "0 < CROP <= 1"),
        ):
            if not valid:
                raise ValueError(f"INPUT.PSEUDO_CLIP.{key} is {value}, expected {expected}")
        self.rotation = rotation
        self.scale = scale
        self.shift = shift
        self.crop = crop

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        keys = cfg.INPUT.PSEUDO_CLIP
        return {
            "rotation": keys.ROTATION,
            "scale": keys.SCALE,
            "shift": keys.SHIFT,
            "crop": keys.CROP,
        }

    def get_transform(self, image: np.ndarray) -> AffineTransform:
        """Draw a map for an image (H, W, 3)."""
        size = np.array([image.shape[1], image.shape[0]], dtype=np.float64)
        angle = math.radians(np.random.uniform(-self.rotation, self.rotation))
        scale = np.random.uniform(*self.scale)
        shift = np.random.uniform(-self.shift, self.shift, size=2) * size
        side = np.random.uniform(self.crop, 1)
        corner = np.random.uniform(0, 1 - side, size=2) * size

        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        move = np.array([[cos, sin], [-sin, cos]])  # counter-clockwise, as y points down
        offset = size / 2 + shift - move @ (size / 2)
        return AffineTransform(np.column_stack([move, offset - corner]) / side)


def make_pseudo_clip(
    motion: T.Augmentation,
    image: np.ndarray,
    masks: Sequence[np.ndarray],
    *,
    num_frames: int,
    num_supervised: int = 1,
) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Make a clip of a still image, one draw of ``motion`` a frame.

    Args:
        motion: what is drawn; it must keep the size of the image.
        image: (H, W, 3) uint8.
        masks: the n objects' masks, (H, W) uint8 of 0 and 1.
        num_frames: of the clip, the target included.
        num_supervised: how many of the last frames get masks; 1 = the target alone.

    Returns:
        ``num_frames`` images (H, W, 3) uint8, the last one being the target, and for each of them
        the n masks (H, W) uint8 in the order of ``masks``, or none where they are not asked for.
        A mask is empty where its object was pushed out of the frame.
    """
    moves = [motion.get_transform(image) for _ in range(num_frames)]
    supervised = moves[-num_supervised:]
    frames = [move.apply_image(image) for move in moves]
    warped = [[move.apply_segmentation(mask) for mask in masks] for move in supervised]
    return frames, [[] for _ in range(num_frames - len(supervised))] + warped
