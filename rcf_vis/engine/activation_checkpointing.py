"""Activation checkpointing: compute again in the backward pass what would take memory till then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from detectron2.layers import CNNBlockBase
from detectron2.layers.batch_norm import NaiveSyncBatchNorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from rcf_vis.modeling.transformer import DecoderLayer, EncoderLayer

__all__ = ["checkpoint_activations"]

_KEY = "SOLVER.ACTIVATION_CHECKPOINTING"
_BLOCKS = {"backbone": CNNBlockBase, "encoder": EncoderLayer, "decoder": DecoderLayer}


def checkpoint_activations(model: nn.Module, parts: Sequence[str]) -> None:
    """Keep only the inputs of the blocks of ``parts`` for the backward pass (in place).

    Losses, gradients and running statistics are the same numbers with and without; a block's
    forward pass is run twice. Without gradients (evaluation) nothing changes. Names of parameters
    stay.

    Args:
        model: ``backbone`` stands for Detectron2's residual blocks in ``model.backbone``, or for
            what its ``set_grad_checkpointing(True)`` does, where it has that, as timm's models do;
            ``encoder`` and ``decoder`` for the transformer layers.
        parts: of ``"backbone"``, ``"encoder"``, ``"decoder"``.

    Raises:
        ValueError: another name, or a part with which it cannot be done.
    """
    for part in parts:
        if part not in _BLOCKS:
            raise ValueError(f"{_KEY} names {part!r}, expected some of {', '.join(_BLOCKS)}")
        if part == "backbone" and hasattr(model.backbone, "set_grad_checkpointing"):
            _refuse(model.backbone, _BatchNorm)
            model.backbone.set_grad_checkpointing(True)
            continue
        root = model.backbone if part == "backbone" else model
        blocks = [module for module in root.modules() if isinstance(module, _BLOCKS[part])]
        if not blocks:
            raise ValueError(
                f"{_KEY} names {part!r}, but {type(root).__name__} has no "
                f"{_BLOCKS[part].__name__}; a backbone may have set_grad_checkpointing() instead"
            )
        for block in blocks:
            _refuse(block, NaiveSyncBatchNorm)
            block.forward = partial(_recomputed, block.forward)


def _recomputed(forward: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """``forward`` of a module, checkpointed where there is a backward pass to come."""
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    module = forward.__self__
    return checkpoint(
        forward,
        *args,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _statistics_at_rest(module)),
        **kwargs,
    )


@contextmanager
def _statistics_at_rest(module: nn.Module) -> Iterator[None]:
    """BatchNorm normalises as in training, but its running statistics stay what they are.

    The forward pass has counted the batch; its repetition must not count it again.
    """
    tracking = [
        (norm, norm.momentum, norm.num_batches_tracked.clone())
        for norm in module.modules()
        if isinstance(norm, _BatchNorm) and norm.track_running_stats and norm.training
    ]
    for norm, _, _ in tracking:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in tracking:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)


def _refuse(module: nn.Module, kind: type[nn.Module]) -> None:
    """ValueError where a normalisation would count each batch twice."""
    for name, norm in module.named_modules():
        if isinstance(norm, kind):
            raise ValueError(
                f"{_KEY}: the running statistics of the {type(norm).__name__} at '{name}' would "
                "be updated twice a step; expected a backbone with another normalisation, such as "
                "FrozenBN"
            )
