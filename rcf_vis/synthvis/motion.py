"""Smooth paths: where the centre of an object is at each frame.

All functions return float64 (length, 2), x and y in pixels. `size` is the largest extent of the
object, `speed` its speed in pixels a frame.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "b_spline",
    "crossing_pair",
    "out_and_back",
    "smoothstep",
    "wander",
]

#: Frames between two control points of a wandering path.
_GAP = 6.0


def smoothstep(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, without a kink between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def b_spline(points: np.ndarray, times: np.ndarray) -> np.ndarray:
    """A uniform cubic B-spline with control point k at time k.

    Args:
        points: (n, d) control points, n >= 4.
        times: (t,) in [1, n - 2].

    Returns:
        (t, d); never faster than the longest step between two control points.
    """
    first = np.clip(np.floor(times).astype(int), 1, len(points) - 3)
    u = (times - first)[:, None]
    return (
        (1 - u) ** 3 * points[first - 1]
        + (3 * u**3 - 6 * u**2 + 4) * points[first]
        + (-3 * u**3 + 3 * u**2 + 3 * u + 1) * points[first + 1]
        + u**3 * points[first + 2]
    ) / 6


def _walk(
    rng: np.random.Generator,
    steps: int,
    start: np.ndarray,
    heading: float,
    stride: float,
    frame: np.ndarray,
) -> list[np.ndarray]:
    """Control points from `start` on, thrown back a tenth of the frame before its borders."""
    points, point = [], start
    low, high = 0.1 * frame, 0.9 * frame
    for _ in range(steps):
        heading += rng.uniform(-0.8, 0.8)
        step = stride * rng.uniform(0.6, 1.2) * np.array([np.cos(heading), np.sin(heading)])
        step = np.where((point + step < low) | (point + step > high), -step, step)
        heading = float(np.arctan2(step[1], step[0]))
        point = np.clip(point + step, low, high)
        points.append(point)
    return points


def wander(
    rng: np.random.Generator,
    length: int,
    frame_size: tuple[int, int],
    speed: float,
    anchor_time: float,
    anchor: np.ndarray,
) -> np.ndarray:
    """A path that turns, speeds up, slows down, bounces, and is near `anchor` at `anchor_time`."""
    before = int(np.ceil(anchor_time / _GAP)) + 2
    after = int(np.ceil((length - anchor_time) / _GAP)) + 2
    heading = rng.uniform(0, 2 * np.pi)
    frame = np.array(frame_size, float)
    past = _walk(rng, before, anchor, heading + np.pi, speed * _GAP, frame)
    future = _walk(rng, after, anchor, heading, speed * _GAP, frame)
    points = np.array([*past[::-1], anchor, *future])
    return b_spline(points, before + (np.arange(length) - anchor_time) / _GAP)


def crossing_pair(
    rng: np.random.Generator, length: int, frame_size: tuple[int, int], size: float, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Two paths that run against each other and meet near the middle of the video.

    Args:
        unit: pixels a frame that count as the speed 1.
    """
    frame = np.array(frame_size, float)
    tau = np.arange(length) - rng.uniform(0.35, 0.65) * (length - 1)
    meeting = frame * rng.uniform(0.38, 0.62, 2)
    angle = rng.uniform(-0.5, 0.5) + np.pi * rng.integers(2)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    paths = []
    for sign in (1.0, -1.0):
        reach = frame[0] * rng.uniform(0.3, 0.42)
        run = reach * np.tanh(sign * unit * rng.uniform(3.5, 6.5) * tau / reach)
        bend = rng.uniform(-0.25, 0.25) * size * (run / (0.3 * frame[0])) ** 2
        aside = sign * rng.uniform(0.0, 0.2) * size + bend
        paths.append(meeting + run[:, None] * along + aside[:, None] * across)
    return paths[0], paths[1]


def out_and_back(
    rng: np.random.Generator,
    length: int,
    frame_size: tuple[int, int],
    size: float,
    unit: float,
    *,
    leaves: bool = True,
    returns: bool = True,
) -> np.ndarray:
    """A path across one border of the frame.

    With `leaves` it begins inside, with `returns` it ends inside; with both it is gone for some
    frames between. `size` must bound the object's extent over the whole video.
    """
    width, height = frame_size
    horizontal = rng.uniform() < width / (width + height)
    depth_range, side_range = (width, height) if horizontal else (height, width)
    inside = size * (rng.uniform(0.15, 0.35) if leaves and returns else rng.uniform(0.3, 0.7))
    outside = -0.56 * size
    last = max(length - 1, 1)
    ramp = (0.42 if leaves and returns else 0.6) * last
    time = np.arange(length)
    gone = np.ones(length)
    if leaves:
        start = rng.uniform(0.0, 0.06 if returns else 0.4) * last
        gone = gone * smoothstep((time - start) / ramp)
    if returns:
        end = rng.uniform(0.94 if leaves else 0.6, 1.0) * last
        gone = gone * smoothstep((end - time) / ramp)
    depth = inside + (outside - inside) * gone
    depth = depth + (1 - gone) * 0.25 * size * np.sin(time * rng.uniform(0.1, 0.3))
    if rng.uniform() < 0.5:
        depth = depth_range - depth
    drift = unit * rng.uniform(-2.5, 2.5) * (time - last / 2)
    side = side_range * rng.uniform(0.25, 0.75) + side_range * 0.25 * np.tanh(
        drift / (side_range * 0.25)
    )
    return np.stack([depth, side] if horizontal else [side, depth], axis=1)
