"""A small audio-visual model, on made-up patches."""

import pytest
import torch
from detectron2.modeling import build_model


@pytest.fixture
def audio_cfg(patch_cfg):
    """``patch_cfg`` with the small net, trained: patches of 16 × 64, C_a = 24."""
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FREEZE = True, "small", False
    audio.FEATURE_DIM, audio.NUM_FRAMES, audio.LSTM_HIDDEN = 24, 16, 12
    return patch_cfg


@pytest.fixture
def build(audio_cfg):
    """Build the model with some keys of ``MODEL.RCF.AUDIO`` and some of ``MODEL.RCF`` changed."""

    def build(*, audio=(), **rcf):
        audio_cfg.MODEL.RCF.AUDIO.merge_from_list([x for pair in dict(audio).items() for x in pair])
        audio_cfg.MODEL.RCF.merge_from_list([x for pair in rcf.items() for x in pair])
        return build_model(audio_cfg)

    return build


@pytest.fixture
def make_patches():
    def make(num_frames, seed=0):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(num_frames, 16, 64, generator=generator)

    return make
