"""COCO's instance json → records of one-frame videos, under the classes of YouTube-VIS.

No converted file is made first. A record has the form of
:func:`~rcf_vis.data.ytvis.load_ytvis_json` with a ``length`` of 1. Its ``still_image`` is True: so
the mapper knows that it may make a clip of it. Masks stay as the json has them, polygons or RLE;
they are drawn when a clip is made.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from detectron2.structures import BoxMode

from rcf_vis.errors import DatasetError, shown

from .categories import COCO_NAMES
from .json_rules import (
    OnFault,
    check_box,
    check_keys,
    check_size,
    note,
    raise_fault,
    read_crowd,
    read_json,
    with_fault,
)
from .masks import check_polygons, rle_areas_covered, to_compressed_rle
from .roots import Root

__all__ = ["load_coco_stills"]

logger = logging.getLogger(__name__)

_CONTENT_KEYS = {"images": list, "categories": list, "annotations": list}
_IMAGE_KEYS = {"id": int, "width": int, "height": int, "file_name": str}
_ANNOTATION_KEYS = {"id": int, "image_id": int, "category_id": int}
_OBJECT_KEYS = {**_ANNOTATION_KEYS, "bbox": list}


def load_coco_stills(
    json_file: str,
    image_root: str,
    *,
    class_map: Mapping[str, str],
    classes: Sequence[str],
    on_fault: OnFault = raise_fault,
) -> list[dict[str, Any]]:
    """Load the objects of some of COCO's classes. Images are not opened.

    Args:
        json_file: path of COCO's ``instances_….json``. Its ``categories`` must be COCO's, id by id.
        image_root: folder that ``file_name`` is relative to.
        class_map: name in COCO → name in ``classes``, see
            :func:`~rcf_vis.data.categories.coco_to_ytvis`. Objects of other classes are left out.
        classes: the names of the contiguous categories, in order.
        on_fault: is called with each fault of an image or an object, which is left out where it
            returns.

    Returns:
        One dict an image with at least one object, in the json's order: ``video_id`` (the image's
        id), ``height``, ``width``, ``length`` (1), ``still_image`` (True), ``file_names`` (one
        absolute path) and ``annotations``, a list of one list of objects with ``id``,
        ``category_id`` (contiguous), ``iscrowd`` (0), ``segmentation`` (polygons or RLE), ``bbox``
        and ``bbox_mode`` (``XYWH_ABS``). Crowds are dropped, and so are polygons of less than
        three points.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: the json is broken, lacks a key, contradicts itself, or has other categories;
            a mask cannot be drawn; a file name leads out of the folder.
    """
    start = time.perf_counter()
    content = read_json(json_file, "COCO's json of instances")
    check_keys(content, _CONTENT_KEYS, json_file)
    category_index = _read_categories(content["categories"], json_file, class_map, classes)
    records: dict[int, dict[str, Any] | None] = {}  # None for an image that is at fault
    root = Root(image_root)
    for position, image in enumerate(content["images"]):
        where = f"{json_file}: images[{position}]"
        with_fault(on_fault, _add_image, image, where, json_file, records, root)
    counts: Counter[str] = Counter()
    seen: set[int] = set()
    for position, annotation in enumerate(content["annotations"]):
        where = f"{json_file}: annotations[{position}]"
        with_fault(on_fault, _add_object, annotation, where, records, category_index, seen, counts)
    if counts["crowds"]:
        note(on_fault, json_file, f"{counts['crowds']} crowds are left out")
    if counts["without mask"]:
        text = f"left out {counts['without mask']} objects without a polygon of three points"
        note(on_fault, json_file, text)
    kept = [record for record in records.values() if record and record["annotations"][0]]
    logger.info(
        "Loaded %d of %d images, %d objects, from %s in %.1f s",
        len(kept),
        len(records),
        counts["objects"],
        json_file,
        time.perf_counter() - start,
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


def _add_image(
    image: Any,
    where: str,
    json_file: str,
    records: dict[int, dict[str, Any] | None],
    root: Root,
) -> None:
    """Add an image's record without objects."""
    check_keys(image, _IMAGE_KEYS, where)
    where, number = f"{json_file}: image {image['id']}", image["id"]
    if number in records:
        raise DatasetError(f"{where}: this id is there twice; expected ids to be unique")
    records[number] = None
    check_size(image, where)
    records[number] = {
        "video_id": number,
        "height": image["height"],
        "width": image["width"],
        "length": 1,
        "still_image": True,
        "file_names": [root.place(image["file_name"], where)],
        "annotations": [[]],
    }


def _add_object(
    annotation: Any,
    where: str,
    records: Mapping[int, dict[str, Any] | None],
    category_index: Mapping[int, int | None],
    seen: set[int],
    counts: Counter[str],
) -> None:
    """Add an object to the record of its image; count what is added and what is left out."""
    check_keys(annotation, _ANNOTATION_KEYS, where)
    if annotation["id"] in seen:
        raise DatasetError(f"{where}: id {annotation['id']} is there twice, expected unique ids")
    seen.add(annotation["id"])
    if annotation["image_id"] not in records:
        raise DatasetError(f"{where}: 'images' has no image {annotation['image_id']}")
    if annotation["category_id"] not in category_index:
        raise DatasetError(
            f"{where}: category_id {annotation['category_id']} is not in 'categories'"
        )
    category, record = category_index[annotation["category_id"]], records[annotation["image_id"]]
    if category is None or record is None:
        return
    if read_crowd(annotation, where):
        counts["crowds"] += 1
        return
    segmentation = _usable_segmentation(annotation, record, where)
    if segmentation is None:
        counts["without mask"] += 1
        return
    counts["objects"] += 1
    record["annotations"][0].append(
        {
            "id": annotation["id"],
            "category_id": category,
            "iscrowd": 0,
            "segmentation": segmentation,
            "bbox": annotation["bbox"],
            "bbox_mode": BoxMode.XYWH_ABS,
        }
    )


def _usable_segmentation(
    annotation: dict[str, Any], record: dict[str, Any], where: str
) -> dict | list | None:
    """RLE as it is; polygons without those that enclose nothing, None where no polygon is left."""
    check_keys(annotation, _OBJECT_KEYS, where)
    check_box(annotation["bbox"], where)
    segmentation = annotation.get("segmentation")
    is_list = isinstance(segmentation, list) and all(isinstance(p, list) for p in segmentation)
    if not is_list and not isinstance(segmentation, dict):
        raise DatasetError(
            f"{where}: 'segmentation' is {shown(segmentation)}, expected polygons or RLE", "masks"
        )
    try:
        if isinstance(segmentation, dict):
            rle = to_compressed_rle(segmentation, record["height"], record["width"])
            if rle_areas_covered([rle])[0] != record["height"] * record["width"]:
                raise ValueError("run lengths that do not cover the image")
            return rle
        polygons = [part for part in segmentation if len(part) >= 6 and len(part) % 2 == 0]
        check_polygons(polygons)  # drawn when a clip is made
    except (ArithmeticError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: {error}", "masks") from error
    return polygons or None
