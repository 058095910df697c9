"""The audio net that a config asks for, with its weights."""

from __future__ import annotations

import logging

from detectron2.config import CfgNode
from detectron2.utils.file_io import PathManager
from torch import nn

from rcf_vis.modeling.weight_files import load_weights, read_weights

from .small_net import SmallAudioNet
from .vggish import VGGish

__all__ = ["build_audio_net"]

logger = logging.getLogger(__name__)

_KEY = "MODEL.RCF.AUDIO.WEIGHTS"
_NETS = ("vggish", "small")


def build_audio_net(cfg: CfgNode) -> nn.Module:
    """The net of ``MODEL.RCF.AUDIO``: ``(B, η, 64)`` → ``(B, C_a)``, with ``feature_dim`` = C_a.

    Raises:
        ValueError: a key that is not possible, or weights of another net.
        FileNotFoundError: the weights are not there.
    """
    audio = cfg.MODEL.RCF.AUDIO
    if audio.NET not in _NETS:
        raise ValueError(f"MODEL.RCF.AUDIO.NET is {audio.NET!r}, expected one of {_NETS}")
    if audio.NET == "small":
        net = SmallAudioNet(feature_dim=audio.FEATURE_DIM, patch_frames=audio.NUM_FRAMES)
    elif audio.FEATURE_DIM != VGGish.feature_dim:
        raise ValueError(
            f"MODEL.RCF.AUDIO.FEATURE_DIM is {audio.FEATURE_DIM}, but vggish gives features of "
            f"{VGGish.feature_dim} numbers"
        )
    else:
        net = VGGish(patch_frames=audio.NUM_FRAMES)
    if audio.WEIGHTS:
        # VGGish's last linear layer is a part of the file that is left out.
        weights = read_weights(PathManager.get_local_path(audio.WEIGHTS), net, key=_KEY)
        load_weights(net, weights, key=_KEY, path=audio.WEIGHTS)
        logger.info("%s: the audio net has the weights of %s", _KEY, audio.WEIGHTS)
    elif audio.FREEZE:
        logger.warning(
            "The audio net is frozen and %s is empty: its weights are random, unless MODEL.WEIGHTS "
            "is an audio-visual model",
            _KEY,
        )
    return net
