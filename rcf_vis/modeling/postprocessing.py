"""From the slots of one frame to the instances that fired (sections III-B4, IV-A)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rcf_vis.tracking import BoxMasks

__all__ = ["binary_masks", "fired_slots"]

_BLOCK = 128


def fired_slots(logits: Tensor, score_thresh: float) -> tuple[Tensor, Tensor]:
    """The slots whose best class probability reaches ``score_thresh``.

    Args:
        logits: ``(N, num_classes + 1)``, the empty class last.

    Returns:
        Indices of the fired slots, int64 ``(F,)`` ascending, and their class probabilities
        ``(F, num_classes)``, the empty class left out.
    """
    probabilities = logits.float().softmax(-1)[:, :-1]
    fired = torch.nonzero(probabilities.amax(-1) >= score_thresh).squeeze(1)
    return fired, probabilities[fired]


def binary_masks(
    masks: Tensor,
    stride: int,
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    mask_thresh: float,
) -> BoxMasks:
    """Binary masks at the output size, each computed where it can be alone.

    Enlarged to the padded input, cropped to the image, resized to the output, bilinearly: two
    linear maps of the rows and two of the columns, each pair of them as one matrix.

    Args:
        masks: ``(N, h, w)`` mask logits, without padding, at ``stride`` of the network's input.
        image_size: (height, width) of the network's input image without padding.
        output_size: (height, width) of the frame as the user gave it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds this.

    Returns:
        N masks of ``output_size``.
    """
    masks = masks.float()
    # Compared as logits: the same as sigmoid(M) > threshold, without its rounding.
    least = math.log(mask_thresh / (1 - mask_thresh))
    rows, columns = (
        _enlargement(cells, stride, image, output, masks.device)
        for cells, image, output in zip(masks.shape[-2:], image_size, output_size, strict=True)
    )
    # A pixel is a mean of cells: it can exceed the threshold where one of its cells does.
    above = masks > least
    of_rows, of_columns = above.any(2).cpu().numpy(), above.any(1).cpu().numpy()
    corners, crops = [], []
    for mask, in_rows, in_columns in zip(masks, of_rows, of_columns, strict=True):
        top, bottom = rows.reached_by(in_rows)
        left, right = columns.reached_by(in_columns)
        cells = rows.apply(mask, top, bottom)
        corners.append((left, top))
        crops.append(columns.apply(cells.T, left, right).T > least)
    return BoxMasks.from_crops(tuple(output_size), corners, crops)


@dataclass(frozen=True, eq=False)
class _Enlargement:
    """A linear map of one axis, of which each output is a mean of a few neighbouring cells.

    Attributes:
        matrix: ``(output, cells)``.
        first, last: ``(output,)`` int, the first and the last cell of each output; ascending.
    """

    matrix: Tensor
    first: np.ndarray
    last: np.ndarray

    def reached_by(self, cells: np.ndarray) -> tuple[int, int]:
        """The outputs, from and up to, that are made of some of these cells, bool ``(cells,)``."""
        places = np.flatnonzero(cells)
        if not len(places):
            return 0, 0
        start = int(np.searchsorted(self.last, places[0]))
        return start, max(start, int(np.searchsorted(self.first, places[-1], side="right")))

    def apply(self, data: Tensor, start: int, stop: int) -> Tensor:
        """The outputs ``start`` … ``stop − 1`` of ``data`` ``(cells, n)``: ``(stop − start, n)``.

        In blocks, of which each reads its own cells: for a large mask the matrix is mostly zeros.
        """
        parts = [data[:0]]
        for low in range(start, stop, _BLOCK):
            high = min(low + _BLOCK, stop)
            cells = slice(int(self.first[low]), int(self.last[high - 1]) + 1)
            parts.append(self.matrix[low:high, cells] @ data[cells])
        return torch.cat(parts)


@lru_cache(maxsize=32)
def _enlargement(
    cells: int, stride: int, image: int, output: int, device: torch.device
) -> _Enlargement:
    """Of one axis: to ``cells · stride`` pixels, of which the first ``image``, to ``output``."""
    with torch.inference_mode(False):  # it is kept, for whichever mode comes next
        matrix = torch.eye(cells)[None]  # (1, cells, cells)
        matrix = F.interpolate(matrix, size=cells * stride, mode="linear")[..., :image]
        if image != output:
            matrix = F.interpolate(matrix, size=output, mode="linear")
        matrix = matrix[0].T.contiguous()
    used = matrix.numpy() > 0
    first, last = used.argmax(1), cells - 1 - used[:, ::-1].argmax(1)
    return _Enlargement(matrix.to(device), first, last)
