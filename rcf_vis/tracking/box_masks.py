"""Binary masks that are kept, compared and encoded inside their boxes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["BoxMasks"]

_LETTERS = 7  # of COCO's compressed RLE that a number of 32 bits can need


@dataclass(frozen=True, eq=False)
class BoxMasks:
    """N binary masks of one size, each as its tight box and what is in it; on the host.

    A frame of 3840×2160 with ten masks is 83 MB as one tensor, and nearly all of it is empty.
    Arrays are numpy's: :mod:`rcf_vis.runtime` does without PyTorch.

    Attributes:
        size: (height, width) of the whole masks.
        boxes: (x0, y0, x1, y1) of each, exclusive; all 0 for an empty mask.
        crops: bool ``(y1 − y0, x1 − x0)`` of each.
    """

    size: tuple[int, int]
    boxes: Sequence[tuple[int, int, int, int]]
    crops: Sequence[np.ndarray]

    @classmethod
    def from_crops(
        cls, size: tuple[int, int], corners: Sequence[tuple[int, int]], crops: Sequence[np.ndarray]
    ) -> BoxMasks:
        """Of masks in boxes that need not be tight; ``corners`` are their (x0, y0)."""
        boxes, tight = [], []
        for (x0, y0), crop in zip(corners, crops, strict=True):
            rows, columns = (np.flatnonzero(crop.any(axis)) for axis in (1, 0))
            if not len(rows):
                boxes.append((0, 0, 0, 0))
                tight.append(crop[:0, :0])
                continue
            top, bottom = int(rows[0]), int(rows[-1]) + 1
            left, right = int(columns[0]), int(columns[-1]) + 1
            boxes.append((x0 + left, y0 + top, x0 + right, y0 + bottom))
            tight.append(crop[top:bottom, left:right])
        return cls(tuple(size), boxes, tight)

    @classmethod
    def from_dense(cls, masks: np.ndarray | Tensor) -> BoxMasks:
        """Of bool ``(N, H, W)``, an array or a tensor on any device."""
        masks = _array(masks)
        return cls.from_crops(masks.shape[1:], [(0, 0)] * len(masks), list(masks))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, item: int | slice | np.ndarray | Tensor) -> BoxMasks:
        """Some of them: by a number, a slice, bool ``(N,)`` or indices."""
        if isinstance(item, int):
            if not -len(self) <= item < len(self):
                raise IndexError(f"mask {item} of {len(self)}")
            item = [item]
        chosen = np.arange(len(self))[item if isinstance(item, slice) else _array(item)]
        return BoxMasks(self.size, [self.boxes[k] for k in chosen], [self.crops[k] for k in chosen])

    def array(self) -> np.ndarray:
        """Bool ``(N, H, W)``."""
        masks = np.zeros((len(self), *self.size), dtype=bool)
        for mask, (x0, y0, x1, y1), crop in zip(masks, self.boxes, self.crops, strict=True):
            mask[y0:y1, x0:x1] = crop
        return masks

    def dense(self, device: torch.device | str | None = None) -> Tensor:
        """:meth:`array` as a tensor."""
        import torch

        return torch.from_numpy(self.array()).to(device)

    def areas(self) -> np.ndarray:
        """Pixels of each, ``(N,)`` int64."""
        return np.array([np.count_nonzero(crop) for crop in self.crops], dtype=np.int64)

    def iou(self, other: BoxMasks) -> np.ndarray:
        """IoU of each with each of another N′: ``(N, N′)`` float32; 0 where both are empty.

        Raises:
            ValueError: they are of another size.
        """
        if self.size != other.size:
            raise ValueError(
                f"masks of {self.size} pixels follow masks of {other.size}: all frames of a video "
                "must have one size"
            )
        common = np.zeros((len(self), len(other)), dtype=np.int64)
        for i, (box, crop) in enumerate(zip(self.boxes, self.crops, strict=True)):
            for j, (other_box, other_crop) in enumerate(zip(other.boxes, other.crops, strict=True)):
                x0, y0 = max(box[0], other_box[0]), max(box[1], other_box[1])
                x1, y1 = min(box[2], other_box[2]), min(box[3], other_box[3])
                if x0 < x1 and y0 < y1:
                    one = crop[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
                    two = other_crop[
                        y0 - other_box[1] : y1 - other_box[1], x0 - other_box[0] : x1 - other_box[0]
                    ]
                    common[i, j] = np.count_nonzero(one & two)
        union = self.areas()[:, None] + other.areas() - common
        return (common / np.maximum(union, 1)).astype(np.float32)

    def rles(self) -> list[dict | None]:
        """COCO's compressed RLE of each, with ``counts`` as str; None where a mask is empty."""
        return [
            _encode(crop, box, self.size) if crop.size else None
            for crop, box in zip(self.crops, self.boxes, strict=True)
        ]


def _encode(crop: np.ndarray, box: Sequence[int], size: tuple[int, int]) -> dict:
    """From where the runs begin and end, column by column: the rest of the frame is not touched."""
    (height, width), (x0, y0, _, _) = size, box
    columns = np.zeros((crop.shape[1], crop.shape[0] + 2), dtype=np.int8)
    columns[:, 1:-1] = crop.T
    column, row = np.nonzero(np.diff(columns, axis=1))  # start, end, start, end …
    places = (x0 + column) * height + y0 + row
    # A run that ends with its column may go on at the top of the next.
    goes_on = np.flatnonzero(places[1:-1:2] == places[2::2])
    places = np.delete(places, np.concatenate((2 * goes_on + 1, 2 * goes_on + 2)))
    runs = np.diff(places, prepend=0, append=height * width)
    if not runs[-1]:
        runs = runs[:-1]
    return {"size": [height, width], "counts": _as_text(runs)}


def _as_text(runs: np.ndarray) -> str:
    """COCO's compression: from the fourth on the difference to the run before the last, in base 32.

    Of the six bits of a letter the highest says that the number goes on in the next one.
    """
    numbers = runs.astype(np.int64)
    numbers[3:] -= runs[1:-2]
    shifts = 5 * np.arange(_LETTERS)
    digits = (numbers[:, None] >> shifts) & 31
    rest = numbers[:, None] >> (shifts + 5)
    length = (rest == -(digits >> 4)).argmax(1)[:, None]  # the sign is the last digit's highest bit
    places = np.arange(_LETTERS)
    letters = digits + 32 * (places < length) + ord("0")
    return letters[places <= length].astype(np.uint8).tobytes().decode("ascii")


def _array(values: np.ndarray | Sequence | Tensor) -> np.ndarray:
    return np.asarray(values.cpu() if hasattr(values, "cpu") else values)
