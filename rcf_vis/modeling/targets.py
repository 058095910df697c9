"""Predictions and ground truth of a batch in the form in which the loss compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from detectron2.structures import Instances
from torch import Tensor
from torch.nn import functional as F

__all__ = ["FrameTargets", "SlotPredictions", "frame_targets"]


@dataclass(frozen=True)
class SlotPredictions:
    """The N slots of one frame of each clip of a batch.

    Attributes:
        logits: ``(B, N, num_classes + 1)`` class logits, the empty class last.
        masks: ``(B, N, h, w)`` mask logits at the resolution of S_t, with its padding.
    """

    logits: Tensor
    masks: Tensor


@dataclass(frozen=True)
class FrameTargets:
    """The M objects that are visible in one frame of the clips of a batch.

    Masks are compared at the resolution of S_t: a cell of the ground truth is the share of its
    pixels that the object covers [ours]; a cell that the border of the image cuts has only the
    pixels inside. That is a sixteenth of the work of comparing pixels, and the shares still say
    where in a cell the border of the object runs.

    Attributes:
        keys: (clip's index in the batch, object's identity) of each object.
        clips: ``(M,)`` int64, the clip's index alone.
        classes: ``(M,)`` int64.
        masks: ``(M, h, w)`` float in [0, 1], zero in the padding.
        valid: ``(B, h, w)`` float, 1 in the cells that hold at least one pixel of the image.
        non_exhaustive: indices of the clips in which not every object is annotated.
        ignored: ``(B, h, w)`` float in [0, 1], places where it is not said what is there; None:
            there are none.
    """

    keys: list[tuple[int, int]]
    clips: Tensor
    classes: Tensor
    masks: Tensor
    valid: Tensor
    non_exhaustive: tuple[int, ...] = ()
    ignored: Tensor | None = None

    def __len__(self) -> int:
        return len(self.keys)


def frame_targets(
    instances: Sequence[Instances],
    stride: int,
    size: tuple[int, int],
    device: torch.device,
    non_exhaustive: Sequence[int] = (),
    ignored: Mapping[int, Tensor] | None = None,
) -> FrameTargets:
    """Lay out the ground truth of one frame of each clip.

    Objects whose mask is empty are not visible in the frame, hence no ground truth of it.

    Args:
        instances: one a clip, with ``gt_classes``, ``gt_ids`` and ``gt_masks`` (BitMasks).
        stride: of S_t.
        size: (rows, columns) of S_t, with its padding.
        device: where the result lies.
        non_exhaustive: indices of the clips in which not every object is annotated.
        ignored: index of a clip → bool ``(H, W)``, its places of which nothing is said.
    """
    keys, classes, masks = [], [], []
    valid = torch.zeros(len(instances), *size)
    for clip, objects in enumerate(instances):
        height, width = objects.image_size
        valid[clip, : -(-height // stride), : -(-width // stride)] = 1
        tensor = objects.gt_masks.tensor
        visible = tensor.flatten(1).any(dim=1)
        keys.extend((clip, identity) for identity in objects.gt_ids[visible].tolist())
        classes.append(objects.gt_classes[visible])
        masks.append(_shares_of_cells(tensor[visible], stride, size))
    places = None
    if ignored:
        places = torch.zeros(len(instances), *size)
        for clip, mask in ignored.items():
            places[clip] = _shares_of_cells(mask[None], stride, size)[0]
    return FrameTargets(
        keys=keys,
        clips=torch.tensor([clip for clip, _ in keys], dtype=torch.int64, device=device),
        classes=torch.cat(classes).to(device),
        masks=torch.cat(masks).to(device),
        valid=valid.to(device),
        non_exhaustive=tuple(non_exhaustive),
        ignored=None if places is None else places.to(device),
    )


def _shares_of_cells(masks: Tensor, stride: int, size: tuple[int, int]) -> Tensor:
    """Bool ``(M, height, width)`` → float ``(M, *size)``, the share of the pixels in each cell."""
    height, width = masks.shape[1:]
    padded = F.pad(masks, (0, size[1] * stride - width, 0, size[0] * stride - height))
    blocks = padded.unflatten(2, (-1, stride)).unflatten(1, (-1, stride))
    rows, columns = (
        (side - stride * torch.arange(cells)).clamp(1, stride)
        for side, cells in zip((height, width), size, strict=True)
    )
    pixels = (rows[:, None] * columns).to(masks.device)
    return blocks.sum(dim=(2, 4), dtype=torch.float32) / pixels
