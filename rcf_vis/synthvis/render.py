"""Draws a video from its plan: frames, and the exact visible mask of every object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pycocotools.mask as mask_utils

from .camera import Camera, motion_blur
from .occlusion_spec import SynthVISOcclusionSpec
from .plan import plan_video
from .scene import Column, Scene, Track
from .spec import SynthVISSpec
from .textures import background_image, column_sprite, object_sprite

__all__ = ["render_video"]

#: Samples a pixel along each side.
_SUPERSAMPLE = 2

#: How far an object goes to white when it is loudest.
_LIGHTEN = 0.45


@dataclass(frozen=True)
class _Patch:
    """A layer in one frame: uint8 RGBA (h, w, 4), RGB times alpha, at (left, top)."""

    rgba: np.ndarray
    left: int
    top: int

    @property
    def window(self) -> tuple[slice, slice]:
        height, width = self.rgba.shape[:2]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def render_video(
    spec: SynthVISSpec, split: str, index: int
) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """Renders video `index` (from 0) of a split; depends on nothing but the arguments.

    Returns:
        The frames, uint8 (height, width, 3) RGB, and the annotations of the video as the
        json has them, with `video_id` = index + 1 and `id` from 1 on within the video. Objects
        that are never seen have none. In a data set with audio each says whether the object
        `sounds` (bool), in one of occlusions its `depth`, its number from the farthest on.

    Raises:
        ValueError: unknown split, or index outside of it.
    """
    plan = plan_video(spec, split, index)
    painter = _Painter(spec, plan.scene, plan.look_rng)
    camera = Camera(spec, plan.camera_rng)
    frames, visible = [], []
    for t in range(spec.length):
        image, masks = painter.paint(t)
        frames.append(camera(image, t))
        visible.append(masks)
    annotations = []
    for number, track in enumerate(plan.scene.tracks):
        annotation = _annotate(spec, track, [masks[number] for masks in visible])
        if annotation is not None:
            numbers = {"id": len(annotations) + 1, "video_id": index + 1}
            annotations.append({**numbers, **annotation})
            if isinstance(spec, SynthVISOcclusionSpec):
                annotations[-1]["depth"] = number
            if plan.audio is not None:
                annotations[-1]["sounds"] = plan.audio.voices[number] is not None
    return frames, annotations


class _Painter:
    """Holds the sprites of a video and puts them together frame by frame."""

    def __init__(self, spec: SynthVISSpec, scene: Scene, rng: np.random.Generator) -> None:
        self._spec, self._scene = spec, scene
        self._shutter = 1.2 * spec.knob("blur")
        short = min(spec.width, spec.height)
        ground_rng, column_rng, *object_rngs = rng.spawn(2 + len(scene.tracks))
        self._ground, mean = background_image(
            ground_rng, spec.height + 2 * short, spec.width + 2 * short, short
        )
        camouflage = 0.6 * spec.knob("contrast")
        of_twins: dict[int, np.ndarray] = {}
        self._sprites = []
        for track, object_rng in zip(scene.tracks, object_rngs, strict=True):
            sprite = of_twins.get(track.twins) if track.twins is not None else None
            if sprite is None:
                side = int(np.ceil(_SUPERSAMPLE * track.size.max())) + 4
                look = spec.looks[track.category]
                sprite = object_sprite(object_rng, look, side, mean, camouflage)
            if track.twins is not None:
                of_twins[track.twins] = sprite
            self._sprites.append(sprite)
        tall = int(2.5 * spec.height)
        self._columns = [
            column_sprite(column_rng, max(int(_SUPERSAMPLE * column.width), 4), tall, column.wave)
            for column in scene.columns
        ]

    def paint(self, t: int) -> tuple[np.ndarray, list[np.ndarray]]:
        """The clean picture of frame t, uint8 RGB, and the visible masks, bool (h, w) each."""
        scene, spec = self._scene, self._spec
        image = self._paint_ground(t)
        masks = [np.zeros((spec.height, spec.width), bool) for _ in scene.tracks]
        for number, (track, sprite) in enumerate(zip(scene.tracks, self._sprites, strict=True)):
            matrix = _object_matrix(track, t, sprite.shape[0])
            velocity = _velocity(track.centre, t)
            patch = self._place(sprite, matrix, velocity)
            if patch is None:
                continue
            _hide(masks[:number], patch)
            masks[number][patch.window] = patch.rgba[..., 3] > 127
            if track.glow is not None:
                patch = _lighten(patch, _LIGHTEN * float(track.glow[t]))
            self._drop_shadow(image, patch, float(track.size[t]))
            _blend(image, motion_blur(patch.rgba, velocity, self._shutter), patch)
        for column, sprite in zip(scene.columns, self._columns, strict=True):
            matrix = _column_matrix(column, t, sprite.shape, spec.height)
            velocity = np.array([_velocity(column.x[:, None], t)[0], 0.0])
            patch = self._place(sprite, matrix, velocity)
            if patch is not None:
                _hide(masks, patch)
                _blend(image, motion_blur(patch.rgba, velocity, self._shutter), patch)
        return image, masks

    def _paint_ground(self, t: int) -> np.ndarray:
        spec, scene = self._spec, self._scene
        cos, sin = np.cos(scene.roll[t]) / scene.zoom[t], np.sin(scene.roll[t]) / scene.zoom[t]
        linear = np.array([[cos, -sin], [sin, cos]])
        middle = np.array([spec.width - 1, spec.height - 1]) / 2
        target = np.array(self._ground.shape[1::-1]) / 2 + scene.pan[t]
        matrix = np.hstack([linear, (target - linear @ middle)[:, None]])
        view = cv2.warpAffine(
            self._ground,
            matrix,
            (spec.width, spec.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT,
        )
        velocity = _velocity(scene.pan, t)
        reach = int(np.ceil(self._shutter * np.abs(velocity).max())) + 1
        border = cv2.copyMakeBorder(view, *[reach] * 4, cv2.BORDER_REFLECT)
        return motion_blur(border, velocity, self._shutter)[reach:-reach, reach:-reach].copy()

    def _place(self, sprite: np.ndarray, matrix: np.ndarray, velocity: np.ndarray) -> _Patch | None:
        """Warps a sprite into the part of the frame that it covers; None outside the frame.

        Args:
            matrix: (2, 3), from coordinates of the sprite to those of the frame; both have
                pixel 0 at 0 to 1.
        """
        height, width = sprite.shape[:2]
        corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
        reach = 2 + self._shutter * np.abs(velocity)
        low = np.maximum(np.floor(corners.min(axis=1) - reach), 0).astype(int)
        frame = [self._spec.width, self._spec.height]
        high = np.minimum(np.ceil(corners.max(axis=1) + reach), frame).astype(int)
        if (high - low < 1).any():
            return None
        fine = matrix.copy()
        fine[:, 2] -= low
        fine *= _SUPERSAMPLE
        fine[:, 2] += 0.5 * fine[:, :2].sum(axis=1) - 0.5
        size = high - low
        samples = cv2.warpAffine(sprite, fine, tuple(int(n) for n in size * _SUPERSAMPLE))
        rgba = cv2.resize(samples, tuple(int(n) for n in size), interpolation=cv2.INTER_AREA)
        return _Patch(rgba, int(low[0]), int(low[1]))

    def _drop_shadow(self, image: np.ndarray, patch: _Patch, size: float) -> None:
        """Darkens what lies below and to the right of a patch."""
        shift = max(int(round(0.06 * size)), 1)
        top, left = patch.top + shift, patch.left + shift
        view = image[top : top + patch.rgba.shape[0], left : left + patch.rgba.shape[1]]
        if view.size == 0:
            return
        alpha = cv2.GaussianBlur(patch.rgba[..., 3], (0, 0), 0.05 * size + 0.5)
        light = 256 - (alpha[: view.shape[0], : view.shape[1], None].astype(np.uint16) * 90 >> 8)
        view[:] = view * light >> 8


def _velocity(path: np.ndarray, t: int) -> np.ndarray:
    """Pixels a frame at frame t, by central differences."""
    before, after = max(t - 1, 0), min(t + 1, len(path) - 1)
    return (path[after] - path[before]) / max(after - before, 1)


def _object_matrix(track: Track, t: int, side: int) -> np.ndarray:
    cos, sin = np.cos(track.angle[t]), np.sin(track.angle[t])
    scale = track.size[t] / side * np.diag([1.0, track.tilt[t]])
    linear = np.array([[cos, -sin], [sin, cos]]) @ scale
    return np.hstack([linear, (track.centre[t] - linear @ [side / 2, side / 2])[:, None]])


def _column_matrix(column: Column, t: int, shape: tuple[int, ...], height: int) -> np.ndarray:
    cos, sin = np.cos(column.lean), np.sin(column.lean)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([column.width / shape[1], 1.0])
    middle = np.array([column.x[t], height / 2])
    return np.hstack([linear, (middle - linear @ [shape[1] / 2, shape[0] / 2])[:, None]])


def _hide(masks: list[np.ndarray], patch: _Patch) -> None:
    free = patch.rgba[..., 3] <= 127
    for mask in masks:
        mask[patch.window] &= free


def _lighten(patch: _Patch, share: float) -> _Patch:
    """The patch with its colours that far on the way to white."""
    rgba = patch.rgba.astype(np.float32)
    rgba[..., :3] += share * (rgba[..., 3:] - rgba[..., :3])
    return replace(patch, rgba=np.round(rgba).astype(np.uint8))


def _blend(image: np.ndarray, rgba: np.ndarray, patch: _Patch) -> None:
    view = image[patch.window]
    rest = 255 - rgba[..., 3:].astype(np.uint16)
    view[:] = np.minimum(rgba[..., :3] + (view * rest + 127) // 255, 255)


def _annotate(spec: SynthVISSpec, track: Track, masks: list[np.ndarray]) -> dict[str, Any] | None:
    """The annotation of one object without ids, or None if it is never seen."""
    segmentations: list[dict[str, Any] | None] = []
    boxes: list[list[float] | None] = []
    areas: list[int | None] = []
    for mask in masks:
        if np.count_nonzero(mask) < spec.min_pixels:
            segmentations.append(None)
            boxes.append(None)
            areas.append(None)
            continue
        rle = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
        boxes.append([float(v) for v in mask_utils.toBbox(rle)])
        areas.append(int(mask_utils.area(rle)))
        segmentations.append({"size": list(mask.shape), "counts": rle["counts"].decode("ascii")})
    if all(area is None for area in areas):
        return None
    return {
        "category_id": spec.categories[track.category]["id"],
        "iscrowd": 0,
        "height": spec.height,
        "width": spec.width,
        "length": spec.length,
        "segmentations": segmentations,
        "bboxes": boxes,
        "areas": areas,
    }
