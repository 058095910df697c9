"""From the slots of one frame to the instances that fired (sections III-B4, IV-A).

The network may run on a GPU; decisions are made on the host. So two things are copied, each once a
frame: what says which slots fire and where, then the masks of those that do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from rcf_vis.tracking import BoxMasks, Enlargement
from rcf_vis.tracking.enlargement import BLOCK

__all__ = ["SlotSummary", "binary_masks", "summarize_slots"]


@dataclass(frozen=True)
class SlotSummary:
    """What is known of N slots before their masks are, on the host.

    Attributes:
        probabilities: ``(N, num_classes)`` float32, the empty class left out.
        rows, columns: bool ``(N, h)`` and ``(N, w)``: the cells of S_t, row by row and column by
            column, in which a mask is above the threshold.
    """

    probabilities: Tensor
    rows: np.ndarray
    columns: np.ndarray

    def fired(self, score_thresh: float) -> list[int]:
        """The slots whose best class probability reaches ``score_thresh``, ascending."""
        return torch.nonzero(self.probabilities.amax(-1) >= score_thresh).flatten().tolist()


def summarize_slots(logits: Tensor, masks: Tensor, mask_thresh: float) -> SlotSummary:
    """The first copy to the host.

    Args:
        logits: ``(N, num_classes + 1)``, the empty class last.
        masks: ``(N, h, w)`` mask logits, without padding.
        mask_thresh: a pixel belongs to a mask when its probability exceeds this.
    """
    probabilities = logits.float().softmax(-1)[:, :-1]
    above = masks.float() > _as_logit(mask_thresh)
    sizes = (probabilities.shape[1], *masks.shape[1:])
    joined = torch.cat((probabilities, above.any(2), above.any(1)), dim=1).cpu()
    probabilities, rows, columns = joined.split(sizes, dim=1)
    return SlotSummary(probabilities, rows.numpy() > 0, columns.numpy() > 0)


def binary_masks(
    masks: Tensor,
    slots: Sequence[int],
    summary: SlotSummary,
    *,
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
        slots: which of them; F indices.
        summary: of these masks, with the same ``mask_thresh``.
        image_size: (height, width) of the network's input image without padding.
        output_size: (height, width) of the frame as the user gave it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds this.

    Returns:
        F masks of ``output_size``, on the host.
    """
    least = _as_logit(mask_thresh)
    axes = [
        _on_device(cells, stride, image, output, masks.device)
        for cells, image, output in zip(masks.shape[-2:], image_size, output_size, strict=True)
    ]
    corners, crops = [], []
    for slot in slots:
        # A pixel is a mean of cells: it can exceed the threshold where one of its cells does.
        rows, columns = (
            axis.reached_by(cells[slot])
            for (axis, _), cells in zip(axes, (summary.rows, summary.columns), strict=True)
        )
        cells = _apply(*axes[0], masks[slot].float(), rows)
        corners.append((columns[0], rows[0]))
        crops.append(_apply(*axes[1], cells.T, columns).T > least)
    return BoxMasks.from_crops(tuple(output_size), corners, _on_host(crops))


def _as_logit(mask_thresh: float) -> float:
    """Masks are compared as logits: the same as sigmoid(M) > threshold, without its rounding."""
    return math.log(mask_thresh / (1 - mask_thresh))


def _on_host(crops: list[Tensor]) -> list[np.ndarray]:
    """The second copy, of all of them at once."""
    if all(crop.device.type == "cpu" for crop in crops):
        return [crop.numpy() for crop in crops]
    shapes = [crop.shape for crop in crops]
    flat = torch.cat([crop.flatten() for crop in crops]).cpu()
    parts = flat.split([shape.numel() for shape in shapes])
    return [part.view(shape).numpy() for part, shape in zip(parts, shapes, strict=True)]


@lru_cache(maxsize=32)
def _on_device(
    cells: int, stride: int, image: int, output: int, device: torch.device
) -> tuple[Enlargement, Tensor]:
    """Of one axis; and its matrix on the device."""
    enlargement = Enlargement.of(cells, stride, image, output)
    with torch.inference_mode(False):  # it is kept, for whichever mode comes next
        return enlargement, torch.from_numpy(enlargement.matrix).to(device)


def _apply(
    enlargement: Enlargement, matrix: Tensor, data: Tensor, reach: tuple[int, int]
) -> Tensor:
    """:meth:`Enlargement.apply` on a device.

    On a GPU a multiplication with zeros costs less than a second one.
    """
    start, stop = reach
    block = BLOCK if data.device.type == "cpu" else max(stop - start, 1)
    blocks = enlargement.blocks(start, stop, block)
    parts = [matrix[outputs, cells] @ data[cells] for outputs, cells in blocks]
    return torch.cat([data[:0], *parts])
