"""What a step of the online model costs: multiply-adds and parameters, part by part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from rcf_vis.modeling import RCF, FeatureMap, OnlineState

__all__ = ["PARTS", "StepCost", "step_cost"]

#: Part as the reader knows it → the sub-module of RCF that it is.
PARTS = {
    "backbone": "backbone",
    "fusion encoder": "context_fusion",
    "instance decoder": "instance_decoder",
    "mask decoder": "mask_decoder",
    "heads": "heads",
}


#: The same of an audio-visual model, and of one with MODEL.RCF.CARRY_CODE.
AUDIO_PARTS = {"audio net": "audio.net", "audio tokens": "audio.tokens"}
CARRY_PARTS = {"carried code": "carrier"}


@dataclass(frozen=True)
class StepCost:
    """Cost of one frame online, by part.

    Attributes:
        size: (height, width) of the frame in pixels, before padding.
        macs: part → multiply-adds of a frame. One multiply-add is what fvcore counts as one FLOP.
        parameters: part → number of parameters, frozen ones included.
        uncounted: names of operations that fvcore knows no cost of → how often they are called;
            element-wise arithmetic, which it leaves out by design, is not among them.
    """

    size: tuple[int, int]
    macs: dict[str, float]
    parameters: dict[str, int]
    uncounted: Counter[str]

    def share_of_backbone(self) -> float:
        """Multiply-adds of everything that is not the backbone over those of the backbone."""
        backbone = self.macs["backbone"]
        return (sum(self.macs.values()) - backbone) / backbone


class _OnlineStep(nn.Module):
    """The online step as a function of tensors, which is what can be traced."""

    def __init__(self, rcf: RCF) -> None:
        super().__init__()
        self.rcf = rcf

    def forward(self, image: Tensor, *past: Tensor) -> tuple[Tensor, Tensor]:
        """``past``: δ context features; with audio also a patch and δ features a_t."""
        features = self.rcf.extract_features([image])
        context, delta = features.context, self.rcf.num_reference_frames
        maps = (FeatureMap(data, context.stride, context.image_sizes) for data in past[:delta])
        past_features, audio_feature = past[delta + 1 :], None
        if self.rcf.audio is not None:
            audio_feature = self.rcf.audio.features(past[delta])
        output, _ = self.rcf.step(
            features, OnlineState(tuple(maps), audio_features=past_features), audio_feature
        )
        return output.logits, output.masks


def step_cost(rcf: RCF, size: tuple[int, int] = (360, 640)) -> StepCost:
    """Count a step in the middle of a video: the frame's backbone, and δ remembered features.

    Args:
        rcf: in evaluation mode.
        size: (height, width) of the frame in pixels.

    Raises:
        ValueError: the model is in training mode, where a step also predicts every layer.
    """
    if rcf.training:
        raise ValueError("the model is in training mode, expected rcf.eval()")
    image = torch.zeros(3, *size, device=rcf.device)
    with torch.no_grad():
        context = rcf.extract_features([image]).context.data
        inputs = [image, *[context] * rcf.num_reference_frames]
        if rcf.audio is not None:
            patch = rcf.audio.silence()[None].to(rcf.device)
            inputs += [patch, *[rcf.audio.features(patch)] * rcf.num_reference_frames]
    analysis = FlopCountAnalysis(_OnlineStep(rcf), tuple(inputs))
    analysis.set_op_handle(
        "aten::scaled_dot_product_attention",
        _attention_macs,
        "aten::_native_multi_head_attention",
        _fused_attention_macs,
        "aten::matmul",
        _matmul_macs,
        "aten::lstm",
        _lstm_macs,
    )
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    by_module = analysis.by_module()
    parts = dict(PARTS)
    if rcf.audio is not None:
        parts |= AUDIO_PARTS
    if rcf.carrier is not None:
        parts |= CARRY_PARTS
    modules = {part: rcf.get_submodule(name) for part, name in parts.items()}
    return StepCost(
        size=size,
        macs={part: float(by_module[f"rcf.{name}"]) for part, name in parts.items()},
        parameters={
            part: sum(p.numel() for p in module.parameters()) for part, module in modules.items()
        },
        uncounted=Counter(
            {op: n for op, n in analysis.unsupported_ops().items() if op not in _ELEMENTWISE}
        ),
    )


def _shape(value: Any) -> list[int]:
    return value.type().sizes()


def _matmul_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """``(…, n, k) @ (…, k, m)``; fvcore's own count leaves out dimensions that are broadcast."""
    return math.prod(_shape(outputs[0])) * _shape(inputs[0])[-1]


def _attention_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """Q Kᵀ and the weighted sum of V: ``(…, L, D)`` queries, ``(…, S, D)`` keys and values."""
    queries, keys, values = (_shape(value) for value in inputs[:3])
    batch = math.prod(queries[:-2])
    return batch * queries[-2] * keys[-2] * (queries[-1] + values[-1])


def _lstm_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """Each matrix of each layer and direction, once for each step of each sequence."""
    weights = [_shape(value) for value in inputs[2].node().inputs()]
    steps = math.prod(_shape(inputs[0])[:2])
    return steps * sum(math.prod(shape) for shape in weights if len(shape) == 2)


def _fused_attention_macs(inputs: Sequence[Any], outputs: Sequence[Any]) -> int:
    """The whole of ``nn.MultiheadAttention``, which PyTorch runs as one operation in evaluation."""
    batch, length, dim = _shape(inputs[0])
    keys = _shape(inputs[1])[1]
    projections = 2 * length * dim * dim + 2 * keys * dim * dim
    return batch * (projections + 2 * length * keys * dim)


#: Operations of one pass over their input, which no count of multiply-adds includes.
_ELEMENTWISE = frozenset(
    f"aten::{name}"
    for name in (
        "abs add add_ arange bitwise_and bitwise_not bitwise_or bitwise_xor clamp cos cumsum div "
        "div_ eq expand_as exp exp_ fill_ floor_divide ge gelu gelu_ gt le lt masked_fill "
        "masked_fill_ max_pool2d mean mul mul_ ne neg nonzero pad pow reciprocal relu repeat roll "
        "rsqrt rsub sigmoid silu sin softmax sqrt square stack sub sub_ sum tanh unflatten where "
        "zero_"
    ).split()
)
