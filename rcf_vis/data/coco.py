"""COCO's instance json → records of one-frame videos, under the classes of YouTube-VIS.

No converted file is made first. A record has the form of
:func:`~rcf_vis.data.ytvis.load_ytvis_json` with a ``length`` of 1. Its ``still_image`` is True: so
the mapper knows that it may make a clip of it. Masks stay as the json has them, polygons or RLE;
they are drawn when a clip is made.
"""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.structures import BoxMode

from rcf_vis.errors import DatasetError

from .categories import COCO_NAMES
from .json_rules import check_keys, read_json

__all__ = ["load_coco_stills"]

logger = logging.getLogger(__name__)

_CONTENT_KEYS = {"images": list, "categories": list, "annotations": list}
_IMAGE_KEYS = {"id": int, "width": int, "height": int, "file_name": str}
_ANNOTATION_KEYS = {"id": int, "image_id": int, "category_id": int}
_OBJECT_KEYS = {**_ANNOTATION_KEYS, "bbox": list}


def load_coco_stills(
    json_file: str, image_root: str, *, class_map: Mapping[str, str], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Load the objects of some of COCO's classes. Images are not opened.

    Args:
        json_file: path of COCO's ``instances_….json``. Its ``categories`` must be COCO's, id by id.
        image_root: folder that ``file_name`` is relative to.
        class_map: name in COCO → name in ``classes``, see
            :func:`~rcf_vis.data.categories.coco_to_ytvis`. Objects of other classes are left out.
        classes: the names of the contiguous categories, in order.

    Returns:
        One dict an image with at least one object, in the json's order: ``video_id`` (the image's
        id), ``height``, ``width``, ``length`` (1), ``still_image`` (True), ``file_names`` (one
        absolute path) and ``annotations``, a list of one list of objects with ``id``,
        ``category_id`` (contiguous), ``iscrowd`` (0), ``segmentation`` (polygons or RLE), ``bbox``
        and ``bbox_mode`` (``XYWH_ABS``). Crowds are dropped, and so are polygons of less than
        three points.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: the json is broken, lacks a key, contradicts itself, or has other categories.
    """
    start = time.perf_counter()
    content = read_json(json_file, "COCO's json of instances")
    check_keys(content, _CONTENT_KEYS, json_file)
    category_index = _read_categories(content["categories"], json_file, class_map, classes)
    records = _read_images(content["images"], json_file, os.path.abspath(image_root))
    counts = _read_annotations(content["annotations"], json_file, records, category_index)
    kept = [record for record in records.values() if record["annotations"][0]]
    logger.info(
        "Loaded %d of %d images, %d objects, from %s in %.1f s; left out %d crowds and %d objects "
        "without a polygon of three points",
        len(kept),
        len(records),
        counts["objects"],
        json_file,
        time.perf_counter() - start,
        counts["crowds"],
        counts["without mask"],
    )
    return kept


def _read_categories(
    categories: list, json_file: str, class_map: Mapping[str, str], classes: Sequence[str]
) -> dict[int, int | None]:
    """COCO's category id → contiguous index; None for a class that is not mapped."""
    category_index: dict[int, int | None] = {}
    for position, category in enumerate(categories):
        where = f"{json_file}: categories[{position}]"
        check_keys(category, {"id": int, "name": str}, where)
        number, name = category["id"], category["name"]
        if COCO_NAMES.get(number) != name:
            known = number in COCO_NAMES
            expected = f"'{COCO_NAMES[number]}' as in COCO" if known else "an id of COCO"
            raise DatasetError(f"{where}: id {number} is '{name}', expected {expected}")
        category_index[number] = classes.index(class_map[name]) if name in class_map else None
    return category_index


def _read_images(images: list, json_file: str, image_root: str) -> dict[int, dict[str, Any]]:
    """Image id → record without objects."""
    records: dict[int, dict[str, Any]] = {}
    for position, image in enumerate(images):
        check_keys(image, _IMAGE_KEYS, f"{json_file}: images[{position}]")
        where = f"{json_file}: image {image['id']}"
        if image["id"] in records:
            raise DatasetError(f"{where}: this id is there twice; expected ids to be unique")
        if min(image["width"], image["height"]) < 1:
            raise DatasetError(f"{where}: {image['width']}x{image['height']} is no size")
        records[image["id"]] = {
            "video_id": image["id"],
            "height": image["height"],
            "width": image["width"],
            "length": 1,
            "still_image": True,
            "file_names": [os.path.join(image_root, image["file_name"])],
            "annotations": [[]],
        }
    return records


def _read_annotations(
    annotations: list,
    json_file: str,
    records: dict[int, dict[str, Any]],
    category_index: dict[int, int | None],
) -> Counter:
    """Add to each record its objects; count what was added and what was left out."""
    counts: Counter = Counter()
    seen: set[int] = set()
    for position, annotation in enumerate(annotations):
        where = f"{json_file}: annotations[{position}]"
        check_keys(annotation, _ANNOTATION_KEYS, where)
        if annotation["id"] in seen:
            raise DatasetError(
                f"{where}: id {annotation['id']} is there twice, expected unique ids"
            )
        seen.add(annotation["id"])
        if annotation["image_id"] not in records:
            raise DatasetError(f"{where}: 'images' has no image {annotation['image_id']}")
        if annotation["category_id"] not in category_index:
            raise DatasetError(
                f"{where}: category_id {annotation['category_id']} is not in 'categories'"
            )
        category = category_index[annotation["category_id"]]
        if category is None:
            continue
        if annotation.get("iscrowd", 0):
            counts["crowds"] += 1
            continue
        segmentation = _usable_segmentation(annotation, where)
        if segmentation is None:
            counts["without mask"] += 1
            continue
        counts["objects"] += 1
        records[annotation["image_id"]]["annotations"][0].append(
            {
                "id": annotation["id"],
                "category_id": category,
                "iscrowd": 0,
                "segmentation": segmentation,
                "bbox": annotation["bbox"],
                "bbox_mode": BoxMode.XYWH_ABS,
            }
        )
    return counts


def _usable_segmentation(annotation: dict[str, Any], where: str) -> dict | list | None:
    """RLE as it is; polygons without those that enclose nothing, None where no polygon is left."""
    check_keys(annotation, _OBJECT_KEYS, where)
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        return segmentation
    if not isinstance(segmentation, list) or not all(isinstance(p, list) for p in segmentation):
        raise DatasetError(
            f"{where}: 'segmentation' is {segmentation!r:.80}, expected polygons or RLE"
        )
    polygons = [part for part in segmentation if len(part) >= 6 and len(part) % 2 == 0]
    return polygons or None
