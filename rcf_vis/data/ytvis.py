"""The YouTube-VIS json: one file → a list of records, one a video, checked as it is read."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

import pycocotools.mask as mask_util
from detectron2.data import MetadataCatalog
from detectron2.structures import BoxMode

from .categories import class_metadata
from .masks import rle_areas_covered, to_compressed_rle

logger = logging.getLogger(__name__)

_VIDEO_KEYS = {"id": int, "width": int, "height": int, "length": int, "file_names": list}
_ANNOTATION_KEYS = {"id": int, "video_id": int, "category_id": int, "segmentations": list}


class DatasetError(ValueError):
    """Data that cannot be used. The message names the file, the video and what was expected."""


def load_ytvis_json(
    json_file: str, image_root: str, dataset_name: str | None = None
) -> list[dict[str, Any]]:
    """Load a json in the YouTube-VIS format. Frames are not opened.

    Args:
        json_file: path of the json, with ``videos``, ``categories`` and (maybe) ``annotations``.
        image_root: folder that ``file_names`` are relative to.
        dataset_name: when given, ``thing_classes`` and ``thing_dataset_id_to_contiguous_id`` are
            set in its metadata; where they are there already, the json's must be the same.

    Returns:
        One dict a video, in the json's order: ``video_id``, ``height``, ``width`` (pixels),
        ``length`` (frames), ``file_names`` (absolute paths) and ``annotations``: for each frame a
        list of the objects in it, each with ``id`` (of the track, int), ``category_id``
        (contiguous, int), ``iscrowd`` (0 or 1), ``segmentation`` (compressed RLE), ``bbox`` and
        ``bbox_mode`` (``XYWH_ABS``). An object that is absent from a frame is not in its list.
        Where the json's ``annotations`` are missing or null (the official val and test sets), no
        record has ``annotations``.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: the json is broken, lacks a key, or contradicts itself.
    """
    start = time.perf_counter()
    content = _read_json(json_file)
    category_index = _read_categories(content, json_file, dataset_name)
    records = _read_videos(content, json_file, os.path.abspath(image_root))
    annotations = content.get("annotations")
    if annotations is not None:
        _read_annotations(annotations, json_file, records, category_index)
    logger.info(
        "Loaded %d videos with %s tracks from %s in %.1f s",
        len(records),
        "no" if annotations is None else len(annotations),
        json_file,
        time.perf_counter() - start,
    )
    return list(records.values())


def _read_json(json_file: str) -> dict[str, Any]:
    if not os.path.isfile(json_file):
        raise FileNotFoundError(f"{json_file}: no such file; expected a YouTube-VIS json")
    try:
        with open(json_file, encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{json_file}: not a complete json ({error})") from error
    if not isinstance(content, dict):
        raise DatasetError(
            f"{json_file}: a {type(content).__name__} at the top; expected a dict with the keys "
            "'videos', 'categories' and 'annotations'"
        )
    return content


def _check_keys(item: Any, keys: Mapping[str, type], where: str) -> None:
    """Raise unless ``item`` is a dict that has each key with a value of its type."""
    if not isinstance(item, dict):
        raise DatasetError(f"{where}: {type(item).__name__} found, expected a dict")
    for key, kind in keys.items():
        if key not in item:
            raise DatasetError(f"{where}: key '{key}' is missing; expected {', '.join(keys)}")
        if not isinstance(item[key], kind) or isinstance(item[key], bool):
            raise DatasetError(f"{where}: '{key}' is {item[key]!r:.80}, expected {kind.__name__}")


def _read_categories(
    content: dict[str, Any], json_file: str, dataset_name: str | None
) -> dict[int, int]:
    """Category id → contiguous index; sets, or compares with, the data set's metadata."""
    _check_keys(content, {"categories": list}, json_file)
    categories = content["categories"]
    for position, category in enumerate(categories):
        _check_keys(category, {"id": int, "name": str}, f"{json_file}: categories[{position}]")
    classes = class_metadata(categories)
    category_index = classes["thing_dataset_id_to_contiguous_id"]
    if not categories or len(category_index) != len(categories):
        raise DatasetError(f"{json_file}: 'categories' is empty or has an id twice")
    if dataset_name is not None:
        metadata = MetadataCatalog.get(dataset_name)
        for key, found in classes.items():
            expected = metadata.get(key)
            if expected is not None and expected != found:
                raise DatasetError(
                    f"{json_file}: 'categories' are not those of the data set '{dataset_name}' "
                    f"({key}): expected {expected}, found {found}"
                )
        metadata.set(**classes)
    return category_index


