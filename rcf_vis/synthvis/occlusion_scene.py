"""The plan of a video with occlusions: a story of two objects of one category, and bystanders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .motion import out_and_back, wander
from .occlusion_spec import HIDDEN_LENGTHS, SynthVISOcclusionSpec
from .scene import Column, Scene, Track, make_track, object_size, overlap, sway, unit_speed
from .shapes import CATEGORIES
from .textures import COLUMN_SHARE
from .wall import Wall, pass_behind

__all__ = ["plan_occlusion_scene"]

_STORIES = ("crossing", *HIDDEN_LENGTHS, "return")

#: Frames before, between and after two times behind the wall.
_LEAD = 8

#: Paths that a bystander is given to choose from: the one that meets the others least.
_PATHS = 8


def plan_occlusion_scene(
    spec: SynthVISOcclusionSpec, index: int, rng: np.random.Generator
) -> Scene:
    """Draws the plan of video `index` of a split, which decides its story."""
    story, alike = _STORIES[index % len(_STORIES)], index // len(_STORIES) % 2 == 1
    few, most = spec.objects_per_video
    count = int(rng.integers(few, most + 1))
    category, *others = (int(c) for c in rng.permutation(len(CATEGORIES)))
    size = object_size(spec, rng, most=0.5)
    sizes = size, size * (1.0 if alike else rng.uniform(0.85, 1.15))
    pan = _slow_pan(spec, rng)
    wall = None
    if story == "crossing":
        paths = _cross_twice(spec, rng, size)
        tracks = [make_track(spec, rng, category, p, s) for p, s in zip(paths, sizes, strict=True)]
    elif story == "return":
        tracks = [_leave_and_return(spec, rng, c) for c in (category, others[0])]
        tracks.insert(1, _bystander(spec, rng, category, sizes[1], tracks, None))
    else:
        wall = Wall(spec.width * rng.uniform(0.42, 0.58) - pan[:, 0], 0.56 * max(sizes))
        tracks = _plan_hidden(spec, rng, int(story), (category, others[0]), sizes, wall)
    if alike:
        twins = (replace(track, twins=0) for track in tracks[:2])
        tracks[:2] = twins
    for other in others[1 : 1 + count - len(tracks)]:
        tracks.append(_bystander(spec, rng, other, object_size(spec, rng), tracks, wall))
    tracks = [tracks[i] for i in rng.permutation(count)]
    columns = []
    if wall is not None:
        columns = [Column(wall.x, 2 * wall.half_width(spec) / COLUMN_SHARE, lean=0.0, wave=0.0)]
    return Scene(tracks, columns, pan, np.exp(sway(spec, rng, 0.06)), sway(spec, rng, 0.04))


def _slow_pan(spec: SynthVISOcclusionSpec, rng: np.random.Generator) -> np.ndarray:
    """(length, 2) in pixels; the wall goes with it, and must stay where it can be passed."""
    box = 0.15 * min(spec.width, spec.height)
    path = wander(rng, spec.length, (box, box), unit_speed(spec), 0, np.full(2, box / 2))
    return path - box / 2


def _cross_twice(
    spec: SynthVISOcclusionSpec, rng: np.random.Generator, size: float
) -> list[np.ndarray]:
    """Two paths to and fro, (length, 2) in pixels, that meet at two times far from each other."""
    frame, time = np.array([spec.width, spec.height], float), np.arange(spec.length)
    first, half_period = rng.uniform(0.15, 0.25), rng.uniform(0.48, 0.6)
    phase = np.pi * (time / (spec.length - 1) - first) / half_period
    meeting = frame * rng.uniform(0.42, 0.58, 2)
    angle = rng.uniform(-0.4, 0.4) + np.pi * rng.integers(2)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    paths = []
    for sign in (1.0, -1.0):
        run = sign * frame[0] * rng.uniform(0.26, 0.34) * np.sin(phase)
        aside = sign * rng.uniform(0, 0.2) * size + rng.uniform(-0.3, 0.3) * size * np.cos(phase)
        paths.append(meeting + run[:, None] * along + aside[:, None] * across)
    return paths


def _leave_and_return(
    spec: SynthVISOcclusionSpec, rng: np.random.Generator, category: int
) -> Track:
    size = object_size(spec, rng, most=0.4)
    frame = (spec.width, spec.height)
    path = out_and_back(rng, spec.length, frame, 1.17 * size, unit_speed(spec))
    return make_track(spec, rng, category, path, size)


def _plan_hidden(
    spec: SynthVISOcclusionSpec,
    rng: np.random.Generator,
    hidden: int,
    categories: tuple[int, int],
    sizes: tuple[float, float],
    wall: Wall,
) -> list[Track]:
    """The two of the story, of which the second goes behind the wall after the first, or not
    where there is no time for it; and one of another category that goes there, too."""
    last = spec.length - _LEAD - hidden
    both = last - hidden - _LEAD >= _LEAD
    start = int(rng.integers(_LEAD, (last - hidden - _LEAD if both else last) + 1))
    tracks = [pass_behind(spec, rng, wall, categories[0], sizes[0], start, hidden)]
    if both:
        start = int(rng.integers(start + hidden + _LEAD, last + 1))
        tracks.append(pass_behind(spec, rng, wall, categories[0], sizes[1], start, hidden))
    else:
        tracks.append(_bystander(spec, rng, categories[0], sizes[1], tracks, wall))
    start = int(rng.integers(_LEAD, last + 1))
    tracks.append(pass_behind(spec, rng, wall, categories[1], sizes[0], start, hidden))
    return tracks


def _bystander(
    spec: SynthVISOcclusionSpec,
    rng: np.random.Generator,
    category: int,
    size: float,
    others: list[Track],
    wall: Wall | None,
) -> Track:
    """An object that roams, clear of the others and of the wall as far as it finds a way."""
    frame, candidates = np.array([spec.width, spec.height], float), []
    for _ in range(_PATHS):
        speed, anchor = unit_speed(spec) * rng.uniform(1.5, 4.0), frame * rng.uniform(0.12, 0.88, 2)
        when = rng.uniform(0.2, 0.8) * (spec.length - 1)
        path = wander(rng, spec.length, (spec.width, spec.height), speed, when, anchor)
        candidates.append(make_track(spec, rng, category, path, size))

    def cost(track: Track) -> float:
        covered = 0.0 if wall is None else wall.depth(spec, track)
        return overlap(track, others) + covered

    return min(candidates, key=cost)
