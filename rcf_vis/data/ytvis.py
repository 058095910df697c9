"""The YouTube-VIS json: one file → a list of records, one a video, checked as it is read.

The rules are here alone. Training and testing stop at the first fault; the check
(:mod:`rcf_vis.data.checks.datasets`) collects them all: each reader takes what to do about one.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from detectron2.data import MetadataCatalog

from rcf_vis.audio.folder import AudioFolder
from rcf_vis.errors import DatasetError, shown
from rcf_vis.limits import check_limit

from .categories import class_metadata
from .json_forms import read_video_json
from .json_rules import (
    OnFault,
    check_keys,
    check_size,
    id_of,
    is_number,
    is_text,
    note,
    raise_fault,
)
from .roots import Root
from .ytvis_tracks import add_ignored, read_annotations

__all__ = ["load_ytvis_json", "read_categories", "read_videos"]

logger = logging.getLogger(__name__)

_VIDEO_KEYS = {"id": int, "width": int, "height": int}
_FRAME_KEYS = {"length": int, "file_names": list}
_FRAME_RATE_KEYS = ("frame_rate", "fps")
_FRAME_RATE = 6.0
"""The paper's (section IV-B1): of a video with audio whose json does not say."""
_SLOWEST, _FASTEST = 1e-3, 1e6


