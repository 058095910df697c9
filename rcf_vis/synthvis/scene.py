"""The plan of a video: which objects it has, how they and the camera move, who is nearer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .motion import crossing_pair, out_and_back, wander
from .shapes import CATEGORIES
from .spec import SynthVISSpec

__all__ = [
    "Column",
    "Scene",
    "Track",
    "make_track",
    "object_size",
    "overlap",
    "plan_scene",
    "sway",
    "unit_speed",
]

#: Videos shorter than this have neither crossings nor returns: they would be jumps.
_SHORTEST_STORY = 8


@dataclass(frozen=True)
class Track:
    """One object; every array has one row a frame."""

    #: Index into the spec's `categories`.
    category: int
    #: (length, 2), x and y of the centre in pixels; may lie outside the frame.
    centre: np.ndarray
    #: (length,), side in pixels of the square that the shape is drawn in.
    size: np.ndarray
    #: (length,), rotation in radians.
    angle: np.ndarray
    #: (length,), the shape's own y axis is this much shorter, as if it were tilted; <= 1.
    tilt: np.ndarray
    #: (length,), from 0 to 1: how far the object lightens up; None: it never does.
    glow: np.ndarray | None = None
    #: Tracks of one number are drawn alike; None: as no other is.
    twins: int | None = None


@dataclass(frozen=True)
class Column:
    """An occluder that is not annotated, in front of all objects, from top to bottom."""

    #: (length,), x of its centre in pixels.
    x: np.ndarray
    #: Width in pixels.
    width: float
    #: Lean in radians.
    lean: float
    #: How far its edges wind, as a share of half its width.
    wave: float = 0.1


@dataclass(frozen=True)
class Scene:
    """The plan of one video."""

    #: From the farthest to the nearest.
    tracks: list[Track]
    columns: list[Column]
    #: (length, 2), shift of the view over the background in pixels.
    pan: np.ndarray
    #: (length,), magnification of the background.
    zoom: np.ndarray
    #: (length,), rotation of the background in radians.
    roll: np.ndarray


def plan_scene(spec: SynthVISSpec, rng: np.random.Generator) -> Scene:
    """Draws the plan of a video. Only `spec`'s sizes, shares and `occlusion` enter it."""
    few, most = spec.objects_per_video
    count = int(rng.integers(few, most + 1))
    story = spec.length >= _SHORTEST_STORY
    crosses = rng.uniform() < spec.crossing_share and story and count >= 2
    comes_back = rng.uniform() < spec.return_share and story and count >= 1 + 2 * crosses
    tracks: list[Track] = []
    if crosses:
        tracks += _plan_crossing(spec, rng)
    if comes_back:
        tracks.append(_plan_border(spec, rng, leaves=True, returns=True))
    while len(tracks) < count:
        kind = rng.uniform()
        if story and kind < 0.2:
            leaves = bool(kind < 0.1)
            tracks.append(_plan_border(spec, rng, leaves=leaves, returns=not leaves))
        else:
            tracks.append(_plan_wanderer(spec, rng, tracks))
    tracks = [tracks[i] for i in rng.permutation(count)]
    unit, box = unit_speed(spec), 0.7 * min(spec.width, spec.height)
    pan = wander(rng, spec.length, (box, box), unit * rng.uniform(0.5, 4.0), 0, np.full(2, box / 2))
    pan = pan - box / 2
    zoom = np.exp(sway(spec, rng, 0.12))
    return Scene(tracks, _plan_columns(spec, rng, pan), pan, zoom, sway(spec, rng, 0.08))


def unit_speed(spec: SynthVISSpec) -> float:
    """The speed 1 in pixels a frame: 1 at a short side of 192."""
    return min(spec.width, spec.height) / 192


def sway(spec: SynthVISSpec, rng: np.random.Generator, most: float) -> np.ndarray:
    """A slow oscillation of random strength, (length,), within +-`most`."""
    phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(18, 50)
    wave = np.sin(phase + 2 * np.pi * np.arange(spec.length) / period)
    return most * rng.uniform(0.2, 1.0) * wave


