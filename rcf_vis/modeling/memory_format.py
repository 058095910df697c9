"""Channels-last tensors: the same network in the memory layout that convolutions prefer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["use_channels_last"]


def use_channels_last(model: nn.Module) -> None:
    """Keep the weights of convolutions and the images channel by channel of a pixel (in place).

    Losses and gradients are the same up to rounding; names, shapes and checkpoints stay. The
    activations of the backbone follow its images; what comes behind it takes either layout.

    Args:
        model: its ``backbone`` takes a batch of images, ``(B, 3, H, W)``.
    """
    model.to(memory_format=torch.channels_last)
    model.backbone.register_forward_pre_hook(_images_channels_last)


def _images_channels_last(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    images, *others = inputs
    return images.contiguous(memory_format=torch.channels_last), *others
