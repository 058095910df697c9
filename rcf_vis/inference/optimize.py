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

from .graphs import GraphedStep

__all__ = ["optimize_for_inference"]

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def optimize_for_inference(
    model: RCF, *, inplace: bool = False, precision: str = "fp32", compile: bool = False
) -> RCF:
    """Fold the batch norms of the backbone and lay its tensors out channels-last.

    :class:`~rcf_vis.inference.OnlinePredictor` does so by itself. What the model takes and gives,
    its state among it, stays; its numbers are equal up to rounding; the names of its parameters are
    not those of a checkpoint any more.

    Args:
        model: trained; on its device.
        inplace: change the model itself, which can then be trained no longer.
        precision: of the weights and of all that the network computes: "fp32", "bf16" or, on a GPU,
            "fp16" (``MODEL.RCF.TEST.PRECISION``). Pixels are normalised, positions computed and
            decisions made in fp32 in any case.
        compile: on a GPU, capture the network's step as a CUDA graph, see :class:`GraphedStep`; on
            a CPU, compile the backbone with ``torch.compile``, which needs a C++ compiler
            (``MODEL.RCF.TEST.COMPILE``). The first frame of each size then takes longer, on a CPU
            half a minute; PyTorch compiles 8 sizes and runs others as they are.

    Returns:
        a model in evaluation mode.

    Raises:
        ValueError: the precision is none of these, or one that the device does not have.

    Example::

        fast = rcf_vis.optimize_for_inference(model)
        instances, state = fast.track(image, state, (height, width))
    """
    dtype = _dtype(precision, model.device)
    model = (model if inplace else deepcopy(model)).eval()
    model.backbone = fold_batch_norms(model.backbone)
    use_channels_last(model)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    if dtype != torch.float32:
        mean, std = model.pixel_mean, model.pixel_std
        model.to(dtype)
        model.pixel_mean, model.pixel_std = mean, std
    if compile and model.device.type == "cuda":
        model.frame_step = GraphedStep(model)
    elif compile:
        model.backbone.forward = _compiled(model.backbone.forward)
    return model


def _dtype(precision: str, device: torch.device) -> torch.dtype:
    where = f"MODEL.RCF.TEST.PRECISION (precision=, --precision) is {precision!r}"
    if precision not in _DTYPES:
        raise ValueError(f"{where}, expected one of {list(_DTYPES)}")
    if precision == "fp16" and device.type == "cpu":
        raise ValueError(f"{where}, which needs a GPU; on a CPU expected 'fp32' or 'bf16'")
    if precision == "bf16" and device.type == "cuda":
        if torch.cuda.get_device_capability(device) < (8, 0):
            name = torch.cuda.get_device_name(device)
            raise ValueError(f"{where}, which {name} does not have; expected 'fp32' or 'fp16'")
    return _DTYPES[precision]


def _compiled(forward: Callable) -> Callable:
    """With the weights as constants, which the CPU's convolutions lay out once."""
    compiled = torch.compile(forward, dynamic=False)

    @wraps(forward)
    def run(*args: Any) -> Any:
        # Not an option of torch.compile: the tracing looks for it before it looks at options
        with torch.no_grad(), torch._inductor.config.patch(freezing=True):
            return compiled(*args)

    return run