def object_size(spec: SynthVISSpec, rng: np.random.Generator, most: float = 1.0) -> float:
    """Pixels, from the lower part `most` of the range that the spec allows."""
    low, high = spec.object_size
    return min(spec.width, spec.height) * rng.uniform(low, low + most * (high - low))


def make_track(
    spec: SynthVISSpec, rng: np.random.Generator, category: int, centre: np.ndarray, size: float
) -> Track:
    """Adds scaling, turning and tilting to a path."""
    time = np.arange(spec.length)
    spin = rng.uniform(-0.09, 0.09) * time + sway(spec, rng, 0.5)
    return Track(
        category=category,
        centre=centre,
        size=size * np.exp(sway(spec, rng, 0.16)),
        angle=rng.uniform(0, 2 * np.pi) + spin,
        tilt=1 - 0.14 - sway(spec, rng, 0.14),
    )


def _any_category(rng: np.random.Generator) -> int:
    return int(rng.integers(len(CATEGORIES)))


def _plan_crossing(spec: SynthVISSpec, rng: np.random.Generator) -> list[Track]:
    size = object_size(spec, rng, most=0.6)
    frame = (spec.width, spec.height)
    paths = crossing_pair(rng, spec.length, frame, size, unit_speed(spec))
    category = _any_category(rng)
    return [
        make_track(spec, rng, category, path, size * scale)
        for path, scale in zip(paths, (1.0, rng.uniform(0.8, 1.2)), strict=True)
    ]


def _plan_border(
    spec: SynthVISSpec, rng: np.random.Generator, *, leaves: bool, returns: bool
) -> Track:
    size = object_size(spec, rng, most=0.4)
    centre = out_and_back(
        rng,
        spec.length,
        (spec.width, spec.height),
        1.17 * size,
        unit_speed(spec),
        leaves=leaves,
        returns=returns,
    )
    return make_track(spec, rng, _any_category(rng), centre, size)


def _plan_wanderer(spec: SynthVISSpec, rng: np.random.Generator, others: list[Track]) -> Track:
    """An object that roams: over another one's path or, with less occlusion, clear of it."""
    size = object_size(spec, rng)
    speed = unit_speed(spec) * rng.uniform(2.0, 8.0)
    frame = np.array([spec.width, spec.height], float)
    occlusion = spec.knob("occlusion")
    meets = bool(others) and rng.uniform() < 0.9 * occlusion
    candidates = []
    for _ in range(1 if meets else 1 + round(6 * (1 - occlusion))):
        when = rng.uniform(0.2, 0.8) * (spec.length - 1)
        anchor = frame * rng.uniform(0.12, 0.88, 2)
        if meets:
            other = others[int(rng.integers(len(others)))].centre[round(when)]
            anchor = np.clip(other + size * rng.uniform(-0.3, 0.3, 2), 0.1 * frame, 0.9 * frame)
        path = wander(rng, spec.length, (spec.width, spec.height), speed, when, anchor)
        candidates.append(make_track(spec, rng, _any_category(rng), path, size))
    return min(candidates, key=lambda track: overlap(track, others))


def overlap(track: Track, others: list[Track]) -> float:
    """How deep, summed over the frames, the track's circles enter those of the others."""
    total = 0.0
    for other in others:
        distance = np.linalg.norm(track.centre - other.centre, axis=1)
        total += float(np.maximum(0.45 * (track.size + other.size) - distance, 0).sum())
    return total


def _plan_columns(spec: SynthVISSpec, rng: np.random.Generator, pan: np.ndarray) -> list[Column]:
    columns = []
    for _ in range(2):
        if rng.uniform() < 0.7 * spec.knob("occlusion"):
            columns.append(
                Column(
                    x=spec.width * rng.uniform(0.15, 0.85) - 1.4 * pan[:, 0],
                    width=min(spec.width, spec.height) * rng.uniform(0.1, 0.22),
                    lean=rng.uniform(-0.25, 0.25),
                )
            )
    return columns
