"""What happens in a video that makes its objects hard to follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from .scene import Scene, Track

__all__ = ["EVENT_KINDS", "find_events"]

#: Two objects of one category go past each other; one is not seen at all for some frames, which
#: are those of an occlusion or those from its leaving the picture to its return.
EVENT_KINDS = ("crossing", "occlusion", "return")

#: Two objects are in touch where their centres are nearer than this share of their mean size.
_TOUCH = 0.9


def find_events(
    scene: Scene, annotations: Sequence[dict[str, Any]], frame_size: tuple[int, int]
) -> list[dict[str, Any]]:
    """The events of a video, by what is seen, whether they were planned or came about.

    Args:
        annotations: of its objects, with `depth`, their number among the tracks of the scene.
        frame_size: width and height in pixels.

    Returns:
        By their first frame, each with its `kind`, one of `EVENT_KINDS`; `frames`, the first and
        the last one in which its objects are in touch, or its object is not seen; `tracks`, the
        ids of its annotations; and `identical`, whether each of them has a double in the video.
    """
    tracks = {a["id"]: scene.tracks[a["depth"]] for a in annotations}
    doubles = [track.twins for track in tracks.values() if track.twins is not None]
    found = []
    for annotation in annotations:
        track = tracks[annotation["id"]]
        for first, last in _gaps(annotation["segmentations"]):
            left = _is_outside(track.centre[(first + last) // 2], frame_size)
            kind = "return" if left else "occlusion"
            found.append((kind, first, last, [annotation["id"]]))
    for one, other in combinations(annotations, 2):
        a, b = tracks[one["id"]], tracks[other["id"]]
        if a.category == b.category:
            for first, last in _crossings(a, b):
                found.append(("crossing", first, last, [one["id"], other["id"]]))
    return [
        {
            "kind": kind,
            "frames": [first, last],
            "tracks": ids,
            "identical": all(doubles.count(tracks[i].twins) > 1 for i in ids),
        }
        for kind, first, last, ids in sorted(found, key=lambda event: (event[1:], event[0]))
    ]


def _runs(holds: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and last index of each run of True in a bool (n,) that touches neither end."""
    edges = np.flatnonzero(np.diff(holds.astype(int)))
    if holds[0]:
        edges = edges[1:]
    for before, last in zip(edges[::2], edges[1::2], strict=False):
        yield int(before) + 1, int(last)


def _gaps(segmentations: Sequence[Any]) -> Iterator[tuple[int, int]]:
    yield from _runs(np.array([segmentation is None for segmentation in segmentations]))


def _is_outside(centre: np.ndarray, frame_size: tuple[int, int]) -> bool:
    return bool((centre < 0).any() or (centre > frame_size).any())


def _crossings(a: Track, b: Track) -> Iterator[tuple[int, int]]:
    """Where they touch and are on swapped sides of each other after it."""
    gap = b.centre - a.centre
    touch = np.linalg.norm(gap, axis=1) < _TOUCH * (a.size + b.size) / 2
    for first, last in _runs(touch):
        if float(gap[first - 1] @ gap[last + 1]) < 0:
            yield first, last
