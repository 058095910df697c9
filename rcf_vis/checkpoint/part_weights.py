"""Published weights of parts of the network, from the files that a config names."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence

from detectron2.config import CfgNode
from detectron2.utils.file_io import PathManager
from torch import Tensor, nn

from rcf_vis.modeling import TimmBackbone
from rcf_vis.weight_files import read_state_dict

__all__ = ["load_audio_weights", "load_backbone_weights", "load_part_weights"]

logger = logging.getLogger(__name__)

_BACKBONE_KEY = "MODEL.TIMM.CHECKPOINT"
_AUDIO_KEY = "MODEL.RCF.AUDIO.WEIGHTS"
_NAMES_SHOWN = 5


def load_part_weights(model: nn.Module, cfg: CfgNode) -> nn.Module:
    """Load what ``MODEL.TIMM.CHECKPOINT`` and ``MODEL.RCF.AUDIO.WEIGHTS`` name into a new model.

    As with ``MODEL.WEIGHTS``, Detectron2's ``build_model`` does not do it; ``Trainer.build_model``
    and ``OnlinePredictor`` do. With ``MODEL.WEIGHTS`` the backbone's come from there, and its file
    is not read.

    Returns:
        ``model``.

    Raises:
        FileNotFoundError, ValueError: see :func:`load_backbone_weights`.
    """
    backbone, audio = getattr(model, "backbone", None), getattr(model, "audio", None)
    if isinstance(backbone, TimmBackbone) and cfg.MODEL.TIMM.CHECKPOINT and not cfg.MODEL.WEIGHTS:
        load_backbone_weights(backbone, cfg.MODEL.TIMM.CHECKPOINT)
    if audio is not None and cfg.MODEL.RCF.AUDIO.WEIGHTS:
        load_audio_weights(audio.net, cfg.MODEL.RCF.AUDIO.WEIGHTS)
    return model


def load_backbone_weights(backbone: TimmBackbone, path: str) -> None:
    """Load weights of timm's model, by timm's names or those of its first authors.

    Args:
        path: ``.safetensors``, or a file of ``torch.save`` (``.pth``, ``.bin``) with a state dict,
            bare or under ``model`` or ``state_dict``; it is read without running code of it. What
            it has beyond the backbone, a classifier, is left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of weights, some are missing, or have another shape.
    """
    weights = _read(path, backbone.body, key=_BACKBONE_KEY, convert=backbone.convert_weights)
    _fit(backbone.body, weights, key=_BACKBONE_KEY, path=path)
    logger.info("Weights of the backbone from %s", path)


def load_audio_weights(net: nn.Module, path: str) -> None:
    """Load weights of an audio net; VGGish's last linear layer, which is not used, is left out.

    Args:
        path: or address of a file as in :func:`load_backbone_weights`.

    Raises:
        FileNotFoundError, ValueError: see there.
    """
    weights = _read(PathManager.get_local_path(path), net, key=_AUDIO_KEY)
    _fit(net, weights, key=_AUDIO_KEY, path=path)
    logger.info("%s: the audio net has the weights of %s", _AUDIO_KEY, path)


def _read(
    path: str,
    model: nn.Module,
    *,
    key: str,
    convert: Callable[[dict[str, Tensor]], Mapping[str, Tensor]] | None = None,
) -> Mapping[str, Tensor]:
    """The weights of a file; ``convert`` brings them to the names and shapes of ``model``."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{key} {path!r}: no such file")
    try:
        weights = read_state_dict(path)
        return weights if convert is None else convert(weights)
    except Exception as error:  # what an unsuitable file makes these raise is of many kinds
        raise ValueError(
            f"{key} {path!r} could not be read as weights of a {type(model).__name__} "
            f"({type(error).__name__}: {error})"
        ) from error


def _fit(model: nn.Module, weights: Mapping[str, Tensor], *, key: str, path: str) -> None:
    """Load all of ``model`` from ``weights``; what they have beyond it is left out."""
    own = model.state_dict()
    missing = [name for name in own if name not in weights]
    other_shape = [
        f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if missing or other_shape:
        unknown = [name for name in weights if name not in own]
        raise ValueError(
            f"{key} {path!r} does not fit a {type(model).__name__}: "
            f"missing {_shown(missing)}; of another shape {_shown(other_shape)}; "
            f"not known to the model {_shown(unknown)}"
        )
    model.load_state_dict({name: weights[name] for name in own})


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return (", ".join(names[:_NAMES_SHOWN]) or "none") + (f" and {more} more" if more > 0 else "")
