"""The categories: the outline of each, in the square from -1 to 1.

A category is told by its shape and its texture (`textures.py`), never by its colour.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

__all__ = ["CATEGORIES", "Outline", "draw_shape", "reach"]

Outline = list[np.ndarray]


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _regular(corners: int, radius: float) -> np.ndarray:
    angle = 2 * np.pi * np.arange(corners) / corners - np.pi / 2
    return _polar(np.full(corners, radius), angle)


def _disc() -> Outline:
    return [_regular(120, 0.86)]


def _square() -> Outline:
    return [0.76 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)]


def _triangle() -> Outline:
    return [_regular(3, 1.0) + np.array([0.0, 0.16])]


def _star() -> Outline:
    angle = np.pi * np.arange(10) / 5 - np.pi / 2
    return [_polar(np.where(np.arange(10) % 2 == 0, 1.0, 0.43), angle)]


def _cross() -> Outline:
    a, b = 0.34, 0.95
    corners = [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a)]
    return [np.array(corners + [(-x, -y) for x, y in corners], dtype=float)]


def _crescent() -> Outline:
    # The outer arc ends where the inner circle (centre 0.5, radius 0.78) cuts it.
    cut = np.arccos((0.5**2 + 0.95**2 - 0.78**2) / (2 * 0.5 * 0.95))
    outer = _polar(np.full(80, 0.95), np.linspace(cut, 2 * np.pi - cut, 80))
    tip = np.arctan2(outer[0, 1], outer[0, 0] - 0.5)
    inner = _polar(np.full(60, 0.78), np.linspace(-tip, tip - 2 * np.pi, 60)) + [0.5, 0.0]
    return [np.concatenate([outer, inner]) + [0.25, 0.0]]


def _hexagon() -> Outline:
    return [_regular(6, 0.93)]


def _arrow() -> Outline:
    half = [(-0.95, -0.27), (0.05, -0.27), (0.05, -0.72), (0.98, 0.0)]
    return [np.array(half + [(x, -y) for x, y in half[-2::-1]], dtype=float)]


def _gear() -> Outline:
    teeth = 8
    corner = np.array([-0.34, -0.2, 0.2, 0.34])[None] + np.arange(teeth)[:, None]
    radius = np.tile([0.7, 0.98, 0.98, 0.7], teeth)
    return [_polar(radius, 2 * np.pi * corner.reshape(-1) / teeth), _regular(48, 0.27)]


def _leaf() -> Outline:
    x = np.linspace(-1, 1, 60)
    y = 0.52 * np.sin(np.pi * ((x + 1) / 2) ** 0.8)
    return [np.concatenate([np.stack([x, y], 1), np.stack([x, -y], 1)[::-1]])]


_OUTLINES: dict[str, Callable[[], Outline]] = {
    "disc": _disc,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "cross": _cross,
    "crescent": _crescent,
    "hexagon": _hexagon,
    "arrow": _arrow,
    "gear": _gear,
    "leaf": _leaf,
}

#: The categories as the json lists them, ids from 1 on.
CATEGORIES = [{"id": i, "name": name} for i, name in enumerate(_OUTLINES, start=1)]


def draw_shape(name: str, side: int) -> np.ndarray:
    """The coverage of a category's shape on a square of `side` pixels.

    Returns:
        uint8 (side, side), 0 outside and 255 inside, anti-aliased; one pixel is left at the rim.
    """
    fine = 2 * side
    polygons = []
    for outline in _OUTLINES[name]():
        points = (outline * (1 - 4 / side) + 1) * (fine / 2) - 0.5
        polygons.append(np.round(points * 256).astype(np.int32))
    image = np.zeros((fine, fine), np.uint8)
    cv2.fillPoly(image, polygons, 255, lineType=cv2.LINE_8, shift=8)
    return cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)


def reach(name: str, angle: float, tilt: float) -> tuple[float, float]:
    """How far a category's shape extends to the left and to the right of its centre.

    Args:
        angle: its rotation in radians.
        tilt: by how much its own y axis is shorter.

    Returns:
        Shares of half the side of the square that it is drawn in.
    """
    points = np.concatenate(_OUTLINES[name]())
    x = np.cos(angle) * points[:, 0] - np.sin(angle) * tilt * points[:, 1]
    return float(-x.min()), float(x.max())
