"""A trained model made ready for inference: the same numbers, sooner."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import wraps
from typing import Any

import torch

from rcf_vis.modeling import RCF
from rcf_vis.modeling.folding import fold_batch_norms
from rcf_vis.modeling.memory_format import use_channels_last

__all__ = ["optimize_for_inference"]


def optimize_for_inference(model: RCF, *, inplace: bool = False, compile: bool = False) -> RCF:
    """Fold the batch norms of the backbone and lay its tensors out channels-last.

    :class:`~rcf_vis.inference.OnlinePredictor` does so by itself. What the model takes and gives,
    its state among it, stays; its numbers are equal up to rounding; the names of its parameters are
    not those of a checkpoint any more.

    Args:
        model: trained; on its device.
        inplace: change the model itself, which can then be trained no longer.
        compile: compile the backbone with ``torch.compile``, which needs a C++ compiler on a CPU
            (``MODEL.RCF.TEST.COMPILE``). The first frame of each size then takes half a minute;
            PyTorch compiles 8 sizes and runs others as they are.

    Returns:
        a model in evaluation mode.

    Example::

        fast = rcf_vis.optimize_for_inference(model)
        instances, state = fast.track(image, state, (height, width))
    """
    model = (model if inplace else deepcopy(model)).eval()
    model.backbone = fold_batch_norms(model.backbone)
    use_channels_last(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if compile:
        model.backbone.forward = _compiled(model.backbone.forward)
    return model


def _compiled(forward: Callable) -> Callable:
    """With the weights as constants, which the CPU's convolutions lay out once."""
    compiled = torch.compile(forward, dynamic=False)

    @wraps(forward)
    def run(*args: Any) -> Any:
        # Not an option of torch.compile: the tracing looks for it before it looks at options
        with torch.no_grad(), torch._inductor.config.patch(freezing=True):
            return compiled(*args)

    return run
