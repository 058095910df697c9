"""The audio nets; their weights from a file are in tests/checkpoint/test_part_weights.py."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rcf_vis.modeling.audio import SmallAudioNet, VGGish, build_audio_net

# Names and shapes of the public weights; those of embeddings.4 are not needed.
PUBLISHED = {
    "features.0": (64, 1, 3, 3),
    "features.3": (128, 64, 3, 3),
    "features.6": (256, 128, 3, 3),
    "features.8": (256, 256, 3, 3),
    "features.11": (512, 256, 3, 3),
    "features.13": (512, 512, 3, 3),
    "embeddings.0": (4096, 512 * 4 * 6),
    "embeddings.2": (4096, 4096),
}


def test_names_and_shapes_of_vggish():
    with torch.device("meta"):
        net = VGGish()
    shapes = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    expected = {f"{name}.weight": shape for name, shape in PUBLISHED.items()}
    expected.update({f"{name}.bias": shape[:1] for name, shape in PUBLISHED.items()})
    assert shapes == expected
    assert sum(p.numel() for p in net.parameters()) == 71_616_768


def test_forward_of_vggish_by_hand():
    """16 frames leave one cell of time: the order of the cells is frequency, then channel."""
    with torch.device("meta"):
        net = VGGish(patch_frames=16)
    net.embeddings = nn.Sequential(nn.Linear(512 * 4, 5), nn.ReLU(), nn.Linear(5, 3), nn.ReLU())
    net = net.to_empty(device="cpu")
    for value in net.state_dict().values():
        nn.init.normal_(value, std=0.05)
    patches = torch.randn(2, 16, 64)
    x = patches[:, None]
    for number in (0, 3, 6, 8, 11, 13):
        conv = net.features[number]
        x = F.relu(F.conv2d(F.pad(x, (1, 1, 1, 1)), conv.weight, conv.bias))
        if number not in (6, 11):
            x = F.max_pool2d(x, 2)
    assert x.shape == (2, 512, 1, 4)
    flat = torch.stack([x[:, c, 0, f] for f in range(4) for c in range(512)], dim=1)
    first, second = net.embeddings[0], net.embeddings[2]
    hidden = F.relu(flat @ first.weight.T + first.bias)
    torch.testing.assert_close(net(patches), F.relu(hidden @ second.weight.T + second.bias))


def test_small_net():
    net = SmallAudioNet(feature_dim=128)
    assert net(torch.zeros(2, 96, 64)).shape == (2, 128)
    assert sum(p.numel() for p in net.parameters()) < 300_000
    assert SmallAudioNet(feature_dim=7, patch_frames=33)(torch.randn(1, 33, 64)).shape == (1, 7)


def test_keys_that_cannot_be(audio_cfg):
    audio = audio_cfg.MODEL.RCF.AUDIO
    audio.NET = "vggish"
    with pytest.raises(ValueError, match="FEATURE_DIM is 24, but vggish gives features of 4096"):
        build_audio_net(audio_cfg)
    audio.FEATURE_DIM, audio.NUM_FRAMES = 4096, 15
    with pytest.raises(ValueError, match="NUM_FRAMES is 15, VGGish needs at least 16"):
        build_audio_net(audio_cfg)
    audio.NET = "yamnet"
    with pytest.raises(ValueError, match=r"NET is 'yamnet', expected one of \('vggish', 'small'\)"):
        build_audio_net(audio_cfg)


def test_a_frozen_random_net_is_said_to_be_one(audio_cfg, caplog):
    audio_cfg.MODEL.RCF.AUDIO.FREEZE = True
    build_audio_net(audio_cfg)
    assert "frozen and MODEL.RCF.AUDIO.WEIGHTS is empty" in caplog.text
