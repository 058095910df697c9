"""Ground truth and results in the YouTube-VIS format: read, checked, sorted by video and category.

The json of the ground truth is read by :mod:`rcf_vis.data`, by the rules that training has. Nothing
is modified: of what is handed in, compressed masks are shared and all else is copied.
"""

from __future__ import annotations

import logging
import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rcf_vis.data.json_forms import read_video_json, to_ytvis
from rcf_vis.data.json_rules import is_number
from rcf_vis.data.ytvis import read_categories, read_videos
from rcf_vis.data.ytvis_tracks import Track, read_masks, read_tracks
from rcf_vis.errors import DatasetError, shown

from .result_files import read_result_list
from .track_masks import TrackMasks, set_areas

__all__ = [
    "RESULT_KEYS",
    "GroundTruth",
    "Result",
    "Truth",
    "is_key",
    "iterate_results",
    "read_ground_truth",
    "read_header",
    "read_results",
]

logger = logging.getLogger(__name__)

RESULT_KEYS = ("video_id", "category_id", "score", "segmentations")
_Key = tuple[int, int]  # video id, category id


@dataclass(frozen=True, eq=False)
class Truth:
    """An annotation. ``mean_area`` is that of the json's ``areas``, not of the masks."""

    id: int
    track: TrackMasks
    mean_area: float
    crowd: bool
    countable: bool


@dataclass(frozen=True, eq=False)
class Result:
    """An entry of the results."""

    track: TrackMasks
    score: float


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What results are held against.

    Attributes:
        name: for errors: the path, or "ground truth".
        videos: id → ``height``, ``width``, ``length``.
        categories: id → name, by ascending id; unique names.
        truths: (video id, category id) → annotations in the json's order.
    """

    name: str
    videos: dict[int, Mapping[str, Any]]
    categories: dict[int, str]
    truths: dict[_Key, list[Truth]]


def read_ground_truth(source: str | os.PathLike | Mapping[str, Any]) -> GroundTruth:
    """Ground truth from a path or from the json's content.

    Raises:
        FileNotFoundError, DatasetError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    name, content = _name_and_content(source)
    if content.get("annotations") is None:
        raise DatasetError(f"{name}: has no 'annotations' (missing or null): there is no AP")
    header = _read_header(content, name)
    truths: dict[_Key, list[Truth]] = defaultdict(list)
    tracks = read_tracks(
        content["annotations"],
        name,
        header.videos,
        header.categories,
        all_crowds=not isinstance(source, (str, os.PathLike)),  # of some videos, maybe
    )
    for track in tracks:
        truths[track.video_id, track.category_id].append(_truth(track))
    set_areas([t.track for group in truths.values() for t in group])  # checked when they were read
    return replace(header, truths=truths)


def read_header(source: str | os.PathLike | Mapping[str, Any]) -> GroundTruth:
    """Videos and categories alone; the json needs no annotations.

    Raises:
        FileNotFoundError, DatasetError: as for :func:`read_ground_truth`.
    """
    name, content = _name_and_content(source)
    return _read_header(content, name)


