"""Which audio net a config means: that of which a cache holds the features.

This is the one module of the package that looks at the network; it is imported where a cache is in
use, and not with the package.
"""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.utils.file_io import PathManager
from timm.models import load_state_dict
from torch import Tensor, nn

from rcf_vis.audio.feature_cache import AudioFeatureCache, audio_fingerprint
from rcf_vis.modeling.audio import build_audio_net

_PREFIX = "audio.net."
"""Of the weights of the audio net among those of a model."""


def load_audio_net(cfg: CfgNode) -> nn.Module:
    """The audio net with the weights that a run of this config begins with, in evaluation mode.

    Those are ``MODEL.RCF.AUDIO.WEIGHTS``, or, where ``MODEL.WEIGHTS`` is a model with sound, its.

    Raises:
        ValueError: features of it cannot be kept: the model has no sound, the net is trained, or it
            has random weights.
        FileNotFoundError: there are no such weights.
    """
    audio = cfg.MODEL.RCF.AUDIO
    if not audio.ENABLED:
        raise ValueError("MODEL.RCF.AUDIO.ENABLED is False: a model without sound needs no cache")
    if not audio.FREEZE:
        raise ValueError(
            "MODEL.RCF.AUDIO.FREEZE is False: features of a net that is trained cannot be kept; "
            "leave DATASETS.AUDIO_CACHE empty"
        )
    weights = _audio_weights(cfg.MODEL.WEIGHTS)
    if not weights and not audio.WEIGHTS:
        raise ValueError(
            "the audio net has random weights: MODEL.RCF.AUDIO.WEIGHTS is empty, and MODEL.WEIGHTS "
            f"'{cfg.MODEL.WEIGHTS}' is no model with sound; features of it are of no use"
        )
    net = build_audio_net(cfg)
    if weights:
        try:
            net.load_state_dict(weights)
        except RuntimeError as error:
            raise ValueError(
                f"MODEL.WEIGHTS {cfg.MODEL.WEIGHTS!r} does not fit MODEL.RCF.AUDIO: {error}"
            ) from error
    return net.eval()


def open_audio_cache(cfg: CfgNode, net: nn.Module | None = None) -> AudioFeatureCache:
    """The cache in ``DATASETS.AUDIO_CACHE`` of the features of ``net``.

    Args:
        net: by default that of :func:`load_audio_net`.

    Raises:
        ValueError, FileNotFoundError: see there.
    """
    fingerprint = audio_fingerprint(net or load_audio_net(cfg), cfg.MODEL.RCF.AUDIO.NUM_FRAMES)
    return AudioFeatureCache(cfg.DATASETS.AUDIO_CACHE, fingerprint)


def _audio_weights(path: str) -> dict[str, Tensor]:
    """The weights of the audio net in a file of a model; none where it has no sound."""
    if not path.endswith((".pth", ".pt", ".safetensors")):  # published backbones are .pkl
        return {}
    weights = load_state_dict(PathManager.get_local_path(path))
    return {
        name.removeprefix(_PREFIX): value
        for name, value in weights.items()
        if name.startswith(_PREFIX)
    }
