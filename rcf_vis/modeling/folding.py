"""Batch norms folded into the convolutions before them: for good, or anew in each step."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache

import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from detectron2.modeling import Backbone
from timm.layers import FrozenBatchNormAct2d
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import FrozenBatchNorm2d as PlainFrozenBatchNorm2d

__all__ = ["fold_batch_norms", "scale_weights_by_frozen_norms"]

logger = logging.getLogger(__name__)

# The last two are what timm makes of a batch norm that it freezes.
_NORMS = (nn.BatchNorm2d, FrozenBatchNorm2d, FrozenBatchNormAct2d, PlainFrozenBatchNorm2d)
_SIDE = 64  # of the picture that the network is tried with


class _FrozenNormConv(Conv2d):
    """Detectron2's convolution with its frozen norm, which scales the weights, not the features."""

    def forward(self, x: Tensor) -> Tensor:
        if self.norm is None:  # folded for good
            return super().forward(x)
        scale = self.norm.weight * (self.norm.running_var + self.norm.eps).rsqrt()
        shift = self.norm.bias - self.norm.running_mean * scale
        if self.bias is not None:
            shift = shift + self.bias * scale
        x = F.conv2d(
            x,
            self.weight * scale.view(-1, 1, 1, 1),
            shift,
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
        )
        return x if self.activation is None else self.activation(x)


class _ScaledByNorm:
    """In front of a class of convolutions: weights and bias with the frozen norm that follows."""

    def _scale(self) -> Tensor:
        return self._norm.weight * (self._norm.running_var + self._norm.eps).rsqrt()

    @property
    def weight(self) -> Tensor:
        return self._parameters["weight"] * self._scale().view(-1, 1, 1, 1)

    @property
    def bias(self) -> Tensor:
        own = self._parameters["bias"]
        shift = self._norm.running_mean if own is None else self._norm.running_mean - own
        return self._norm.bias - shift * self._scale()


@cache
def _scaled_class(conv: type[nn.Conv2d]) -> type[nn.Conv2d]:
    return type(f"NormScaled{conv.__name__}", (_ScaledByNorm, conv), {})


class _RestOfNorm(FrozenBatchNormAct2d):
    """What timm's frozen norm does besides: its activation."""

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.drop(x))


def scale_weights_by_frozen_norms(network: nn.Module) -> None:
    """Let a frozen batch norm scale the weights before it, not the features behind (in place).

    What it gives and the gradients are equal up to rounding, and names and shapes stay; two passes
    over the features and one copy of them in memory are saved.

    Args:
        network: whose convolutions of Detectron2 with a ``FrozenBatchNorm2d`` are changed, and
            those of a timm backbone that one of timm's frozen norms follows.
    """
    for module in network.modules():
        if type(module) is Conv2d and isinstance(module.norm, FrozenBatchNorm2d):
            module.__class__ = _FrozenNormConv
        elif isinstance(module, Backbone):
            _scale_weights_of_timm(module)


def _scale_weights_of_timm(backbone: Backbone) -> None:
    if not any(isinstance(module, FrozenBatchNormAct2d) for module in backbone.modules()):
        return
    with _evaluation(backbone):
        pairs = _pairs(backbone, _picture(backbone))
    for conv, norm in pairs:
        if type(norm) is FrozenBatchNormAct2d:
            conv.__dict__["_norm"] = norm  # not as a child: it keeps its one name
            conv.__class__ = _scaled_class(type(conv))
            norm.__class__ = _RestOfNorm


@contextmanager
def _evaluation(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, each module in its own mode again afterwards."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Fold each batch norm that follows a convolution into that convolution.

    A batch norm that does not train multiplies each channel and adds to it; so does a convolution
    that is scaled and has a bias. Which batch norm follows which convolution is seen by trying the
    network with a small picture; what does not have that form is left as it is.

    Args:
        network: takes a batch of images, ``(B, 3, H, W)``; in evaluation mode. It is changed in
            place.

    Returns:
        The network; as it was, which is logged, where folding changed what it gives.
    """
    if network.training:
        raise ValueError("a network is folded in evaluation mode: call eval() first")
    if not any(isinstance(module, _NORMS) for module in network.modules()):
        return network
    before = deepcopy(network)
    images = _picture(network)
    for conv, norm in _pairs(network, images):
        if isinstance(conv, _ScaledByNorm):
            conv.__class__ = type(conv).__mro__[2]
            del conv.__dict__["_norm"]
        _fold(conv, norm)
        _replace(network, norm)
    for module in network.modules():  # Detectron2's convolution calls its norm itself
        if isinstance(module, Conv2d) and isinstance(module.norm, _NORMS):
            _fold(module, module.norm)
            module.norm = None
    if not _same(before, network, images):
        logger.warning("Batch norms are not folded: the network would give something else")
        return before
    return network


def _picture(network: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 3, _SIDE, _SIDE, generator=generator)
    return picture.to(next(network.parameters()))


def _pairs(network: nn.Module, images: Tensor) -> list[tuple[nn.Conv2d, nn.Module]]:
    """(convolution, batch norm) of those that are called one after the other, each once."""
    made_by: dict[int, nn.Conv2d] = {}
    pairs: list[tuple[nn.Conv2d, nn.Module]] = []
    alive: list[Tensor] = []  # so that no two outputs have one id

    def after_conv(module: nn.Module, args: tuple, output: Tensor) -> None:
        alive.append(output)
        made_by[id(output)] = module

    def before_norm(module: nn.Module, args: tuple) -> None:
        if id(args[0]) in made_by:
            pairs.append((made_by[id(args[0])], module))

    handles = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(after_conv))
        elif isinstance(module, _NORMS):
            handles.append(module.register_forward_pre_hook(before_norm))
    try:
        with torch.no_grad():
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    times = Counter(id(module) for pair in pairs for module in pair)
    return [pair for pair in pairs if all(times[id(module)] == 1 for module in pair)]


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.Module) -> None:
    # In double precision: the variances of a trained network span many orders of magnitude.
    deviation = (norm.running_var.double() + norm.eps).sqrt()
    scale = (1 if norm.weight is None else norm.weight.double()) / deviation
    shift = (0 if norm.bias is None else norm.bias.double()) - norm.running_mean.double() * scale
    bias = 0 if conv.bias is None else conv.bias.double()
    weight = conv.weight.double() * scale.view(-1, 1, 1, 1)
    conv.weight = nn.Parameter(weight.to(conv.weight), requires_grad=False)
    conv.bias = nn.Parameter((bias * scale + shift).to(conv.weight), requires_grad=False)


def _replace(network: nn.Module, norm: nn.Module) -> None:
    """Leave of a batch norm what it does besides: timm's have an activation in them."""
    rest = nn.Sequential(*(getattr(norm, name) for name in ("drop", "act") if hasattr(norm, name)))
    for module in network.modules():
        for name, child in module.named_children():
            if child is norm:
                setattr(module, name, rest)


@torch.no_grad()
def _same(one: nn.Module, other: nn.Module, images: Tensor) -> bool:
    expected, found = one(images), other(images)
    return all(
        (expected[name] - found[name]).abs().max() <= 1e-3 * expected[name].abs().max()
        for name in expected
    )