def load_ytvis_json(
    json_file: str,
    image_root: str,
    dataset_name: str | None = None,
    audio_root: str | None = None,
    ignore_classes: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Load a json in the YouTube-VIS format, or COCO's. Frames and audio are not opened.

    Args:
        json_file: path of the json, with ``videos``, ``categories`` and (maybe) ``annotations``,
            or one of another form that :mod:`~rcf_vis.data.json_forms` reads.
        image_root: folder that ``file_names`` are relative to.
        dataset_name: when given, ``thing_classes`` and ``thing_dataset_id_to_contiguous_id`` are
            set in its metadata; where they are there already, the json's must be the same.
        audio_root: folder of the videos' audio, see
            :class:`~rcf_vis.audio.folder.AudioFolder`; None: a data set without audio.
        ignore_classes: names of categories that are no classes: their objects have ``ignore``
            (True) and a ``category_id`` of -1, and count as crowds.

    Returns:
        One dict a video, in the json's order: ``video_id``, ``height``, ``width`` (pixels),
        ``length`` (frames), ``file_names`` (absolute paths) and ``annotations``: for each frame a
        list of the objects in it, each with ``id`` (of the track, int), ``category_id``
        (contiguous, int), ``iscrowd`` (0 or 1), ``segmentation`` (compressed RLE), ``bbox`` and
        ``bbox_mode`` (``XYWH_ABS``). An object that is absent from a frame is not in its list.
        Where the json's ``annotations`` are missing or null (the official val and test sets), no
        record has ``annotations``. With an ``audio_root`` a record also has ``audio_file`` (path,
        None where the video has no audio) and ``frame_rate`` (frames a second: the json's
        ``frame_rate`` or ``fps`` of the video, else 6.0). That of an image of COCO's form has
        ``still_image`` (True), and one of which the json says that not every object is annotated
        ``exhaustive`` (False).

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: the json is broken, lacks a key, or contradicts itself; a file name leads out
            of its folder; an image of COCO's form is not there.
    """
    start = time.perf_counter()
    content = read_video_json(json_file, ignore_classes=ignore_classes)
    classes = read_categories(content, json_file, dataset_name)
    if dataset_name is not None:
        MetadataCatalog.get(dataset_name).set(**classes)
    records = read_videos(content, json_file, image_root, audio_root=audio_root)
    _check_stills(records, json_file)
    annotations = content.get("annotations")
    if annotations is not None:
        read_annotations(annotations, json_file, records, classes)
        add_ignored(content.get("ignored", []), json_file, records)
    logger.info(
        "Loaded %d videos with %s tracks from %s in %.1f s",
        len(records),
        "no" if annotations is None else len(annotations),
        json_file,
        time.perf_counter() - start,
    )
    return list(records.values())


def _check_stills(records: dict[int, dict[str, Any]], json_file: str) -> None:
    """Pictures are gathered from many places: what is not there is said before the training."""
    stills = [record for record in records.values() if record.get("still_image")]
    missing = [r["file_names"][0] for r in stills if not os.path.isfile(r["file_names"][0])]
    if missing:
        raise DatasetError(
            f"{json_file}: {len(missing)} of {len(stills)} images are not there, the first: "
            f"{missing[0]}",
            "images",
        )


def read_categories(
    content: Mapping[str, Any],
    json_file: str,
    dataset_name: str | None = None,
    on_fault: OnFault = raise_fault,
) -> dict[str, Any] | None:
    """The json's classes, as :func:`~rcf_vis.data.categories.class_metadata` has them.

    They must be those of the metadata of ``dataset_name``, where it has any. None after a fault
    that leaves nothing to number.
    """
    try:
        check_keys(content, {"categories": list}, json_file)
        categories = content["categories"]
        for position, category in enumerate(categories):
            where = f"{json_file}: categories[{position}]"
            check_keys(category, {"id": int, "name": str}, where)
        if not categories or len({category["id"] for category in categories}) != len(categories):
            raise DatasetError(
                f"{json_file}: 'categories' is empty or has an id twice", "categories"
            )
    except DatasetError as fault:
        on_fault(fault)
        return None
    classes = class_metadata(categories)
    times = Counter(classes["thing_classes"])
    if twice := [name for name, number in times.items() if number > 1]:
        text = f"categories of the same name, told apart by their ids: {', '.join(twice[:10])}"
        note(on_fault, json_file, text)
    metadata = MetadataCatalog.get(dataset_name) if dataset_name is not None else {}
    for key, found in classes.items():
        expected = metadata.get(key)
        if expected is not None and expected != found:
            message = (
                f"{json_file}: 'categories' are not those of the data set '{dataset_name}' "
                f"({key}): expected {expected}, found {found}"
            )
            on_fault(DatasetError(message, "categories"))
            break  # the names and the numbers of one list: one fault
    return classes


def read_videos(
    content: Mapping[str, Any],
    json_file: str,
    image_root: str | None,
    on_fault: OnFault = raise_fault,
    *,
    audio_root: str | None = None,
) -> dict[int, dict[str, Any] | None]:
    """Video id → record without annotations; None for a video that is at fault.

    Without an ``image_root`` no frames are read, and a record has no ``file_names``: where it is
    None, a video needs either its ``length`` or its ``file_names``, where it is "", both.
    """
    records: dict[int, dict[str, Any] | None] = {}
    try:
        check_keys(content, {"videos": list}, json_file)
        if not content["videos"]:
            raise DatasetError(
                f"{json_file}: 'videos' is empty (or 'images', of COCO's form)", "videos"
            )
    except DatasetError as fault:
        on_fault(fault)
        return records
    root = Root(image_root) if image_root else None
    audio_folder = None if audio_root is None else AudioFolder(audio_root)
    audio = None if audio_root is None else Root(audio_root)
    for position, video in enumerate(content["videos"]):
        where = f"{json_file}: videos[{position}]{id_of(video)}"
        try:
            _check_video_keys(video, where, with_files=image_root is not None)
            where = f"{json_file}: video {video['id']}"
            if video["id"] in records:
                raise DatasetError(
                    f"{where}: this id is there twice; expected ids to be unique", "ids"
                )
            record = _read_video(video, root, where)
            if audio_folder is not None:
                file = audio_folder.of_video(video["file_names"])
                record["audio_file"] = file and audio.place(file, where)
                record["frame_rate"] = _read_frame_rate(video, where)
            records[video["id"]] = record
        except DatasetError as fault:
            on_fault(fault)
            if isinstance(video, dict) and isinstance(video.get("id"), int):
                records.setdefault(video["id"], None)
    return records


def _check_video_keys(video: Any, where: str, *, with_files: bool) -> None:
    check_keys(video, _VIDEO_KEYS, where)
    there = {key: kind for key, kind in _FRAME_KEYS.items() if key in video}
    check_keys(video, _FRAME_KEYS if with_files or not there else there, where)


def _read_video(video: dict[str, Any], root: Root | None, where: str) -> dict[str, Any]:
    names = video.get("file_names")
    length = video.get("length", len(names or ()))
    check_size(video, where)
    if length < 1 or (names is not None and length != len(names)):
        raise DatasetError(
            f"{where}: 'length' is {length} but 'file_names' has {len(names or ())} entries; "
            "expected the same number, at least 1",
            "lengths",
        )
    check_limit("VIDEO_FRAMES", length, f"{where}: frames of a video")
    record = {key: video[key] for key in ("height", "width")} | {"length": length}
    if not all(map(is_text, names or ())):
        raise DatasetError(f"{where}: 'file_names' has an entry that is no string", "videos")
    if root is not None:
        record["file_names"] = [root.place(name, where) for name in names]
    exhaustive = video.get("exhaustive", True)
    if not isinstance(exhaustive, bool):
        raise DatasetError(
            f"{where}: 'exhaustive' is {shown(exhaustive)}, expected a bool", "videos"
        )
    if not exhaustive:
        record["exhaustive"] = False
    if video.get("still_image"):
        record["still_image"] = True
    return {"video_id": video["id"], **record}


def _read_frame_rate(video: dict[str, Any], where: str) -> float:
    """Frames a second, which say where in its audio a frame is."""
    given = [key for key in _FRAME_RATE_KEYS if video.get(key) is not None]
    if not given:
        return _FRAME_RATE
    value = video[given[0]]
    if not is_number(value) or not _SLOWEST <= value <= _FASTEST:
        raise DatasetError(
            f"{where}: '{given[0]}' is {shown(value)}, expected frames a second, over 0", "videos"
        )
    return float(value)
