"""Objects that turn steadily: what the categories of motions are told by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .scene import Scene

__all__ = ["turn_objects"]

#: Slowest and fastest, in radians a frame: well seen from one frame to the next, and never as much
#: as half a turn, from which on the sense cannot be told.
_RATES = (0.12, 0.3)


def turn_objects(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with a category of `MOTION_CATEGORIES` for each object, and turning as it says.

    The other parts of its motion stay, so they say nothing about it.
    """
    tracks = []
    for track in scene.tracks:
        category = int(rng.integers(2))
        rate = rng.uniform(*_RATES) * (-1 if category else 1)  # y points down: > 0 is clockwise
        angle = rng.uniform(0, 2 * np.pi) + rate * np.arange(len(track.angle))
        tracks.append(replace(track, category=category, angle=angle))
    return replace(scene, tracks=tracks)
