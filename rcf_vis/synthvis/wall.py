"""A wall, and the paths of objects that are fully hidden by it for a given number of frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scene import Track, make_track, sway, unit_speed
from .shapes import reach
from .spec import SynthVISSpec

__all__ = ["Wall", "pass_behind"]

#: Room between a hidden object and either edge of the wall, in pixels at the speed 1.
_ROOM = 15.0


@dataclass(frozen=True)
class Wall:
    """From top to bottom, in front of all objects."""

    #: (length,), x of its middle in pixels.
    x: np.ndarray
    #: Half the extent of the largest object that goes behind it, in pixels.
    object_reach: float

    def half_width(self, spec: SynthVISSpec) -> float:
        """Pixels from its middle to its edges."""
        return self.object_reach + _ROOM * unit_speed(spec)

    def depth(self, spec: SynthVISSpec, track: Track) -> float:
        """How deep, summed over the frames, the track's circle enters it, in pixels."""
        distance = np.abs(track.centre[:, 0] - self.x)
        return float(np.maximum(self.half_width(spec) + 0.45 * track.size - distance, 0).sum())


def pass_behind(
    spec: SynthVISSpec,
    rng: np.random.Generator,
    wall: Wall,
    category: int,
    size: float,
    start: int,
    hidden: int,
) -> Track:
    """An object that nothing is seen of in the frames `start` to `start` + `hidden` - 1.

    It comes out on the far side, or turns round behind the wall. A frame more or less is seen of
    it where the last sliver has too few pixels or too many.
    """
    time, middle = np.arange(spec.length), start + (hidden - 1) / 2
    track = make_track(spec, rng, category, np.zeros((spec.length, 2)), size)
    # The time behind the wall is exact only if the object does not grow meanwhile.
    track_angle = track.angle[0] + rng.uniform(-0.03, 0.03) * time
    size_of_it, tilt = np.full(spec.length, size), np.full(spec.length, track.tilt[0])
    came_from = 1 if rng.uniform() < 0.5 else -1
    goes_to = came_from * (1 if rng.uniform() < 0.5 else -1)
    speed = unit_speed(spec) * rng.uniform(5.0, 7.0)
    x = np.empty(spec.length)
    for side, now, at in (
        (came_from, time <= middle, start),
        (goes_to, time > middle, start + hidden - 1),
    ):
        both = reach(spec.looks[category], track_angle[at], tilt[at])
        deep = wall.half_width(spec) - both[side > 0] * size / 2
        room = spec.width / 2 - abs(wall.x[at] - spec.width / 2) - deep - 0.5 * size
        distance = _distance(np.abs(time[now] - middle), hidden / 2, deep, room, speed)
        x[now] = wall.x[now] + side * distance
    y = spec.height * rng.uniform(0.32, 0.68) + sway(spec, rng, 0.14 * spec.height)
    centre = np.stack([x, y], axis=1)
    return Track(category, centre, size_of_it, track_angle, tilt)


def _distance(
    time: np.ndarray, half_time: float, deep: float, room: float, speed: float
) -> np.ndarray:
    """From the wall's middle: `deep` at `half_time`, at `speed` there, and at rest far from it.

    Args:
        time: frames before or after that of the middle, any shape.
        room: pixels beyond `deep` that it does not leave.
    """
    speed, room = max(speed, deep / half_time), max(room, deep)
    power = speed * half_time / deep
    inside = deep * np.minimum(time / half_time, 1) ** power
    return inside + room * np.tanh(speed * np.maximum(time - half_time, 0) / room)