def read_results(
    source: str | os.PathLike | list, ground_truth: GroundTruth
) -> dict[_Key, list[Result]]:
    """Results by (video id, category id), each list in the order of the file.

    Raises:
        FileNotFoundError, DatasetError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    results: dict[_Key, list[Result]] = defaultdict(list)
    for key, result in iterate_results(source, ground_truth):
        results[key].append(result)
    return results


def iterate_results(
    source: str | os.PathLike | list, ground_truth: GroundTruth
) -> Iterator[tuple[_Key, Result]]:
    """As :func:`read_results`, one result after the other."""
    is_path = isinstance(source, (str, os.PathLike))
    name = os.fspath(source) if is_path else "results"
    entries = read_result_list(source) if is_path else source
    if not isinstance(entries, (list, tuple)):
        raise DatasetError(f"{name}: {type(entries).__name__} found, expected a list")
    if not entries:
        logger.warning("%s: an empty list: nothing was found in any video", name)
    unknown: Counter = Counter()
    for index, entry in enumerate(entries):
        where = f"{name}[{index}]"
        video_id, category_id, score, segmentations = _values(entry, where)
        where = f"{where} (video {shown(video_id)})"
        if not is_key(video_id, ground_truth.videos):
            raise DatasetError(f"{where}: video_id {shown(video_id)} is not in {ground_truth.name}")
        if not is_key(category_id, ground_truth.categories):
            unknown[shown(category_id)] += 1
            continue
        if not is_number(score):
            raise DatasetError(f"{where}: score {shown(score)} is no finite number")
        track = _read_track(segmentations, ground_truth.videos[video_id], where)
        yield (video_id, category_id), Result(track, float(score))
    if unknown:
        logger.warning(
            "%s: %d results are ignored, as their categories are not in %s: %s",
            name,
            unknown.total(),
            ground_truth.name,
            ", ".join(sorted(unknown)),
        )


def is_key(key: Any, items: Mapping[int, Any]) -> bool:
    """``key in items`` for whatever a json may have in its place."""
    return isinstance(key, Hashable) and not isinstance(key, bool) and key in items


def _name_and_content(
    source: str | os.PathLike | Mapping[str, Any],
) -> tuple[str, Mapping[str, Any]]:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source), read_video_json(os.fspath(source))
    return "ground truth", to_ytvis(source, "ground truth")


def _read_header(content: Mapping[str, Any], name: str) -> GroundTruth:
    ids = sorted(read_categories(content, name)["thing_dataset_id_to_contiguous_id"])
    names = {category["id"]: category["name"] for category in content["categories"]}
    times = Counter(names.values())
    unique = {k: names[k] if times[names[k]] == 1 else f"{names[k]} (id {k})" for k in ids}
    return GroundTruth(name, read_videos(content, name, None), unique, {})


def _truth(track: Track) -> Truth:
    masks = TrackMasks(track.masks, track.where)
    if track.areas is None:
        set_areas([masks])
        mean_area = masks.mean_area
    else:
        nonzero = [area for area in track.areas if area]
        mean_area = float(np.mean(nonzero)) if nonzero else 0.0
    return Truth(track.id, masks, mean_area, track.crowd, track.id != 0)


def _values(entry: Any, where: str) -> list[Any]:
    if not isinstance(entry, Mapping):
        found = type(entry).__name__
        raise DatasetError(f"{where}: {found} found, expected a dict with {RESULT_KEYS}")
    missing = [key for key in RESULT_KEYS if key not in entry]
    if missing:
        raise DatasetError(
            f"{where}: key '{missing[0]}' is missing; expected {', '.join(RESULT_KEYS)}"
        )
    return [entry[key] for key in RESULT_KEYS]


def _read_track(segmentations: Any, video: Mapping[str, Any], where: str) -> TrackMasks:
    if not isinstance(segmentations, (list, tuple)):
        found = type(segmentations).__name__
        raise DatasetError(f"{where}: 'segmentations': {found} found, expected a list")
    if _are_plain(segmentations, video):
        return TrackMasks([mask or None for mask in segmentations], where)
    masks = read_masks(segmentations, video, where)
    for mask in masks:
        if isinstance(mask, DatasetError):
            raise mask
    return TrackMasks(masks, where)


def _are_plain(segmentations: list, video: Mapping[str, Any]) -> bool:
    """A mask or null for each frame, all as a json has them: the fast way, for most results."""
    masks, size = list(filter(None, segmentations)), [video["height"], video["width"]]
    try:
        sizes, types = [mask["size"] for mask in masks], {type(mask["counts"]) for mask in masks}
    except (TypeError, KeyError):
        return False
    is_plain = types <= {str} and sizes.count(size) == len(sizes)
    return is_plain and len(segmentations) == video["length"]
