"""Figures of what makes objects hard to follow: crossings, occlusions by length, returns.

A data set says what happens in its videos by their ``events``, as ``synthvis_occ`` does: each has a
``kind`` (crossing, occlusion or return), ``frames`` (its first and its last) and ``tracks`` (ids of
annotations).
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rcf_vis.data.json_forms import read_video_json
from rcf_vis.errors import DatasetError, shown

from .average_precision import evaluate_ytvis
from .continuity import follow
from .identity_metrics import compared_tracks, evaluate_identity
from .overlaps import frame_overlaps
from .result_files import read_result_list
from .track_files import GroundTruth, read_ground_truth, read_results

__all__ = ["EVENT_METRICS", "EVENT_NAMES", "evaluate_events", "has_events"]

#: An occlusion is named by how many frames it takes.
_OCCLUSIONS = {"occlusion 1-9": 9, "occlusion 10-29": 29, "occlusion 30+": np.inf}
EVENT_NAMES = ("crossing", *_OCCLUSIONS, "return")
_OF_VIDEOS = ("AP", "HOTA", "AssA", "IDF1", "IDSW")
EVENT_METRICS = (*_OF_VIDEOS, "events", "seen", "switches", "switch_rate")


@dataclass(frozen=True)
class _Event:
    video: int
    name: str
    first: int
    last: int
    tracks: tuple[int, ...]


def has_events(content: Mapping[str, Any]) -> bool:
    """Whether a YouTube-VIS json says of any of its videos which ``events`` it has."""
    return any("events" in video for video in content["videos"])


def evaluate_events(
    gt_json: str | os.PathLike | Mapping[str, Any],
    results: str | os.PathLike | list[dict],
    *,
    class_aware: bool = True,
) -> dict[str, dict[str, float]]:
    """How results come through the events of each kind.

    An event is seen where one of its tracks at least is found both before its first and after its
    last frame, by the correspondence that ID switches are counted by. It is a switch where the
    result that one of them was last found by before is not the one that it is first found by after.

    Args:
        gt_json: path or content of a YouTube-VIS json with annotations and events.
        results: path or list, as :func:`rcf_vis.evaluation.evaluate_ytvis` takes them.
        class_aware: compare within each category; False: whatever the category (but for the AP).

    Returns:
        For each of ``EVENT_NAMES``, and ``all`` for all of them: ``AP``, ``HOTA``, ``AssA``,
        ``IDF1`` in [0, 1] and ``IDSW`` of the videos that have such an event; ``events``,
        ``seen`` and ``switches``, counts of them; ``switch_rate``, switches by those seen. −1
        where undefined.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says; and where
            no video has events, or one is broken.
    """
    is_path = isinstance(gt_json, (str, os.PathLike))
    content = read_video_json(os.fspath(gt_json)) if is_path else gt_json
    if isinstance(results, (str, os.PathLike)):
        results = read_result_list(results)
    name = os.fspath(gt_json) if is_path else "ground truth"
    if not has_events(content):
        raise DatasetError(f"{name}: no video has 'events', as those of synthvis_occ have")
    ground_truth = read_ground_truth(content)
    events = list(_read_events(content, name))
    switched = _switches(ground_truth, results, events, class_aware)
    figures = {}
    for kind in (*EVENT_NAMES, "all"):
        chosen = [k for k, event in enumerate(events) if kind in (event.name, "all")]
        videos = {events[k].video for k in chosen}
        seen = Counter(switched[k] for k in chosen)
        counts = {"events": len(chosen), "seen": seen[True] + seen[False], "switches": seen[True]}
        rate = counts["switches"] / counts["seen"] if counts["seen"] else -1.0
        of_videos = _figures_of(videos, content, results, class_aware)
        figures[kind] = {**of_videos, **counts, "switch_rate": rate}
    return figures


def _read_events(content: Mapping[str, Any], name: str) -> Iterator[_Event]:
    ids = defaultdict(set)
    for annotation in content.get("annotations") or []:
        ids[annotation["video_id"]].add(annotation["id"])
    for video in content["videos"]:
        for number, event in enumerate(video.get("events", [])):
            where = f"{name}: video {video['id']}: events[{number}]"
            try:
                kind, (first, last), tracks = event["kind"], event["frames"], event["tracks"]
                whole = (
                    type(first) is type(last) is int
                    and 0 < first <= last
                    and bool(tracks)
                    and ids[video["id"]].issuperset(tracks)
                )
                kind = _name_of(kind, last - first + 1)
            except (KeyError, TypeError, ValueError):
                whole = False
            if not whole:
                raise DatasetError(
                    f"{where}: {shown(event)}, expected its 'kind' (crossing, occlusion or "
                    "return), 'frames' (the first, at least 1, and the last) and 'tracks' (ids of "
                    "annotations of the video)"
                )
            yield _Event(video["id"], kind, first, last, tuple(tracks))


def _name_of(kind: str, num_frames: int) -> str:
    if kind == "occlusion":
        return next(name for name, most in _OCCLUSIONS.items() if num_frames <= most)
    if kind not in EVENT_NAMES:
        raise ValueError(kind)
    return kind


def _switches(
    ground_truth: GroundTruth, results: list[dict], events: list[_Event], class_aware: bool
) -> list[bool | None]:
    """Of each event whether it is a switch; None: it was not seen."""
    found = read_results(results, ground_truth)
    followed: dict[int, np.ndarray] = {}  # annotation → the result of each frame, or −1
    for (video, _), (truths, tracks) in compared_tracks(ground_truth, found, class_aware):
        objects = [truth for truth in truths if not truth.crowd]
        overlaps = frame_overlaps(
            [truth.track for truth in objects],
            [result.track for result in tracks],
            ground_truth.videos[video]["length"],
        )
        followed.update(zip((truth.id for truth in objects), follow(overlaps).T, strict=True))
    return [_is_switch(event, followed) for event in events]


def _is_switch(event: _Event, followed: Mapping[int, np.ndarray]) -> bool | None:
    kept = []
    for track in event.tracks:
        by = followed.get(track, np.zeros(0, dtype=int))  # a crowd is followed by nobody
        before, after = by[: event.first], by[event.last + 1 :]
        before, after = before[before >= 0], after[after >= 0]
        if len(before) and len(after):
            kept.append(before[-1] == after[0])
    return not all(kept) if kept else None


def _figures_of(
    videos: Collection[int], content: Mapping[str, Any], results: list[dict], class_aware: bool
) -> dict[str, float]:
    """AP and identity of some of the videos."""
    if not videos:
        return {**dict.fromkeys(_OF_VIDEOS, -1.0), "IDSW": 0}
    part = {
        **content,
        "videos": [video for video in content["videos"] if video["id"] in videos],
        "annotations": [a for a in content["annotations"] if a["video_id"] in videos],
    }
    chosen = [result for result in results if result["video_id"] in videos]
    identity = evaluate_identity(part, chosen, class_aware=class_aware)
    figures = {**identity, "AP": evaluate_ytvis(part, chosen)["AP"]}
    return {name: figures[name] for name in _OF_VIDEOS}
