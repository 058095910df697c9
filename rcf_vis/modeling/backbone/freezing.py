"""Stages and batch norms of a timm model that do not train: what ``FREEZE_AT`` is to a ResNet."""

from __future__ import annotations

from collections.abc import Iterable

from timm.layers import freeze_batch_norm_2d
from torch import nn

__all__ = ["freeze_norms", "freeze_stages"]


def freeze_stages(body: nn.Module, freeze_at: int) -> None:
    """Leave all layers up to those of a stride as they are, batch norms included (in place).

    Args:
        body: a hierarchical model of timm. Its modules are registered in the order in which they
            are applied, as timm's feature extraction supposes, too.
        freeze_at: n, up to stride 2ⁿ: 1 is the stem of most models, 2 goes as far as ``res2``.

    Raises:
        ValueError: the model has no level of such a stride.
    """
    levels = [info["module"] for info in body.feature_info if info["reduction"] <= 2**freeze_at]
    if not levels:
        raise ValueError(
            f"MODEL.TIMM.FREEZE_AT is {freeze_at}, but no level of {type(body).__name__} has a "
            f"stride of {2**freeze_at} or less: they have "
            f"{[info['reduction'] for info in body.feature_info]}"
        )
    names = [name for name, _ in body.named_modules()]
    within = [i for i, name in enumerate(names) if f"{name}.".startswith(f"{levels[-1]}.")]
    frozen = names[: within[-1] + 1]
    for name in frozen:
        for parameter in body.get_submodule(name).parameters(recurse=False):
            parameter.requires_grad = False
    freeze_norms(body, frozen)


def freeze_norms(body: nn.Module, names: Iterable[str] | None = None) -> None:
    """Turn batch norms into affine maps of fixed numbers, under the same names (in place).

    Args:
        names: of the modules that are meant; default all.
    """
    for name in [name for name, _ in body.named_modules()] if names is None else names:
        module = body.get_submodule(name)
        if isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            parent, _, child = name.rpartition(".")
            setattr(body.get_submodule(parent), child, freeze_batch_norm_2d(module))
