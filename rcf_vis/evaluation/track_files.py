"""Ground truth and results in the YouTube-VIS format: read, checked, sorted by video and category.

Nothing is modified: of what is handed in, compressed masks are shared and all else is copied.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from rcf_vis.data.masks import to_compressed_rle
from rcf_vis.data.ytvis import DatasetError

from .track_iou import TrackMasks

__all__ = ["GroundTruth", "Result", "Truth", "read_ground_truth", "read_json", "read_results"]

logger = logging.getLogger(__name__)

# The last character of a run-length string; it would say otherwise that the number goes on
_LAST_CHARACTERS = {chr(code) for code in range(48, 80)} | {bytes([c]) for c in range(48, 80)}


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


@dataclass(frozen=True)
class _Video:
    size: list[int]  # height, width
    length: int


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
    videos: dict[int, _Video]
    categories: dict[int, str]
    truths: dict[tuple[int, int], list[Truth]]


def read_json(path: str | os.PathLike) -> Any:
    """Content of a json file.

    Raises:
        FileNotFoundError: it is not there.
        DatasetError: it is no complete json.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{os.fspath(path)}: no such file; expected a json")
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        except (ValueError, RecursionError) as error:
            raise DatasetError(f"{os.fspath(path)}: not a complete json ({error})") from error


def read_ground_truth(source: str | os.PathLike | Mapping[str, Any]) -> GroundTruth:
    """Ground truth from a path or from the json's content.

    Raises:
        FileNotFoundError, DatasetError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    name, content = _name_and_content(source, "ground truth")
    if isinstance(content, Mapping) and content.get("annotations") is None:
        raise DatasetError(f"{name}: has no 'annotations' (missing or null): there is no AP")
    items = _values(content, ("videos", "categories", "annotations"), name)
    videos, categories, annotations = (_list(item, name) for item in items)
    categories = _by_id(categories, f"{name}: categories")
    names = {key: str(category.get("name", key)) for key, category in sorted(categories.items())}
    if len(set(names.values())) != len(names):
        raise DatasetError(f"{name}: two 'categories' have the same name: {list(names.values())}")
    videos = _read_videos(videos, name)
    return GroundTruth(name, videos, names, _read_truths(annotations, videos, names, name))


def read_results(
    source: str | os.PathLike | list, ground_truth: GroundTruth
) -> dict[tuple[int, int], list[Result]]:
    """Results by (video id, category id), each list in the order of the file.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    name, entries = _name_and_content(source, "results")
    results: dict[tuple[int, int], list[Result]] = defaultdict(list)
    for index, entry in enumerate(_list(entries, name)):
        where = f"{name}[{index}]"
        video_id, category_id, score, segmentations = _values(
            entry, ("video_id", "category_id", "score", "segmentations"), where
        )
        where = f"{where} (video {video_id})"
        if video_id not in ground_truth.videos:
            raise ValueError(f"{where}: video_id {video_id!r} is not in {ground_truth.name}")
        _check_category(category_id, ground_truth.categories, where)
        if not isinstance(score, Real) or math.isnan(score):
            raise ValueError(f"{where}: score {score!r} is no number")
        track = _read_track(segmentations, ground_truth.videos[video_id], where)
        results[video_id, category_id].append(Result(track, float(score)))
    return results


def _name_and_content(source: Any, name: str) -> tuple[str, Any]:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source), read_json(source)
    return name, source


def _values(item: Any, keys: tuple[str, ...], where: str) -> list[Any]:
    if not isinstance(item, Mapping):
        raise DatasetError(f"{where}: {type(item).__name__} found, expected a dict with {keys}")
    missing = [key for key in keys if key not in item]
    if missing:
        raise DatasetError(f"{where}: key '{missing[0]}' is missing; expected {', '.join(keys)}")
    return [item[key] for key in keys]


def _list(items: Any, where: str) -> list | tuple:
    if not isinstance(items, (list, tuple)):
        raise DatasetError(f"{where}: {type(items).__name__} found, expected a list")
    return items


def _by_id(items: list, where: str) -> dict[int, Mapping[str, Any]]:
    """Items by their id, which must be unique."""
    found: dict[int, Mapping[str, Any]] = {}
    for index, item in enumerate(items):
        (key,) = _values(item, ("id",), f"{where}[{index}]")
        if key in found:
            raise DatasetError(f"{where}[{index}]: id {key} is there twice")
        found[key] = item
    return found


def _check_category(category_id: Any, categories: Mapping[int, str], where: str) -> None:
    if category_id not in categories:
        raise DatasetError(
            f"{where}: category_id {category_id!r} is not in the ground truth's 'categories'; "
            f"expected one of {list(categories)}"
        )


def _read_videos(items: list, name: str) -> dict[int, _Video]:
    """Size and length of each video; the length is ``length``, or else that of ``file_names``."""
    videos = {}
    for key, video in _by_id(items, f"{name}: videos").items():
        where = f"{name}: video {key}"
        size = _values(video, ("height", "width"), where)
        length = video.get("length")
        if length is None:
            length = len(_values(video, ("file_names",), where)[0])
        videos[key] = _Video(size, length)
    return videos


def _read_truths(
    annotations: list, videos: Mapping[int, _Video], categories: Mapping[int, str], name: str
) -> dict[tuple[int, int], list[Truth]]:
    truths: dict[tuple[int, int], list[Truth]] = defaultdict(list)
    for key, annotation in _by_id(annotations, f"{name}: annotations").items():
        where = f"{name}: annotation {key}"
        video_id, category_id, segmentations = _values(
            annotation, ("video_id", "category_id", "segmentations"), where
        )
        where = f"{where} (video {video_id})"
        _check_category(category_id, categories, where)
        if video_id not in videos:
            logger.warning("%s: 'videos' has no such video; the annotation is left out", where)
            continue
        if key == 0:
            logger.warning("%s: the official evaluator never counts an id of 0 as found", where)
        track = _read_track(segmentations, videos[video_id], where)
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


def _read_track(segmentations: Any, video: _Video, where: str) -> TrackMasks:
    """Masks with pycocotools-ready ``counts``; None for null and whatever else is empty."""
    segmentations = _list(segmentations, f"{where}: 'segmentations'")
    if len(segmentations) != video.length:
        raise DatasetError(
            f"{where}: {len(segmentations)} 'segmentations' for a video of {video.length} frames; "
            "expected a mask or null for each"
        )
    masks: list[dict | None] = []
    for frame, mask in enumerate(segmentations):
        if not mask:
            masks.append(None)
            continue
        if not isinstance(mask, dict) or not _is_plain(mask, video.size):
            mask = _to_rle(mask, video, where, frame)
        if mask["counts"][-1:] not in _LAST_CHARACTERS:
            raise DatasetError(f"{where}: segmentations[{frame}]: 'counts' is cut off or broken")
        masks.append(mask)
    return TrackMasks(masks, where)


def _is_plain(mask: dict, size: list[int]) -> bool:
    """Compressed, of this size, in the types that a json has."""
    found = mask.get("size")
    return type(found) is list and found == size and type(mask.get("counts")) in (str, bytes)


def _to_rle(segmentation: Any, video: _Video, where: str, frame: int) -> dict:
    """Polygons and uncompressed run lengths in compressed form; anything else is an error."""
    try:
        return to_compressed_rle(segmentation, *video.size)
    except ValueError as error:
        raise DatasetError(f"{where}: segmentations[{frame}]: {error}") from error
