"""Copy-paste for clips: objects of other images move through a clip, over or behind its own.

Still images alone teach no motion of one object against another, no occlusion and no crossing.
Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation"
(CVPR 2021), made temporal [ours]: each pasted object has a path of its own through the frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from detectron2.config import CfgNode, configurable

from .cut_outs import CutOut, CutOutSource

__all__ = ["CopyPaste", "Pasted", "paste"]

_Objects = list[dict[str, Any]]
_Masks = list[np.ndarray]


@dataclass(frozen=True, eq=False)
class Pasted:
    """A cut-out and its way through a clip.

    Attributes:
        cut_out: what is pasted.
        moves: a frame each, (2, 3) float, from pixels of the cut-out to those of the frame; the
            centre of the first pixel is (0.5, 0.5).
        behind: the clip's own objects hide it.
    """

    cut_out: CutOut
    moves: Sequence[np.ndarray]
    behind: bool = False


def paste(
    frames: Sequence[np.ndarray],
    masks: Sequence[Sequence[np.ndarray]],
    pasted: Sequence[Pasted],
    min_visible: float = 0.0,
) -> tuple[list[np.ndarray], list[_Masks]]:
    """Paste objects into a clip. Later ones hide earlier ones, and all but those behind the clip's.

    Args:
        frames: (H, W, 3) uint8; not changed.
        masks: of each frame, (H, W) uint8 of 0 and 1 of the clip's own objects.
        pasted: the objects, those behind first.
        min_visible: of whatever less than this share is visible, the mask is empty: of a pasted
            object's whole area, of the area that the clip's own had before.

    Returns:
        new frames and, for each of them, the masks of what is visible: the clip's own objects,
        then the pasted ones.
    """
    new_frames, new_masks = [], []
    for k, (frame, own) in enumerate(zip(frames, masks, strict=True)):
        image, visible = frame.copy(), [mask.copy() for mask in own]
        areas = [float(mask.sum()) for mask in own]
        union = np.zeros(frame.shape[:2], np.uint8)
        for mask in own:
            np.maximum(union, mask, out=union)
        # Feathered as what is pasted over it is, to leave no hard edge in front of it
        in_front = cv2.blur(union * np.uint8(255), (3, 3))
        for item in pasted:
            mask, area = _paste_one(image, item, item.moves[k], in_front, union)
            for below in visible if not item.behind else visible[len(own) :]:
                below[mask > 0] = 0
            visible.append(mask)
            areas.append(area)
        for mask, area in zip(visible, areas, strict=True):
            if mask.sum() < min_visible * area:
                mask[:] = 0
        new_frames.append(image)
        new_masks.append(visible)
    return new_frames, new_masks


def _paste_one(
    image: np.ndarray, item: Pasted, move: np.ndarray, in_front: np.ndarray, union: np.ndarray
) -> tuple[np.ndarray, float]:
    """Paste into ``image`` (in place); the visible mask (H, W) and the whole area in pixels."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    cut_image, alpha = item.cut_out.image, item.cut_out.alpha
    area = float((alpha >= 128).sum()) * abs(float(np.linalg.det(move[:, :2])))
    h, w = alpha.shape
    corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ move[:, :2].T + move[:, 2]
    (x0, y0), (x1, y1) = np.floor(corners.min(0)), np.ceil(corners.max(0))
    x0, x1 = (int(np.clip(x, 0, width)) for x in (x0, x1))
    y0, y1 = (int(np.clip(y, 0, height)) for y in (y0, y1))
    if x0 >= x1 or y0 >= y1:
        return mask, area
    matrix = move.copy()
    matrix[:, 2] += move[:, :2].sum(axis=1) / 2 - 0.5 - (x0, y0)  # OpenCV's pixels start at 0
    size = (x1 - x0, y1 - y0)
    colours = cv2.warpAffine(cut_image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, matrix, size)
    box = np.s_[y0:y1, x0:x1]
    mask[box] = weight >= 128
    if item.behind:
        mask[box] &= 1 - union[box]
        weight = (weight.astype(np.uint16) * (255 - in_front[box]) // 255).astype(np.uint8)
    share = weight[..., None].astype(np.float32) / 255
    image[box] = np.rint(colours * share + image[box] * (1 - share)).astype(np.uint8)
    return mask, area


class CopyPaste:
    """Draws what is pasted into a clip, once a clip.

    Random numbers come from numpy's global generator, which Detectron2 seeds in each worker.

    Args:
        prob: share of the clips that get objects (``INPUT.COPY_PASTE.PROB``).
        num_objects: least and largest number of them (``NUM_OBJECTS``).
        size: least and largest share of the frame that an object fills, along the side where it
            fills more (``SIZE``).
        same_class: share of the objects that stand beside one of the clip's, of its class and about
            its size (``SAME_CLASS``).
        behind: share of the objects that the clip's own hide (``BEHIND``).
        motion: largest way in a frame, as a share of the object's size (``MOTION``).
        rotation: largest turn in a frame, degrees (``ROTATION``).
        growth: largest change of size in a frame, as a share (``GROWTH``).
        min_visible: see :func:`paste` (``MIN_VISIBLE``).
        min_area: see :class:`~rcf_vis.data.cut_outs.CutOutSource` (``MIN_AREA``).
        flip: turn half of the objects left to right (``INPUT.RANDOM_FLIP`` "horizontal").
        image_format: ``"BGR"`` or ``"RGB"``.

    Raises:
        ValueError: a value is out of its range; the message names the key.
    """

    @configurable
    def __init__(
        self,
        *,
        prob: float = 0.65,
        num_objects: Sequence[int] = (1, 4),
        size: Sequence[float] = (0.25, 1.0),
        same_class: float = 0.5,
        behind: float = 0.3,
        motion: float = 0.12,
        rotation: float = 3.0,
        growth: float = 0.04,
        min_visible: float = 0.12,
        min_area: float = 0.03,
        flip: bool = True,
        image_format: str = "BGR",
    ) -> None:
        for key, value in (
            ("PROB", prob),
            ("SAME_CLASS", same_class),
            ("BEHIND", behind),
            ("MIN_VISIBLE", min_visible),
            ("MIN_AREA", min_area),
        ):
            _check(key, value, 0 <= value <= 1, "0 to 1")
        low, high = num_objects
        _check("NUM_OBJECTS", num_objects, 1 <= low <= high, "[least, largest], at least 1")
        _check("SIZE", size, 0 < size[0] <= size[1] < math.inf, "[least, largest], over 0")
        _check("MOTION", motion, 0 <= motion < math.inf, "0 or more")
        _check("ROTATION", rotation, 0 <= rotation <= 180, "degrees from 0 to 180")
        _check("GROWTH", growth, 0 <= growth < 1, "0 <= GROWTH < 1")
        self.prob = prob
        self.num_objects = num_objects
        self.size = size
        self.same_class = same_class
        self.behind = behind
        self.motion = motion
        self.rotation = rotation
        self.growth = growth
        self.min_visible = min_visible
        self.min_area = min_area
        self.flip = flip
        self.image_format = image_format
        self.source: CutOutSource | None = None

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        keys = cfg.INPUT.COPY_PASTE
        return {
            **{key.lower(): keys[key] for key in keys if key != "ENABLED"},
            "flip": cfg.INPUT.RANDOM_FLIP == "horizontal",
            "image_format": cfg.INPUT.FORMAT,
        }

    def collect(self, records: Iterable[dict[str, Any]]) -> None:
        """Take the objects of the training sets. The loader calls it before the first clip."""
        self.source = CutOutSource(records, min_area=self.min_area, image_format=self.image_format)

    def draws(self) -> bool:
        """Whether the next clip gets objects."""
        return np.random.rand() < self.prob

    def __call__(
        self,
        frames: Sequence[np.ndarray],
        objects: Sequence[_Objects],
        masks: Sequence[_Masks],
        not_of: Sequence[str],
    ) -> tuple[list[np.ndarray], list[_Objects], list[_Masks]]:
        """Paste a few objects.

        Args:
            frames: (H, W, 3) uint8, in the order of time.
            objects: of each frame, dicts with ``id`` and ``category_id``.
            masks: of each frame, those objects' (H, W) uint8.
            not_of: the files that the clip was made of.

        Returns:
            new frames, objects and masks; the pasted objects have ids above those that are there.
        """
        if self.source is None:
            raise RuntimeError("CopyPaste.collect was not called: there is nothing to paste")
        drawn = [
            self._draw(frames, objects, masks, not_of)
            for _ in range(np.random.randint(self.num_objects[0], self.num_objects[1] + 1))
        ]
        pasted = sorted(filter(None, drawn), key=lambda item: not item.behind)
        new_frames, new_masks = paste(frames, masks, pasted, self.min_visible)
        first = 1 + max((item["id"] for of in objects for item in of), default=0)
        added = [
            {"id": first + k, "category_id": item.cut_out.category_id}
            for k, item in enumerate(pasted)
        ]
        return new_frames, [[*of, *added] for of in objects], new_masks

    def _draw(
        self,
        frames: Sequence[np.ndarray],
        objects: Sequence[_Objects],
        masks: Sequence[_Masks],
        not_of: Sequence[str],
    ) -> Pasted | None:
        """A cut-out and its path: where it is in one frame, and how it moves from there."""
        anchor = np.random.randint(len(frames))
        neighbour = None
        if np.random.rand() < self.same_class:
            there = [
                (item["category_id"], mask)
                for item, mask in zip(objects[anchor], masks[anchor], strict=True)
                if not item.get("ignore") and mask.any()
            ]
            neighbour = there[np.random.randint(len(there))] if there else None
        cut_out = self.source.draw(neighbour[0] if neighbour else None, not_of)
        if cut_out is None:
            return None
        if neighbour:
            scale, centre = self._beside(cut_out, neighbour[1])
        else:
            scale, centre = self._anywhere(cut_out, frames[anchor].shape)
        moves = self._moves(cut_out, scale, centre, len(frames), anchor)
        return Pasted(cut_out, moves, behind=np.random.rand() < self.behind)

    def _anywhere(self, cut_out: CutOut, shape: Sequence[int]) -> tuple[float, np.ndarray]:
        sides = np.array(shape[1::-1], dtype=float)
        fit = (sides / cut_out.alpha.shape[::-1]).min()
        return np.random.uniform(*self.size) * fit, np.random.uniform(0, 1, size=2) * sides

    def _beside(self, cut_out: CutOut, mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Left or right of an object, on its ground, touching it, apart, or half over it."""
        x, y, w, h = cv2.boundingRect(mask)
        scale = h / cut_out.alpha.shape[0] * np.random.uniform(0.8, 1.25)
        height, width = np.array(cut_out.alpha.shape) * scale
        side = np.random.choice((-1, 1)) * np.random.uniform(0.35, 1.1) * (w + width) / 2
        ground = y + h + np.random.uniform(-0.1, 0.1) * h
        limits = np.array(mask.shape[::-1], dtype=float)
        return scale, np.clip([x + w / 2 + side, ground - height / 2], 0, limits)

    def _moves(
        self, cut_out: CutOut, scale: float, centre: np.ndarray, num_frames: int, anchor: int
    ) -> list[np.ndarray]:
        height, width = cut_out.alpha.shape
        heading = np.random.uniform(0, 2 * math.pi)
        way = np.random.uniform(0, self.motion) * math.sqrt(height * width) * scale
        velocity = way * np.array([math.cos(heading), math.sin(heading)])
        turn = math.radians(np.random.uniform(-self.rotation, self.rotation))
        growth = 1 + np.random.uniform(-self.growth, self.growth)
        mirror = -1 if self.flip and np.random.rand() < 0.5 else 1
        moves = []
        for time in range(-anchor, num_frames - anchor):
            factor = scale * growth**time
            cos, sin = factor * math.cos(turn * time), factor * math.sin(turn * time)
            linear = np.array([[cos * mirror, sin], [-sin * mirror, cos]])
            place = centre + velocity * time
            moves.append(np.column_stack([linear, place - linear @ (width / 2, height / 2)]))
        return moves


def _check(key: str, value: Any, valid: bool, expected: str) -> None:
    if not valid:
        raise ValueError(f"INPUT.COPY_PASTE.{key} is {value}, expected {expected}")
