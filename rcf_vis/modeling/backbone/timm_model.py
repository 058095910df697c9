"""Models of timm as they are built for feature extraction, and the weights that timm publishes."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch
from huggingface_hub.constants import HF_HUB_CACHE
from timm.models import PretrainedCfg, get_pretrained_cfg, is_model_in_modules
from torch import Tensor, nn

from .efficientnet_names import rename_efficientnet
from .shifted_windows import pad_before_shift

__all__ = ["convert_weights", "create_timm_model", "published_cfg", "prune"]

# What lets a model take frames of any size, by the module of timm that defines it; other models
# that timm builds for one input size need MODEL.TIMM.IMG_SIZE.
_ANY_SIZE: dict[str, dict[str, Any]] = {
    # always_partition: timm leaves the shift out where a window covers the map at the size that a
    # model is named after, which says nothing about the size of the frames.
    "swin_transformer": {"strict_img_size": False, "always_partition": True},
    "swin_transformer_v2": {"strict_img_size": False, "always_partition": True},
    # Absolute position embeddings are resampled to the grid of each batch.
    "vision_transformer": {"dynamic_img_size": True},
    "deit": {"dynamic_img_size": True},
    "eva": {"dynamic_img_size": True},
}

_FILES = ("cache_dir", "checkpoint_path")


def convert_weights(weights: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """Bring a published state dict to the names and shapes of ``model``.

    It is timm's own conversion, the function that each of its model files calls
    ``checkpoint_filter_fn``: it knows the original authors' names, resamples position embeddings to
    another grid, and patch embeddings to another patch size. EfficientNets may have the names of
    ``efficientnet_pytorch`` (see :func:`.efficientnet_names.rename_efficientnet`).

    Args:
        weights: as published.
        model: of :func:`create_timm_model`, complete: not pruned.
    """
    weights = rename_efficientnet(weights, model)
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    return weights if convert is None else convert(dict(weights), model)


def published_cfg(name: str) -> PretrainedCfg:
    """What timm knows of the weights called ``name``: where they are, mean, std, input size.

    Raises:
        ValueError: timm has no such model, or no such weights of it.
    """
    if not timm.is_model(name):
        close = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=5)
        raise ValueError(
            f"MODEL.TIMM.NAME is {name!r}, which timm {timm.__version__} does not have"
            + (f"; close to it are {close}" if close else "")
        )
    try:
        return get_pretrained_cfg(name)
    except RuntimeError as error:
        known = timm.list_pretrained(name.partition(".")[0] + ".*")
        raise ValueError(f"MODEL.TIMM.NAME: {error} timm has {known}") from error


def _check_sources(name: str, model_kwargs: Mapping[str, Any]) -> None:
    """A name of timm's registry, and no file or address: timm may run code of those."""
    others = [key for key in model_kwargs if key.startswith("pretrained") or key in _FILES]
    if ":" in name or others:
        found = f"MODEL.TIMM.NAME is {name!r}" if ":" in name else f"KWARGS has {others}"
        raise ValueError(
            f"{found}, expected a name of timm's registry alone; weights of a file are read by "
            "MODEL.TIMM.CHECKPOINT"
        )


def create_timm_model(
    name: str,
    *,
    pretrained: bool = False,
    img_size: int = 0,
    drop_path: float = -1.0,
    model_kwargs: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A timm model without its classifier, for ``forward_intermediates``.

    Args:
        name: in timm's registry, with the tag of its weights after the dot.
        pretrained: with these weights, from the hub or its cache; otherwise random.
        img_size: input is of this height and width; 0 = of any.
        drop_path: rate of stochastic depth; negative = the model's own default.
        model_kwargs: further arguments of the model; they win over those made here.

    Raises:
        ValueError: no such model, or not usable as asked for.
        RuntimeError: the weights could not be fetched or do not fit.
    """
    _check_sources(name, model_kwargs or {})
    kwargs = _size_arguments(name, img_size)
    if drop_path >= 0:
        kwargs["drop_path_rate"] = drop_path
    kwargs.update(model_kwargs or {})
    try:
        model = timm.create_model(name, pretrained=pretrained, num_classes=0, **kwargs)
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise RuntimeError(_where_weights_are(name, error)) from error
    if not hasattr(model, "forward_intermediates"):
        raise ValueError(
            f"MODEL.TIMM.NAME is {name!r}, of which timm {timm.__version__} gives no intermediate "
            "features (no forward_intermediates)"
        )
    pad_before_shift(model)
    return model


def prune(model: nn.Module, indices: Sequence[int], *, keep_norm: bool) -> None:
    """Drop what the features ``indices`` do not need, so that every parameter gets a gradient.

    Args:
        model: of :func:`create_timm_model`; changed in place.
        indices: of the features that remain.
        keep_norm: the final normalisation layer remains.
    """
    if hasattr(model, "prune_intermediate_layers"):
        model.prune_intermediate_layers(list(indices), prune_norm=not keep_norm)
    # A head without classes may still have its own normalisation (ConvNeXt).
    classifiers = model.pretrained_cfg.get("classifier") or ()
    for classifier in (classifiers,) if isinstance(classifiers, str) else classifiers:
        setattr(model, classifier.partition(".")[0], nn.Identity())


def _size_arguments(name: str, img_size: int) -> dict[str, Any]:
    one_size = published_cfg(name).fixed_input_size
    if img_size:
        if not one_size:
            raise ValueError(
                f"MODEL.TIMM.IMG_SIZE is {img_size}, but {name!r} takes frames of any size: "
                "leave it 0"
            )
        return {"img_size": img_size}
    if not one_size:
        return {}
    for module, arguments in _ANY_SIZE.items():
        if is_model_in_modules(name, [module]):
            return dict(arguments)
    raise ValueError(
        f"MODEL.TIMM.IMG_SIZE is 0, but timm builds {name!r} for one input size: set it to a size "
        "that holds the frames (INPUT.MAX_SIZE_TRAIN, INPUT.MAX_SIZE_TEST)"
    )


def _where_weights_are(name: str, error: Exception) -> str:
    cfg = published_cfg(name)
    places = [f"{cfg.hf_hub_id!r} on the Hugging Face hub"] if cfg.hf_hub_id else []
    places += [cfg.url] if cfg.url else []
    return (
        f"MODEL.TIMM.PRETRAINED is True, but the weights of {name!r} could not be loaded "
        f"({type(error).__name__}: {error}). They are published as "
        f"{' or '.join(places) or '(nowhere that timm knows)'}. Without a network: download them "
        "elsewhere and name the file (.safetensors, .bin or .pth) in MODEL.TIMM.CHECKPOINT; or "
        f"bring the cache folder of a machine that has them, {HF_HUB_CACHE} (of the hub) or "
        f"{torch.hub.get_dir()} (of URLs). A trained RCF needs none of this: name it in "
        "MODEL.WEIGHTS. Random weights: MODEL.TIMM.PRETRAINED False"
    )
