"""A seeded data set as large as YouTube-VIS 2019 val, with results: the files for the benchmark.

Only outlines are drawn, never pixels: a mask is the top and the bottom of each of its columns, and
all frames of a track are drawn and encoded at once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

NUM_VIDEOS, NUM_CATEGORIES = 302, 40
HEIGHT, WIDTH = 720, 1280
MIN_FRAMES, MAX_FRAMES = 20, 36
_PIXELS = HEIGHT * WIDTH
_MAX_GROUPS = 6  # characters of a run length


@dataclass(frozen=True)
class Outlines:
    """A track: T frames of C columns.

    Attributes:
        left: ``(T,)``, first column.
        top, bottom: ``(T, C)``, rows; the bottom one is no part of the mask.
        present: ``(T,)`` bool.
    """

    left: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    present: np.ndarray


def write_set(folder: Path, per_video: int, num_videos: int = NUM_VIDEOS, seed: int = 0) -> None:
    """Write ``instances.json`` and ``results.json``, with ``per_video`` results for each video."""
    rng = np.random.default_rng(seed)
    videos: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for video_id in range(1, num_videos + 1):
        length = int(rng.integers(MIN_FRAMES, MAX_FRAMES, endpoint=True))
        names = [f"{video_id:04d}/{5 * frame:05d}.jpg" for frame in range(length)]
        size = {"height": HEIGHT, "width": WIDTH}
        videos.append({"id": video_id, **size, "length": length, "file_names": names})
        truths = _make_truths(rng, length)
        for category, outlines in truths:
            masks, areas = encode(outlines)
            number = {"id": len(annotations) + 1, "video_id": video_id, "category_id": category}
            track = {"iscrowd": 0, **size, "segmentations": masks, "areas": areas}
            annotations.append(number | track)
        results += [_make_result(rng, video_id, length, truths) for _ in range(per_video)]
    categories = [{"id": k, "name": f"category {k}"} for k in range(1, NUM_CATEGORIES + 1)]
    ground_truth = {"videos": videos, "categories": categories, "annotations": annotations}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(ground_truth))
    (folder / "results.json").write_text(json.dumps(results))


def _make_truths(rng: np.random.Generator, length: int) -> list[tuple[int, Outlines]]:
    """Category and outlines of one to three tracks, often of one category."""
    truths, category = [], _any_category(rng)
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.4:
            category = _any_category(rng)
        truths.append((category, _make_track(rng, length)))
    return truths


def _make_result(
    rng: np.random.Generator, video_id: int, length: int, truths: list[tuple[int, Outlines]]
) -> dict[str, Any]:
    """Most results are a truth, disturbed; the others lie elsewhere. Some are mislabelled."""
    category, outlines = truths[int(rng.integers(len(truths)))]
    if rng.random() < 0.2:
        category = _any_category(rng)
    found = rng.random() < 0.6
    outlines = _disturbed(rng, outlines) if found else _make_track(rng, length)
    return {
        "video_id": video_id,
        "category_id": category,
        "score": round(float(rng.beta(2, 1 if found else 4)), 6),
        "segmentations": encode(outlines)[0],
    }


def _any_category(rng: np.random.Generator) -> int:
    return int(rng.integers(1, NUM_CATEGORIES, endpoint=True))


def _make_track(rng: np.random.Generator, length: int) -> Outlines:
    """A wobbly ellipse that moves, grows or shrinks; absent from about a tenth of the frames."""
    columns = int(rng.integers(60, 500))
    frames = np.arange(length)
    place = rng.uniform((0, 0), (WIDTH, HEIGHT)) + frames[:, None] * rng.normal(0, 6, 2)
    tall = rng.uniform(0.4, 1.6) * columns * rng.uniform(0.99, 1.01) ** frames
    across = np.linspace(-1, 1, columns)
    half = tall[:, None] / 2 * np.sqrt(np.maximum(1 - across**2, 0.01))
    phase = rng.uniform(0, 6.3, (2, 1, 1)) + frames[:, None] / 9
    edge = half * (1 + 0.2 * np.sin(np.array([9, 7])[:, None, None] * across + phase))
    rough = rng.integers(-1, 2, (2, length, columns))
    top, bottom = np.rint(place[:, 1:] + edge * [[[-1]], [[1]]]).astype(np.int64) + rough
    left = np.rint(place[:, 0] - columns / 2).astype(np.int64)
    return Outlines(left, top, bottom, rng.random(length) > 0.1)


def _disturbed(rng: np.random.Generator, track: Outlines) -> Outlines:
    """The same track as a model may see it: shifted, rough, with gaps."""
    x, y = rng.normal(0, rng.choice([3, 15, 40]), 2).astype(np.int64)
    rough = rng.integers(-2, 3, (2, *track.top.shape))
    present = track.present & (rng.random(len(track.present)) > 0.05)
    return Outlines(track.left + x, track.top + y + rough[0], track.bottom + y + rough[1], present)


def encode(track: Outlines) -> tuple[list[dict[str, Any] | None], list[int | None]]:
    """Compressed RLE and area of each frame; None where the frame shows nothing of it."""
    x = track.left[:, None] + np.arange(track.top.shape[1])
    top, bottom = track.top.clip(0, HEIGHT), track.bottom.clip(0, HEIGHT)
    shown = (x >= 0) & (x < WIDTH) & (bottom > top) & track.present[:, None]
    areas = np.where(shown, bottom - top, 0).sum(1)
    frames = np.flatnonzero(areas)
    # One long line of all frames; each begins one pixel late, so that no run goes on into the next
    begin = np.arange(len(top)) * (_PIXELS + 1)
    edges = np.stack([top, bottom], -1) + (begin[:, None] + x * HEIGHT)[..., None]
    edges = edges[shown].ravel()
    touching = np.flatnonzero(edges[1:] == edges[:-1])
    edges = np.delete(edges, np.concatenate([touching, touching + 1]))
    edges = np.sort(np.concatenate([edges, begin[frames], begin[frames] + _PIXELS]), kind="stable")
    runs = np.diff(edges, append=edges[-1:] + 1)
    ends = np.flatnonzero(np.isin(edges, begin[frames] + _PIXELS))
    strings = iter(_encode_runs(runs, ends))
    masks = [{"size": [HEIGHT, WIDTH], "counts": next(strings)} if area else None for area in areas]
    return masks, [int(area) or None for area in areas]


def _encode_runs(runs: np.ndarray, ends: np.ndarray) -> list[str]:
    """Run-length strings of the frames; ``ends`` are the places between them, which are no runs."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    differences = runs.copy()
    differences[2:] -= runs[:-2]
    for k in range(3):  # the first three are written as they are
        first = starts[starts + k < ends] + k
        differences[first] = runs[first]
    codes = np.zeros((len(runs), _MAX_GROUPS), dtype=np.uint8)
    rest, more = differences, np.ones(len(runs), dtype=bool)
    more[ends] = False
    for place in range(_MAX_GROUPS):
        group, rest, written = rest & 31, rest >> 5, more
        more = more & np.where(group & 16, rest != -1, rest != 0)
        codes[:, place] = np.where(written, group + 32 * more + 48, 0)
    codes[ends, 0] = ord(" ")
    return codes[codes > 0].tobytes().decode("ascii").split()