def _read_videos(
    content: dict[str, Any], json_file: str, image_root: str
) -> dict[int, dict[str, Any]]:
    """Video id → record without annotations."""
    _check_keys(content, {"videos": list}, json_file)
    if not content["videos"]:
        raise DatasetError(f"{json_file}: 'videos' is empty; expected at least one video")
    records: dict[int, dict[str, Any]] = {}
    for position, video in enumerate(content["videos"]):
        _check_keys(video, _VIDEO_KEYS, f"{json_file}: videos[{position}]{_id_of(video)}")
        where = f"{json_file}: video {video['id']}"
        names, length = video["file_names"], video["length"]
        if video["id"] in records:
            raise DatasetError(f"{where}: this id is there twice; expected ids to be unique")
        if min(video["width"], video["height"]) < 1:
            raise DatasetError(f"{where}: {video['width']}x{video['height']} is no size")
        if length != len(names) or not names:
            raise DatasetError(
                f"{where}: 'length' is {length} but 'file_names' has {len(names)} entries; "
                "expected the same number, at least 1"
            )
        if not all(isinstance(name, str) for name in names):
            raise DatasetError(f"{where}: 'file_names' has an entry that is no string")
        records[video["id"]] = {
            "video_id": video["id"],
            "height": video["height"],
            "width": video["width"],
            "length": length,
            "file_names": [os.path.join(image_root, name) for name in names],
        }
    return records


def _read_annotations(
    annotations: Any,
    json_file: str,
    records: dict[int, dict[str, Any]],
    category_index: dict[int, int],
) -> None:
    """Add to each record its ``annotations``, frame by frame."""
    if not isinstance(annotations, list):
        raise DatasetError(f"{json_file}: 'annotations' is neither a list nor null")
    for record in records.values():
        record["annotations"] = [[] for _ in range(record["length"])]
    seen: set[int] = set()
    for position, annotation in enumerate(annotations):
        where = f"{json_file}: annotations[{position}]{_id_of(annotation)}"
        _check_keys(annotation, _ANNOTATION_KEYS, where)
        where = f"{json_file}: annotation {annotation['id']} of video {annotation['video_id']}"
        if annotation["id"] in seen:
            raise DatasetError(f"{where}: this id is there twice; expected ids to be unique")
        seen.add(annotation["id"])
        if annotation["video_id"] not in records:
            raise DatasetError(f"{where}: 'videos' has no video with this id")
        if annotation["category_id"] not in category_index:
            raise DatasetError(
                f"{where}: category_id {annotation['category_id']} is not in 'categories'; "
                f"expected one of {sorted(category_index)}"
            )
        _add_track(
            annotation,
            records[annotation["video_id"]],
            category_index[annotation["category_id"]],
            where,
        )


def _add_track(
    annotation: dict[str, Any], record: dict[str, Any], category: int, where: str
) -> None:
    """Put one annotation (a track) into the frames of its video's record in which it is seen."""
    length = record["length"]
    rles = _read_masks(annotation["segmentations"], record, where)
    boxes = annotation.get("bboxes") or [None] * length
    if len(boxes) != length:
        raise DatasetError(f"{where}: {len(boxes)} 'bboxes' for a video of {length} frames")
    for frame, rle in rles.items():
        box = boxes[frame]
        if box is None:
            box = mask_util.toBbox(rle).tolist()
        record["annotations"][frame].append(
            {
                "id": annotation["id"],
                "category_id": category,
                "iscrowd": int(bool(annotation.get("iscrowd"))),
                "segmentation": rle,
                "bbox": box,
                "bbox_mode": BoxMode.XYWH_ABS,
            }
        )


def _read_masks(segmentations: list, record: dict[str, Any], where: str) -> dict[int, dict]:
    """Frame index → compressed RLE, for the frames whose segmentation is not null."""
    height, width, length = record["height"], record["width"], record["length"]
    if len(segmentations) != length:
        raise DatasetError(
            f"{where}: {len(segmentations)} 'segmentations' for a video of {length} frames; "
            "expected one (or null) a frame"
        )
    rles: dict[int, dict] = {}
    for frame, segmentation in enumerate(segmentations):
        if segmentation is None:
            continue
        try:
            rles[frame] = to_compressed_rle(segmentation, height, width)
        except ValueError as error:
            raise DatasetError(f"{where}: segmentations[{frame}]: {error}") from error
    for frame, covered in zip(rles, rle_areas_covered(list(rles.values())), strict=True):
        if covered != height * width:
            raise DatasetError(
                f"{where}: segmentations[{frame}]: 'counts' is cut off or broken; expected runs "
                f"that cover {height} x {width} pixels"
            )
    return rles


def _id_of(item: Any) -> str:
    """`` (id 7)`` where the item says so: a help to find it in the file."""
    return f" (id {item['id']})" if isinstance(item, dict) and "id" in item else ""
