"""The ``annotations`` of a YouTube-VIS json: one reader for training, evaluation and the checks."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pycocotools.mask as mask_util
from detectron2.structures import BoxMode

from rcf_vis.errors import DatasetError, shown

from .json_rules import (
    OnFault,
    check_box,
    check_keys,
    id_of,
    is_number,
    note,
    raise_fault,
    read_crowd,
)
from .masks import rle_areas_covered, to_compressed_rle

__all__ = ["Track", "add_ignored", "broken_counts", "read_annotations", "read_masks", "read_tracks"]

logger = logging.getLogger(__name__)

_ANNOTATION_KEYS = {"id": int, "video_id": int, "category_id": int, "segmentations": list}
_LARGEST = 1e12  # pixels


@dataclass(frozen=True, eq=False)
class Track:
    """An annotation: an object through its video.

    Attributes:
        id, video_id, category_id: the json's.
        crowd: ``iscrowd``.
        masks: compressed RLE of each frame of the video, None where the object is absent.
        boxes: the json's ``bboxes``, one a frame; None where it has none.
        areas: the json's ``areas``, numbers and nulls; None where it has none.
        where: names it in errors.
    """

    id: int
    video_id: int
    category_id: int
    crowd: bool
    masks: list[dict | None]
    boxes: list | None
    areas: list | None
    where: str


def read_tracks(
    annotations: Any,
    json_file: str,
    videos: Mapping[int, Mapping[str, Any] | None],
    category_ids: Container[int] | None,
    on_fault: OnFault = raise_fault,
    progress: Callable[[list], Iterable] = iter,
    *,
    all_crowds: bool = False,
) -> Iterator[Track]:
    """The annotations of a json, checked.

    Those of a video that is not in ``videos`` are left out, as the official evaluator does, with
    one counted warning (a fault, where faults are collected). How many are crowds, or have no mask,
    is said too.

    Args:
        videos: id → ``height``, ``width``, ``length``; None for a video that is at fault, whose
            annotations are passed over.
        category_ids: of the json; None: any.
        progress: a bar around the list of annotations, e.g. tqdm.
        all_crowds: it is no fault when all are crowds: there is nothing to train on or to find.
    """
    if not isinstance(annotations, list):
        on_fault(DatasetError(f"{json_file}: 'annotations' is neither a list nor null", "keys"))
        return
    seen: set[int] = set()
    strays: list[str] = []
    counts: Counter[str] = Counter()
    for position, annotation in enumerate(progress(annotations)):
        where = f"{json_file}: annotations[{position}]{id_of(annotation)}"
        try:
            check_keys(annotation, _ANNOTATION_KEYS, where)
            video_id, category = annotation["video_id"], annotation["category_id"]
            where = f"{json_file}: annotation {annotation['id']} of video {video_id}"
            if annotation["id"] in seen:
                raise DatasetError(
                    f"{where}: this id is there twice; expected ids to be unique", "ids"
                )
            seen.add(annotation["id"])
            if video_id not in videos:
                strays.append(f"annotation {annotation['id']} of video {video_id}")
                continue
            if category_ids is not None and category not in category_ids:
                raise DatasetError(
                    f"{where}: category_id {category} is not in 'categories'; "
                    f"expected one of {sorted(category_ids)}",
                    "category ids",
                )
            if videos[video_id] is not None:
                track = _read_track(annotation, videos[video_id], where, on_fault)
                counts["tracks"] += 1
                counts["crowds"] += track.crowd
                counts["empty"] += not any(track.masks)
                counts["0"] += track.id == 0
                yield track
        except DatasetError as fault:
            on_fault(fault)
    _report(counts, json_file, on_fault, all_crowds)
    if strays:
        message = (
            f"{json_file}: {len(strays)} annotations of videos that are not in 'videos' are left "
            f"out, the first: {strays[0]}"
        )
        if on_fault is raise_fault:
            logger.warning(message)
        else:
            on_fault(DatasetError(message, "ids"))


def _report(counts: Counter[str], json_file: str, on_fault: OnFault, all_crowds: bool) -> None:
    """What of the tracks is not used as the others are."""
    tracks, crowds = counts["tracks"], counts["crowds"]
    if tracks and crowds == tracks and not all_crowds:
        message = (
            f"{json_file}: all {tracks} tracks are crowds ('iscrowd' 1), which are neither trained "
            "on nor looked for; some tools write that of each object with a run-length mask"
        )
        on_fault(DatasetError(message, "crowds"))
    elif crowds:
        text = f"{crowds} of {tracks} tracks are crowds, neither trained on nor looked for"
        note(on_fault, json_file, text)
    if counts["empty"]:
        note(on_fault, json_file, f"{counts['empty']} of {tracks} tracks have no mask in any frame")
    if counts["0"]:
        text = "the official evaluator never counts an annotation with the id of 0 as found"
        note(on_fault, json_file, text)


def read_annotations(
    annotations: Any,
    json_file: str,
    records: Mapping[int, dict[str, Any] | None],
    classes: dict[str, Any] | None,
    on_fault: OnFault = raise_fault,
    progress: Callable[[list], Iterable] = iter,
) -> None:
    """Add to each record its ``annotations``, frame by frame.

    Args:
        records: of :func:`~rcf_vis.data.ytvis.read_videos`.
        classes: of :func:`~rcf_vis.data.ytvis.read_categories`; without, all categories are 0.
        annotations, on_fault, progress: see :func:`read_tracks`.
    """
    if isinstance(annotations, list):
        for record in filter(None, records.values()):
            record["annotations"] = [[] for _ in range(record["length"])]
    numbers = classes and classes["thing_dataset_id_to_contiguous_id"]
    for track in read_tracks(annotations, json_file, records, numbers, on_fault, progress):
        category = 0 if numbers is None else numbers[track.category_id]
        _add_track(records, track, category_id=category, iscrowd=int(track.crowd))


def add_ignored(
    annotations: list,
    json_file: str,
    records: Mapping[int, dict[str, Any] | None],
    on_fault: OnFault = raise_fault,
) -> None:
    """Add to the ``annotations`` of each record those of categories that are no classes."""
    for track in read_tracks(annotations, json_file, records, None, on_fault, all_crowds=True):
        _add_track(records, track, category_id=-1, iscrowd=1, ignore=True)


def _add_track(
    records: Mapping[int, dict[str, Any] | None], track: Track, **values: int | bool
) -> None:
    frames = records[track.video_id]["annotations"]
    for frame, rle in enumerate(track.masks):
        if rle is None:
            continue
        box = None if track.boxes is None else track.boxes[frame]
        frames[frame].append(
            {
                "id": track.id,
                **values,
                "segmentation": rle,
                "bbox": mask_util.toBbox(rle).tolist() if box is None else box,
                "bbox_mode": BoxMode.XYWH_ABS,
            }
        )


def _read_track(
    annotation: dict[str, Any], video: Mapping[str, Any], where: str, on_fault: OnFault
) -> Track:
    masks = read_masks(annotation["segmentations"], video, where)
    covered = rle_areas_covered([mask for mask in masks if isinstance(mask, dict)])
    pixels, areas = video["height"] * video["width"], iter(covered.tolist())
    for frame, mask in enumerate(masks):
        fault = mask if isinstance(mask, DatasetError) else None
        if isinstance(mask, dict) and next(areas) != pixels:
            fault = DatasetError(
                f"{where}: segmentations[{frame}]: {broken_counts(video)}", "masks"
            )
        if fault is not None:
            on_fault(fault)
            masks[frame] = None
    return Track(
        *(annotation[key] for key in ("id", "video_id", "category_id")),
        crowd=read_crowd(annotation, where),
        masks=masks,
        boxes=_read_boxes(annotation, video["length"], where),
        areas=_read_areas(annotation, video["length"], where),
        where=where,
    )


def _one_a_frame(annotation: dict[str, Any], key: str, length: int, where: str) -> list | None:
    items = annotation.get(key) or None
    if items is not None and (not isinstance(items, list) or len(items) != length):
        found = len(items) if isinstance(items, list) else f"{shown(items)} as"
        raise DatasetError(f"{where}: {found} '{key}' for a video of {length} frames", "lengths")
    return items


def _read_areas(annotation: dict[str, Any], length: int, where: str) -> list | None:
    areas = _one_a_frame(annotation, "areas", length, where)
    for area in areas or ():
        if area is not None and not (is_number(area) and 0 <= area <= _LARGEST):
            raise DatasetError(
                f"{where}: 'areas' has {shown(area)}, expected numbers and nulls", "areas"
            )
    return areas


def _read_boxes(annotation: dict[str, Any], length: int, where: str) -> list | None:
    boxes = _one_a_frame(annotation, "bboxes", length, where)
    if boxes is not None:
        boxes = [None if box == [] else box for box in boxes]  # of a frame without the object
    for box in boxes or ():
        if box is not None:
            check_box(box, f"{where}: 'bboxes'")
    return boxes


def read_masks(
    segmentations: list, video: Mapping[str, Any], where: str
) -> list[dict | DatasetError | None]:
    """Compressed RLE of each frame, or what is wrong with it; None where there is no mask.

    Run-length strings are not decoded here: see :func:`~rcf_vis.data.masks.rle_areas_covered`.

    Raises:
        DatasetError: another number of masks than frames.
    """
    height, width, length = video["height"], video["width"], video["length"]
    if len(segmentations) != length:
        raise DatasetError(
            f"{where}: {len(segmentations)} 'segmentations' for a video of {length} frames; "
            "expected one (or null) a frame",
            "lengths",
        )
    masks: list[dict | DatasetError | None] = []
    for frame, segmentation in enumerate(segmentations):
        try:
            empty = segmentation is None or segmentation in ([], {})
            mask = None if empty else to_compressed_rle(segmentation, height, width)
        except (ArithmeticError, TypeError, ValueError) as error:
            mask = DatasetError(f"{where}: segmentations[{frame}]: {error}", "masks")
        masks.append(mask)
    return masks


def broken_counts(video: Mapping[str, Any]) -> str:
    """What is said of a run-length string that :func:`rle_areas_covered` does not find right."""
    return (
        f"'counts' is cut off or broken; expected runs that cover {video['height']} x "
        f"{video['width']} pixels"
    )
