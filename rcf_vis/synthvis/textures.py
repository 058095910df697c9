"""Colours and textures: of the objects, one texture a category, and of the background."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

from .shapes import draw_shape

__all__ = [
    "COLUMN_SHARE",
    "Texture",
    "background_image",
    "column_sprite",
    "object_sprite",
    "random_colour",
    "value_noise",
]

#: Width of a trunk as a share of its sprite's.
COLUMN_SHARE = 0.85

Texture = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]


def _soft(wave: np.ndarray) -> np.ndarray:
    """A wave in [-1, 1] to a steep but smooth step in [0, 1]."""
    return np.clip(0.5 + 1.6 * wave, 0, 1)


def _rings(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _soft(np.cos(np.hypot(x, y) * rng.uniform(13, 16)))


def _stripes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _soft(np.sin(x * rng.uniform(10, 14)))


def _dots(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pitch = rng.uniform(8.5, 10.5)
    return _soft(np.cos(x * pitch) + np.cos(y * pitch) - 0.7)


def _facets(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _soft(3 * np.sin(5 * (np.arctan2(y, x) + np.pi / 2)))


def _border(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    arm = np.minimum(np.abs(x), np.abs(y))
    return _soft((arm - rng.uniform(0.13, 0.18)) * 12)


def _speckles(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    cells = rng.uniform(-1, 1, (12, 12)).astype(np.float32)
    return _soft(3 * cv2.resize(cells, x.shape[::-1], interpolation=cv2.INTER_LINEAR))


def _checks(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    pitch = rng.uniform(7.5, 9.5)
    return _soft(4 * np.sin(x * pitch) * np.sin(y * pitch))


def _chevrons(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _soft(np.sin((x + np.abs(y)) * rng.uniform(11, 14)))


def _spokes(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    rim = (np.hypot(x, y) - 0.66) * 12
    return _soft(np.maximum(rim, 2 * np.sin(8 * np.arctan2(y, x) + np.pi / 2) - 0.8))


def _veins(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    ribs = np.sin((x - 0.9 * np.abs(y)) * rng.uniform(13, 17)) - 0.45
    return _soft(np.maximum(ribs, (0.07 - np.abs(y)) * 20))


_TEXTURES: dict[str, Texture] = {
    "disc": _rings,
    "square": _stripes,
    "triangle": _dots,
    "star": _facets,
    "cross": _border,
    "crescent": _speckles,
    "hexagon": _checks,
    "arrow": _chevrons,
    "gear": _spokes,
    "leaf": _veins,
}


#: Category → its usual hue, in [0, 1): as animals do, a category has a colour, but with a spread
#: in which its neighbours overlap.
_HUES = {name: number / len(_TEXTURES) for number, name in enumerate(_TEXTURES)}
_HUE_SPREAD = 0.06


def random_colour(
    rng: np.random.Generator, low: float, high: float, hue: float | None = None
) -> np.ndarray:
    """An RGB colour, float32 (3,) in [0, 255], with its value (of HSV) between `low` and `high`.

    Without a `hue`, any is as likely.
    """
    hue = rng.uniform() if hue is None else hue % 1.0
    saturation, value = rng.uniform(0.25, 0.95), rng.uniform(low, high)
    return 255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value), np.float32)


def value_noise(rng: np.random.Generator, height: int, width: int, cell: float) -> np.ndarray:
    """Five octaves of smoothed random values, the coarsest `cell` pixels wide.

    Returns:
        float32 (height, width), stretched to [0, 1].
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(5):
        step = max(cell / 2**octave, 1.0)
        shape = int(height / step) + 3, int(width / step) + 3
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        shift = np.array([[1 / step, 0, 0.5], [0, 1 / step, 0.5]], np.float64)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        total += 0.55**octave * cv2.warpAffine(grid, shift, (width, height), flags=flags)
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def background_image(
    rng: np.random.Generator, height: int, width: int, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """A landscape of three colours, patches and grain.

    Args:
        unit: the short side of a frame in pixels, which the size of the structures goes with.

    Returns:
        uint8 (height, width, 3) RGB, and its mean colour, float32 (3,).
    """
    ground = value_noise(rng, height, width, unit * rng.uniform(0.25, 0.6))
    patches = value_noise(rng, height, width, unit * rng.uniform(0.12, 0.3))
    colours = [random_colour(rng, 0.15, 0.85) for _ in range(3)]
    blend = _soft(3 * (ground - 0.5))[..., None]
    image = colours[0] * (1 - blend) + colours[1] * blend
    patch = np.clip((patches - rng.uniform(0.5, 0.65)) * 12, 0, 1)[..., None]
    image = image + patch * 0.8 * (colours[2] - image)
    image = image * (0.65 + 0.7 * patches[..., None])
    image = np.clip(image, 0, 255).astype(np.uint8)
    return image, image.reshape(-1, 3).mean(axis=0).astype(np.float32)


def _premultiply(colour: np.ndarray, coverage: np.ndarray) -> np.ndarray:
    alpha = coverage.astype(np.float32)[..., None]
    rgba = np.concatenate([np.clip(colour, 0, 255) * (alpha / 255), alpha], axis=2)
    return np.round(rgba).astype(np.uint8)


def object_sprite(
    rng: np.random.Generator, name: str, side: int, surroundings: np.ndarray, camouflage: float
) -> np.ndarray:
    """Shape, texture, colours (the light one of the category's hue) and shading of an instance.

    Args:
        side: pixels along each side of the sprite.
        surroundings: mean colour of the background, float32 (3,).
        camouflage: how far the colours go to `surroundings`, in [0, 1].

    Returns:
        uint8 (side, side, 4), RGB multiplied by alpha, and alpha.
    """
    coverage = draw_shape(name, side)
    axis = ((np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    mix = _TEXTURES[name](x, y, rng)[..., None]
    hue = _HUES[name] + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD)
    light, dark = random_colour(rng, 0.75, 1.0, hue), random_colour(rng, 0.2, 0.5)
    if rng.uniform() < 0.5:
        light, dark = dark, light
    colour = light * (1 - mix) + dark * mix
    colour = colour + camouflage * (surroundings - colour)
    direction = rng.uniform(0, 2 * np.pi)
    shade = 1 + 0.16 * (x * np.cos(direction) + y * np.sin(direction))
    depth = cv2.distanceTransform((coverage > 127).astype(np.uint8), cv2.DIST_L2, 5)
    rim = 0.72 + 0.28 * np.clip(depth / (0.05 * side), 0, 1)
    return _premultiply(colour * (shade * rim)[..., None], coverage)


def column_sprite(
    rng: np.random.Generator, width: int, height: int, wave: float = 0.1
) -> np.ndarray:
    """Something that stands in front of the scene: a trunk, `COLUMN_SHARE` of the sprite wide.

    Args:
        wave: how far its edges wind, as a share of half the width.

    Returns:
        uint8 (height, width, 4), RGB multiplied by alpha, and alpha.
    """
    y = np.arange(height, dtype=np.float32)[:, None]
    x = ((np.arange(width, dtype=np.float32) + 0.5) * 2 / width - 1)[None]
    winding = wave * np.sin(y * rng.uniform(3, 8) / height + rng.uniform(0, 6))
    coverage = np.clip((COLUMN_SHARE + winding - np.abs(x)) * width / 2 + 0.5, 0, 1) * 255
    bark = cv2.resize(value_noise(rng, height // 4 + 1, width, width / 3), (width, height))
    colour = random_colour(rng, 0.25, 0.6) * (0.5 + bark)[..., None]
    return _premultiply(colour * (1 - 0.35 * x * x)[..., None], coverage)
