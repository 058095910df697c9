"""Objects cut out of training images, to be pasted into others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pycocotools.mask as mask_util
from detectron2.data import DatasetFromList

from rcf_vis.errors import DatasetError

from .frames import read_frame
from .masks import decode_rles, to_compressed_rle

__all__ = ["CutOut", "CutOutSource"]

_FEATHER = 2  # pixels around the object over which it fades out
_BORDER = 1.5  # an object whose box is so near to a side of the image is cut off there, pixels


@dataclass(frozen=True, eq=False)
class CutOut:
    """An object and what is to be seen of it.

    Attributes:
        category_id: contiguous.
        image: (h, w, 3) uint8, its box and a few pixels around it.
        alpha: (h, w) uint8, 255 in the object, falling to 0 across its border; 128 and more is the
            object.
    """

    category_id: int
    image: np.ndarray
    alpha: np.ndarray


class CutOutSource:
    """The objects of a training set that can be cut out.

    An object of a video counts once, where it is largest. Left out are crowds, what is small, and
    what the borders of its image cut off at more than one side.

    Args:
        records: of the training sets, with ``annotations``.
        min_area: least share of its image that an object covers.
        image_format: ``"BGR"`` or ``"RGB"``.

    Raises:
        DatasetError: there are not two images with such objects, so that none could be pasted
            into another image than its own.
    """

    def __init__(
        self, records: Iterable[dict[str, Any]], *, min_area: float, image_format: str
    ) -> None:
        found = [item for record in records for item in _objects_to_cut(record, min_area)]
        images = {item["file_name"] for item in found}
        if len(images) < 2:
            raise DatasetError(
                f"INPUT.COPY_PASTE: {len(images)} training images have objects to cut out (of at "
                f"least {100 * min_area:g} % of the image, cut off at one side at most); expected "
                "two or more, since none is pasted into its own"
            )
        of_class = defaultdict(list)
        for index, item in enumerate(found):
            of_class[item["category_id"]].append(index)
        self.of_class = {category: np.array(indices) for category, indices in of_class.items()}
        self.all = np.arange(len(found))
        self.items = DatasetFromList(found, copy=False)  # serialized: shared by the workers
        self.image_format = image_format

    def __len__(self) -> int:
        return len(self.all)

    def draw(self, category_id: int | None = None, not_of: Collection[str] = ()) -> CutOut | None:
        """One of them, at random, with numpy's global generator.

        Args:
            category_id: of this class, or of any.
            not_of: files whose objects are not wanted.

        Returns:
            None where a few draws did not find one.
        """
        indices = self.all if category_id is None else self.of_class.get(category_id, ())
        for _ in range(8 if len(indices) else 0):
            item = self.items[int(np.random.choice(indices))]
            if item["file_name"] not in not_of:
                return self._read(item)
        return None

    def _read(self, item: dict[str, Any]) -> CutOut:
        height, width = item["height"], item["width"]
        image = read_frame(
            item["file_name"],
            image_format=self.image_format,
            height=height,
            width=width,
            video_id=item["video_id"],
        )
        mask = decode_rles([item["segmentation"]], height, width)[0]
        x, y, w, h = mask_util.toBbox(item["segmentation"]).astype(int)
        rows = slice(max(y - 2 * _FEATHER, 0), y + h + 2 * _FEATHER)
        columns = slice(max(x - 2 * _FEATHER, 0), x + w + 2 * _FEATHER)
        alpha = cv2.blur(mask[rows, columns] * np.uint8(255), (_FEATHER + 1, _FEATHER + 1))
        return CutOut(item["category_id"], image[rows, columns], alpha)


def _objects_to_cut(record: dict[str, Any], min_area: float) -> Iterator[dict[str, Any]]:
    height, width = record["height"], record["width"]
    least = min_area * height * width
    best: dict[int, tuple[int, int, dict, int]] = {}
    for frame, items in enumerate(record["annotations"]):
        for item in items:
            if item.get("iscrowd", 0) or item["bbox"][2] * item["bbox"][3] < least:
                continue
            rle = to_compressed_rle(item["segmentation"], height, width)  # COCO's are polygons yet
            area = int(mask_util.area(rle))
            if area >= max(least, 1) and area > best.get(item["id"], (0,))[0]:
                best[item["id"]] = (area, frame, rle, item["category_id"])
    for _, frame, rle, category_id in best.values():
        x, y, w, h = mask_util.toBbox(rle)
        gaps = np.array([x, y, width - x - w, height - y - h])
        if (gaps < _BORDER).sum() <= 1:
            yield {
                "file_name": record["file_names"][frame],
                "video_id": record["video_id"],
                "height": height,
                "width": width,
                "category_id": category_id,
                "segmentation": rle,
            }
