"""Frames resized as Pillow 13 does it bilinearly, to the bit, in numpy alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["resize", "resized_shape"]

_BITS = 22  # of the fixed-point weights that Pillow has for 8-bit images
_BLOCK = 16


def resized_shape(height: int, width: int, min_size: int, max_size: int) -> tuple[int, int]:
    """(height, width) after a resize of the short side to ``min_size``, the long one in bounds.

    Args:
        min_size: 0 = not resized.
        max_size: that the long side does not exceed.
    """
    if min_size == 0:
        return height, width
    scale = min_size / min(height, width)
    sides = (height * scale, width * scale)
    if max(sides) > max_size:
        shrink = max_size / max(sides)
        sides = (sides[0] * shrink, sides[1] * shrink)
    return int(sides[0] + 0.5), int(sides[1] + 0.5)


def resize(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a frame and put its channels first.

    Pillow's weights are whole numbers of 22 bits behind the point; their products with pixels and
    the sums of these are exact in float64, so that what is rounded is the same.

    Args:
        frame: ``(H, W, 3)`` uint8.
        size: (height, width) wanted.

    Returns:
        ``(3, height, width)`` uint8, C-contiguous.
    """
    (height, width), (rows, columns) = frame.shape[:2], size
    # Pillow begins with the columns, but not where the rows become fewer by far.
    rows_first = height > rows and height - rows > 2 * (width - columns)
    resized = np.empty((3, rows, columns), dtype=np.uint8)
    for channel, made in enumerate(resized):
        plane = frame[:, :, channel]
        if rows_first:
            plane = _with_rows(plane, rows)
        plane = _with_rows(plane.T, columns).T
        made[:] = _with_rows(plane, rows)
    return resized


def _with_rows(plane: np.ndarray, rows: int) -> np.ndarray:
    """``(n, m)`` to ``(rows, m)``, whole numbers."""
    if len(plane) == rows:
        return plane
    plane = plane.astype(np.float64)
    made = np.concatenate([weights @ plane[used] for used, weights in _blocks(len(plane), rows)])
    made += 0.5
    return np.floor(made, out=made)


@lru_cache(maxsize=32)
def _blocks(pixels: int, outputs: int) -> list[tuple[slice, np.ndarray]]:
    """For a few outputs each the pixels that they are made of, and the weights of these.

    Each output is a mean of the pixels around its centre, by a triangle as wide as two outputs, or
    as two pixels where there are more outputs than pixels.
    """
    scale = pixels / outputs
    reach = max(scale, 1.0)
    centres = (np.arange(outputs) + 0.5) * scale
    first = np.maximum((centres - reach + 0.5).astype(int), 0)
    last = np.minimum((centres + reach + 0.5).astype(int), pixels)
    places = np.arange(pixels)
    blocks = []
    for low in range(0, outputs, _BLOCK):
        some = slice(low, min(low + _BLOCK, outputs))
        span = slice(first[some][0], last[some][-1])
        inside = places[span]
        weights = 1 - np.abs((inside - centres[some, None] + 0.5) / reach)
        used = (inside >= first[some, None]) & (inside < last[some, None])
        weights = np.where(used, np.maximum(weights, 0), 0)
        weights /= weights.sum(1, keepdims=True)
        blocks.append((span, np.floor(weights * 2**_BITS + 0.5) / 2**_BITS))
    return blocks
