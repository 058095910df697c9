"""From the slots of one frame to the instances that fired (sections III-B4, IV-A)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["binary_masks", "fired_slots"]


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
) -> Tensor:
    """Binary masks at the output size.

    Args:
        masks: ``(N, h, w)`` mask logits, without padding, at ``stride`` of the network's input.
        image_size: (height, width) of the network's input image without padding.
        output_size: (height, width) of the frame as the user gave it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds this.

    Returns:
        ``(N, *output_size)`` bool.
    """
    masks = masks.float()
    if not len(masks):
        return torch.zeros((0, *output_size), dtype=torch.bool, device=masks.device)
    full_size = [side * stride for side in masks.shape[-2:]]
    masks = F.interpolate(masks[:, None], size=full_size, mode="bilinear", align_corners=False)
    masks = masks[..., : image_size[0], : image_size[1]]
    if tuple(image_size) != tuple(output_size):
        masks = F.interpolate(masks, size=output_size, mode="bilinear", align_corners=False)
    # Compared as logits: the same as sigmoid(M) > threshold, without its rounding.
    return masks[:, 0] > math.log(mask_thresh / (1 - mask_thresh))
