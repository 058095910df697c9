"""The ``annotations`` of a YouTube-VIS json: tracks → the objects of each frame of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pycocotools.mask as mask_util
from detectron2.structures import BoxMode

from rcf_vis.errors import DatasetError

from .json_rules import OnFault, check_keys, id_of, raise_fault
from .masks import rle_areas_covered, to_compressed_rle

_ANNOTATION_KEYS = {"id": int, "video_id": int, "category_id": int, "segmentations": list}


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
        records: of :func:`~rcf_vis.data.ytvis.read_videos`. Objects of a video that is at fault
            (None) are passed over.
        classes: of :func:`~rcf_vis.data.ytvis.read_categories`; without, all categories are 0.
        progress: a bar around the list of annotations, e.g. tqdm.
    """
    if not isinstance(annotations, list):
        on_fault(DatasetError(f"{json_file}: 'annotations' is neither a list nor null", "keys"))
        return
    for record in filter(None, records.values()):
        record["annotations"] = [[] for _ in range(record["length"])]
    category_index = classes and classes["thing_dataset_id_to_contiguous_id"]
    seen: set[int] = set()
    for position, annotation in enumerate(progress(annotations)):
        where = f"{json_file}: annotations[{position}]{id_of(annotation)}"
        try:
            check_keys(annotation, _ANNOTATION_KEYS, where)
            where = f"{json_file}: annotation {annotation['id']} of video {annotation['video_id']}"
            if annotation["id"] in seen:
                raise DatasetError(
                    f"{where}: this id is there twice; expected ids to be unique", "ids"
                )
            seen.add(annotation["id"])
            if annotation["video_id"] not in records:
                raise DatasetError(f"{where}: 'videos' has no video with this id", "ids")
            category = annotation["category_id"]
            if category_index is not None and category not in category_index:
                raise DatasetError(
                    f"{where}: category_id {category} is not in 'categories'; "
                    f"expected one of {sorted(category_index)}",
                    "category ids",
                )
            record = records[annotation["video_id"]]
            if record is not None:
                category = category_index[category] if category_index is not None else 0
                _add_track(annotation, record, category, where, on_fault)
        except DatasetError as fault:
            on_fault(fault)


def _add_track(
    annotation: dict[str, Any],
    record: dict[str, Any],
    category: int,
    where: str,
    on_fault: OnFault,
) -> None:
    """Put one annotation (a track) into the frames of its video's record in which it is seen."""
    length = record["length"]
    rles = _read_masks(annotation["segmentations"], record, where, on_fault)
    boxes = annotation.get("bboxes") or [None] * length
    if not isinstance(boxes, list) or len(boxes) != length:
        found = len(boxes) if isinstance(boxes, list) else f"{boxes!r:.80} as"
        raise DatasetError(f"{where}: {found} 'bboxes' for a video of {length} frames", "lengths")
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


def _read_masks(
    segmentations: list, record: dict[str, Any], where: str, on_fault: OnFault
) -> dict[int, dict]:
    """Frame index → compressed RLE, for the frames whose segmentation is not null."""
    height, width, length = record["height"], record["width"], record["length"]
    if len(segmentations) != length:
        raise DatasetError(
            f"{where}: {len(segmentations)} 'segmentations' for a video of {length} frames; "
            "expected one (or null) a frame",
            "lengths",
        )
    rles: dict[int, dict] = {}
    for frame, segmentation in enumerate(segmentations):
        if segmentation is None:
            continue
        try:
            rles[frame] = to_compressed_rle(segmentation, height, width)
        except (ArithmeticError, TypeError, ValueError) as error:
            on_fault(DatasetError(f"{where}: segmentations[{frame}]: {error}", "masks"))
    covered = dict(zip(rles, rle_areas_covered(list(rles.values())), strict=True))
    for frame in [frame for frame, area in covered.items() if area != height * width]:
        del rles[frame]
        message = (
            f"{where}: segmentations[{frame}]: 'counts' is cut off or broken; expected runs "
            f"that cover {height} x {width} pixels"
        )
        on_fault(DatasetError(message, "masks"))
    return rles
