"""A tiny COCO on disk: its 80 categories, images whose channels show where the objects are."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from rcf_vis.data.categories import COCO_NAMES

CATEGORIES = [{"id": number, "name": name} for number, name in COCO_NAMES.items()]

# COCO's id → YouTube-VIS's id, written out; the loose ones are 2 and 35
COCO_IDS = {
    2019: {
        1: 1, 2: 21, 3: 6, 4: 21, 5: 28, 7: 17, 8: 29, 9: 34, 17: 14, 18: 8, 19: 18,
        21: 15, 22: 32, 23: 20, 24: 30, 25: 22, 35: 33, 36: 33, 41: 5, 42: 27, 43: 40,
    },
    2021: {
        1: 26, 2: 23, 3: 5, 4: 23, 5: 1, 7: 36, 8: 37, 9: 4, 16: 3, 17: 6, 18: 9, 19: 19,
        21: 7, 22: 12, 23: 2, 24: 40, 25: 18, 34: 14, 35: 31, 36: 31, 41: 29, 42: 33, 43: 34,
    },
}  # fmt: skip


def box_polygon(left: int, top: int, right: int, bottom: int) -> list[float]:
    """The outline of the pixels [top, bottom) × [left, right)."""
    return [left, top, right, top, right, bottom, left, bottom]


def make_annotation(number: int, image: int, category: int, box: tuple, **changes) -> dict:
    left, top, right, bottom = box
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "iscrowd": 0,
        "segmentation": [[float(value) for value in box_polygon(*box)]],
        "bbox": [left, top, right - left, bottom - top],
        "area": (right - left) * (bottom - top),
        **changes,
    }


def make_image(number: int, size: tuple[int, int] = (48, 64)) -> dict:
    height, width = size
    return {"id": number, "height": height, "width": width, "file_name": f"{number:012d}.png"}


def write_coco(
    root: Path, images: list[dict], annotations: list[dict], changes: dict | None = None
) -> None:
    """Write ``root/coco`` with the images painted: an object fills channel id % 3 of its box.

    ``changes`` are made to the json after that.
    """
    (root / "coco/annotations").mkdir(parents=True)
    (root / "coco/train2017").mkdir()
    for image in images:
        pixels = np.zeros((image["height"], image["width"], 3), dtype=np.uint8)
        for annotation in annotations:
            if annotation["image_id"] == image["id"]:
                left, top, width, height = annotation["bbox"]
                pixels[top : top + height, left : left + width, annotation["id"] % 3] = 255
        Image.fromarray(pixels[..., ::-1]).save(root / "coco/train2017" / image["file_name"])
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    content.update(changes or {})
    path = root / "coco/annotations/instances_train2017.json"
    path.write_text(json.dumps(content))
