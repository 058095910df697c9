"""Ground truth and results in the YouTube-VIS format: read, checked, sorted by video and category.

Nothing is modified: of what is handed in, compressed masks are shared and all else is copied.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rcf_vis.errors import DatasetError

from .json_entries import (
    Video,
    by_id,
    check_category,
    check_list,
    is_finite,
    is_key,
    read_track,
    values_of,
)
from .json_files import read_items, read_json
from .track_iou import TrackMasks

__all__ = [
    "RESULT_KEYS",
    "GroundTruth",
    "Result",
    "Truth",
    "iterate_results",
    "read_ground_truth",
    "read_header",
    "read_json",
    "read_results",
]

logger = logging.getLogger(__name__)

RESULT_KEYS = ("video_id", "category_id", "score", "segmentations")


@dataclass(frozen=True, eq=False)
class Truth:
    """An annotation. ``mean_area`` is that of the json's ``areas``, not of the masks."""

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
        videos: id → size and length.
        categories: id → name, by ascending id.
        truths: (video id, category id) → annotations in the json's order.
    """

    name: str
    videos: dict[int, Video]
    categories: dict[int, str]
    truths: dict[tuple[int, int], list[Truth]]


def read_ground_truth(source: str | os.PathLike | Mapping[str, Any]) -> GroundTruth:
    """Ground truth from a path or from the json's content.

    Raises:
        FileNotFoundError, DatasetError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    name, content = _name_and_content(source)
    if isinstance(content, Mapping) and content.get("annotations") is None:
        raise DatasetError(f"{name}: has no 'annotations' (missing or null): there is no AP")
    (annotations,) = values_of(content, ("annotations",), name)
    header = _read_header(content, name)
    truths = _read_truths(check_list(annotations, name), header.videos, header.categories, name)
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
) -> dict[tuple[int, int], list[Result]]:
    """Results by (video id, category id), each list in the order of the file.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    results: dict[tuple[int, int], list[Result]] = defaultdict(list)
    for key, result in iterate_results(source, ground_truth):
        results[key].append(result)
    return results


def iterate_results(
    source: str | os.PathLike | list, ground_truth: GroundTruth
) -> Iterator[tuple[tuple[int, int], Result]]:
    """As :func:`read_results`, but one result after the other: none is kept."""
    is_path = isinstance(source, (str, os.PathLike))
    name = os.fspath(source) if is_path else "results"
    ids: dict[str, int] = {}
    index = -1
    for index, entry in enumerate(read_items(source) if is_path else check_list(source, name)):
        where = f"{name}[{index}]"
        video_id, category_id, score, segmentations = values_of(entry, RESULT_KEYS, where)
        where = f"{where} (video {video_id})"
        if not is_key(video_id, ground_truth.videos):
            raise ValueError(f"{where}: video_id {video_id!r} is not in {ground_truth.name}")
        check_category(category_id, ground_truth.categories, where)
        if not is_finite(score):
            raise ValueError(f"{where}: score {score!r} is no finite number")
        if "id" in entry and ids.setdefault(repr(entry["id"]), index) != index:
            first = ids[repr(entry["id"])]
            raise ValueError(f"{where}: id {entry['id']!r} is that of {name}[{first}] too")
        track = read_track(segmentations, ground_truth.videos[video_id], where)
        yield (video_id, category_id), Result(track, float(score))
    if index < 0:
        logger.warning("%s: an empty list: nothing was found in any video", name)


def _name_and_content(source: str | os.PathLike | Mapping[str, Any]) -> tuple[str, Any]:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source), read_json(source)
    return "ground truth", source


def _read_header(content: Any, name: str) -> GroundTruth:
    videos, categories = values_of(content, ("videos", "categories"), name)
    items = sorted(by_id(check_list(categories, name), f"{name}: categories").items())
    names = {key: str(category.get("name", key)) for key, category in items}
    if len(set(names.values())) != len(names):
        raise DatasetError(f"{name}: two 'categories' have the same name: {list(names.values())}")
    return GroundTruth(name, _read_videos(check_list(videos, name), name), names, {})


def _read_videos(items: list, name: str) -> dict[int, Video]:
    """Size and length of each video; the length is ``length``, or else that of ``file_names``."""
    videos = {}
    for key, video in by_id(items, f"{name}: videos").items():
        where = f"{name}: video {key}"
        size = values_of(video, ("height", "width"), where)
        length = video.get("length")
        if length is None:
            length = len(values_of(video, ("file_names",), where)[0])
        videos[key] = Video(size, length)
    return videos


def _read_truths(
    annotations: list, videos: Mapping[int, Video], categories: Mapping[int, str], name: str
) -> dict[tuple[int, int], list[Truth]]:
    truths: dict[tuple[int, int], list[Truth]] = defaultdict(list)
    for key, annotation in by_id(annotations, f"{name}: annotations").items():
        where = f"{name}: annotation {key}"
        video_id, category_id, segmentations = values_of(
            annotation, ("video_id", "category_id", "segmentations"), where
        )
        where = f"{where} (video {video_id})"
        check_category(category_id, categories, where)
        if video_id not in videos:
            logger.warning("%s: 'videos' has no such video; the annotation is left out", where)
            continue
        if key == 0:
            logger.warning("%s: the official evaluator never counts an id of 0 as found", where)
        track = read_track(segmentations, videos[video_id], where)
        areas = annotation.get("areas")
        mean_area = track.mean_area if areas is None else _mean_of_nonzero(areas, where)
        crowd = bool(annotation.get("iscrowd"))
        truths[video_id, category_id].append(Truth(track, mean_area, crowd, key != 0))
    return truths


def _mean_of_nonzero(areas: Any, where: str) -> float:
    try:
        nonzero = [area for area in areas if area]
        return float(np.array(nonzero).mean()) if nonzero else 0.0
    except TypeError as error:
        raise DatasetError(f"{where}: 'areas' is no list of numbers and nulls") from error
