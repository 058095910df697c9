"""AdamW with the parameter groups of section IV-A and gradient clipping over the whole model."""

from __future__ import annotations

from collections.abc import Callable

import torch
from detectron2.config import CfgNode
from detectron2.solver.build import maybe_add_gradient_clipping
from torch import nn

__all__ = ["FullModelClippingAdamW", "build_optimizer", "parameter_groups"]

_NORM_TYPES = (
    nn.modules.batchnorm._BatchNorm,
    nn.GroupNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)


class FullModelClippingAdamW(torch.optim.AdamW):
    """AdamW that scales all gradients together when their joint norm exceeds ``max_norm``.

    Args:
        params: as of ``torch.optim.AdamW``.
        max_norm: limit of the norm over all parameters.
        norm_type: which norm; 2 = Euclidean.
        kwargs: further arguments of ``torch.optim.AdamW``.
    """

    def __init__(self, params, *, max_norm: float, norm_type: float = 2.0, **kwargs) -> None:
        super().__init__(params, **kwargs)
        self.max_norm = max_norm
        self.norm_type = norm_type

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Clip, then step. Under AMP the scaler has unscaled the gradients before."""
        parameters = [p for group in self.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(parameters, self.max_norm, self.norm_type)
        return super().step(closure)


def parameter_groups(
    model: nn.Module,
    *,
    base_lr: float,
    weight_decay: float,
    weight_decay_norm: float | None = None,
    weight_decay_embed: float | None = None,
    backbone_multiplier: float = 1.0,
) -> list[dict]:
    """Group the trainable parameters by learning rate and weight decay.

    Args:
        model: its sub-module ``backbone`` learns at ``backbone_multiplier · base_lr``.
        base_lr: learning rate of everything else.
        weight_decay: of all parameters but those of normalisation layers (``weight_decay_norm``)
            and embeddings (``weight_decay_embed``), where these are not None, and of those that a
            module names in its ``no_weight_decay()``, as timm's models do.

    Returns:
        Groups for an optimizer, each parameter in exactly one.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    seen: set[nn.Parameter] = set()
    without_decay = _without_decay(model)
    for module_name, module in model.named_modules():
        for parameter in module.parameters(recurse=False):
            if not parameter.requires_grad or parameter in seen:
                continue
            seen.add(parameter)
            decay = weight_decay
            if isinstance(module, _NORM_TYPES) and weight_decay_norm is not None:
                decay = weight_decay_norm
            elif isinstance(module, nn.Embedding) and weight_decay_embed is not None:
                decay = weight_decay_embed
            elif parameter in without_decay:
                decay = 0.0
            in_backbone = "backbone" in module_name.split(".")
            lr = base_lr * (backbone_multiplier if in_backbone else 1.0)
            groups.setdefault((lr, decay), []).append(parameter)
    return [
        {"params": parameters, "lr": lr, "weight_decay": decay}
        for (lr, decay), parameters in groups.items()
    ]


def _without_decay(model: nn.Module) -> set[nn.Parameter]:
    """Parameters that a module of ``model`` asks to leave out of the weight decay."""
    exempt = set()
    for module in model.modules():
        names = module.no_weight_decay() if hasattr(module, "no_weight_decay") else ()
        exempt.update(p for name, p in module.named_parameters() if name in names)
    return exempt


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """AdamW as the ``SOLVER`` keys say; ``CLIP_GRADIENTS.CLIP_TYPE`` may be "full_model"."""
    solver = cfg.SOLVER
    groups = parameter_groups(
        model,
        base_lr=solver.BASE_LR,
        weight_decay=solver.WEIGHT_DECAY,
        weight_decay_norm=solver.WEIGHT_DECAY_NORM,
        weight_decay_embed=solver.WEIGHT_DECAY_EMBED,
        backbone_multiplier=solver.BACKBONE_MULTIPLIER,
    )
    clip = solver.CLIP_GRADIENTS
    if clip.ENABLED and clip.CLIP_TYPE == "full_model":
        return FullModelClippingAdamW(
            groups, lr=solver.BASE_LR, max_norm=clip.CLIP_VALUE, norm_type=clip.NORM_TYPE
        )
    return maybe_add_gradient_clipping(cfg, torch.optim.AdamW)(groups, lr=solver.BASE_LR)
