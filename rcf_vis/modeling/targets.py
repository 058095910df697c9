"""Predictions and ground truth of a batch in the form in which the loss compares them."""

from __future__ import annotations

from collections.abc import Sequence
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
        masks: ``(B, N, h, w)`` mask logits at the resolution of S_t.
        valid_sizes: rows and columns of ``masks`` that are image, for each clip; the rest is
            padding, which nothing here looks at.
    """

    logits: Tensor
    masks: Tensor
    valid_sizes: Sequence[tuple[int, int]]

    def edge_padded_masks(self) -> Tensor:
        """``masks`` with the padding overwritten by the image's last row and column.

        An interpolated mask then has at its border the value that it has without padding.
        """
        height, width = self.masks.shape[-2:]
        last = torch.tensor(self.valid_sizes, device=self.masks.device) - 1
        rows = torch.minimum(torch.arange(height, device=last.device), last[:, :1])
        columns = torch.minimum(torch.arange(width, device=last.device), last[:, 1:])
        clip = torch.arange(len(last), device=last.device)[:, None, None]
        edge_padded = self.masks.movedim(1, -1)[clip, rows[:, :, None], columns[:, None]]
        return edge_padded.movedim(-1, 1)


@dataclass(frozen=True)
class FrameTargets:
    """The M objects that are visible in one frame of the clips of a batch.

    Attributes:
        keys: (clip's index in the batch, object's identity) of each object.
        clips: ``(M,)`` int64, the clip's index alone.
        classes: ``(M,)`` int64.
        masks: ``(M, H, W)`` float, 0 or 1, zero in the padding.
        coarse_masks: ``(M, h, w)`` float in [0, 1]: ``masks`` averaged to the resolution of S_t.
        valid: ``(B, H, W)`` float, 1 where a pixel of ``masks`` lies under a valid cell of S_t.
        coarse_valid: ``(B, h, w)`` float, the same for ``coarse_masks``.
    """

    keys: list[tuple[int, int]]
    clips: Tensor
    classes: Tensor
    masks: Tensor
    coarse_masks: Tensor
    valid: Tensor
    coarse_valid: Tensor

    def __len__(self) -> int:
        return len(self.keys)


def frame_targets(
    instances: Sequence[Instances], stride: int, coarse_size: tuple[int, int], device: torch.device
) -> FrameTargets:
    """Lay out the ground truth of one frame of each clip.

    Objects whose mask is empty are not visible in the frame, hence no ground truth of it.

    Args:
        instances: one a clip, with ``gt_classes``, ``gt_ids`` and ``gt_masks`` (BitMasks).
        stride: of S_t.
        coarse_size: (rows, columns) of S_t, with its padding.
        device: where the result lies.
    """
    height, width = (side * stride for side in coarse_size)
    keys, classes, masks = [], [], []
    coarse_valid = torch.zeros(len(instances), *coarse_size)
    for clip, objects in enumerate(instances):
        h, w = objects.image_size
        coarse_valid[clip, : -(-h // stride), : -(-w // stride)] = 1
        tensor = objects.gt_masks.tensor
        visible = tensor.flatten(1).any(dim=1)
        keys.extend((clip, identity) for identity in objects.gt_ids[visible].tolist())
        classes.append(objects.gt_classes[visible])
        masks.append(F.pad(tensor[visible], (0, width - w, 0, height - h)))
    all_masks = torch.cat(masks).to(device).float()
    coarse_valid = coarse_valid.to(device)
    return FrameTargets(
        keys=keys,
        clips=torch.tensor([clip for clip, _ in keys], dtype=torch.int64, device=device),
        classes=torch.cat(classes).to(device),
        masks=all_masks,
        coarse_masks=_block_mean(all_masks, stride),
        valid=coarse_valid.repeat_interleave(stride, 1).repeat_interleave(stride, 2),
        coarse_valid=coarse_valid,
    )


def _block_mean(masks: Tensor, size: int) -> Tensor:
    blocks = masks.unflatten(2, (-1, size)).unflatten(1, (-1, size))
    return blocks.mean(dim=(2, 4))
