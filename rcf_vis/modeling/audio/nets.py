"""The audio net that a config asks for."""

from __future__ import annotations

import logging

from detectron2.config import CfgNode
from torch import nn

from .small_net import SmallAudioNet
from .vggish import VGGish

__all__ = ["build_audio_net"]

logger = logging.getLogger(__name__)

_NETS = ("vggish", "small")


def build_audio_net(cfg: CfgNode) -> nn.Module:
    """The net of ``MODEL.RCF.AUDIO``: ``(B, η, 64)`` → ``(B, C_a)``, with ``feature_dim`` = C_a.

    ``MODEL.RCF.AUDIO.WEIGHTS`` are loaded by :func:`rcf_vis.checkpoint.load_part_weights`.

    Raises:
        ValueError: a key that is not possible.
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
    if audio.FREEZE and not audio.WEIGHTS:
        logger.warning(
            "The audio net is frozen and MODEL.RCF.AUDIO.WEIGHTS is empty: its weights are random, "
            "unless MODEL.WEIGHTS is an audio-visual model"
        )
    return net
