"""The weights of the audio net that a config means, as its file has them, without the network."""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.utils.file_io import PathManager
from torch import Tensor

from rcf_vis.weight_files import read_state_dict

from .feature_cache import AudioFeatureCache, audio_fingerprint

__all__ = ["open_audio_cache", "read_net_weights"]

_PREFIX = "audio.net."  # of the audio net's weights among those of a model
_UNUSED = "embeddings.4."  # VGGish's last linear layer, which its published file has


def read_net_weights(cfg: CfgNode) -> dict[str, Tensor]:
    """The weights that the audio net of a run of this config begins with, by their own names.

    Those of ``MODEL.WEIGHTS``, where that is an audio-visual model, else of
    ``MODEL.RCF.AUDIO.WEIGHTS``.

    Raises:
        ValueError: features of the net cannot be kept: the model is one without audio, the net is
            trained, or it has random weights.
        FileNotFoundError: there are no such weights.
    """
    audio = cfg.MODEL.RCF.AUDIO
    if not audio.ENABLED:
        raise ValueError("MODEL.RCF.AUDIO.ENABLED is False: a model without audio needs no cache")
    if not audio.FREEZE:
        raise ValueError(
            "MODEL.RCF.AUDIO.FREEZE is False: features of a net that is trained cannot be kept; "
            "leave DATASETS.AUDIO_CACHE empty"
        )
    weights = {
        name.removeprefix(_PREFIX): value
        for name, value in _read(cfg.MODEL.WEIGHTS).items()
        if name.startswith(_PREFIX)
    }
    if not weights and not audio.WEIGHTS:
        raise ValueError(
            "the audio net has random weights: MODEL.RCF.AUDIO.WEIGHTS is empty, and MODEL.WEIGHTS "
            f"'{cfg.MODEL.WEIGHTS}' is no audio-visual model; features of it are of no use"
        )
    if not weights:
        content = read_state_dict(PathManager.get_local_path(audio.WEIGHTS))
        weights = {k: v for k, v in content.items() if not k.startswith(_UNUSED)}
    return weights


def open_audio_cache(cfg: CfgNode) -> AudioFeatureCache:
    """The cache in ``DATASETS.AUDIO_CACHE`` of the features of the config's audio net.

    Raises:
        ValueError, FileNotFoundError: see :func:`read_net_weights`.
    """
    audio = cfg.MODEL.RCF.AUDIO
    fingerprint = audio_fingerprint(
        read_net_weights(cfg), net=audio.NET, patch_frames=audio.NUM_FRAMES
    )
    return AudioFeatureCache(cfg.DATASETS.AUDIO_CACHE, fingerprint)


def _read(path: str) -> dict[str, Tensor]:
    if not path.endswith((".pth", ".pt", ".safetensors")):  # published backbones are .pkl
        return {}
    return read_state_dict(PathManager.get_local_path(path))
