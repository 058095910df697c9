"""Published weights of the audio net; those of a backbone are in tests/modeling."""

import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis import OnlinePredictor
from rcf_vis.checkpoint import load_part_weights
from rcf_vis.engine import Trainer
from rcf_vis.modeling.audio import SmallAudioNet


@pytest.fixture
def audio_cfg(patch_cfg):
    """A small model with audio, whose net has the weights of a file."""
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 24, 16
    audio.LSTM_HIDDEN = 8
    return patch_cfg


def build(cfg):
    return load_part_weights(build_model(cfg), cfg)


@pytest.fixture
def weights(tmp_path):
    """A file like the public one, of a small net: with a part that is not needed."""
    torch.manual_seed(5)
    net = SmallAudioNet(feature_dim=24, patch_frames=16)
    state = {**net.state_dict(), "embeddings.4.weight": torch.zeros(3, 3)}

    def save(name="weights.pth", wrap=None, **changes):
        content = {k: v for k, v in {**state, **changes}.items() if v is not None}
        torch.save({wrap: content} if wrap else content, tmp_path / name)
        return str(tmp_path / name)

    save.state = net.state_dict()
    return save


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
def test_weights_from_a_file(audio_cfg, weights, wrap):
    audio_cfg.MODEL.RCF.AUDIO.WEIGHTS = weights(wrap=wrap)
    for name, value in build(audio_cfg).audio.net.state_dict().items():
        assert torch.equal(value, weights.state[name]), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features.0.bias": None}, "missing features.0.bias;"),
        (
            {"embeddings.0.weight": torch.zeros(24, 7)},
            r"of another shape embeddings.0.weight \(24, 7\) for \(24, 256\);",
        ),
    ],
)
def test_weights_that_do_not_fit(audio_cfg, weights, changes, message):
    path = weights(**changes)
    audio_cfg.MODEL.RCF.AUDIO.WEIGHTS = path
    with pytest.raises(ValueError, match=message) as error:
        build(audio_cfg)
    assert path in str(error.value) and "SmallAudioNet" in str(error.value)


def test_files_that_hold_no_weights(audio_cfg, tmp_path):
    audio = audio_cfg.MODEL.RCF.AUDIO
    audio.WEIGHTS = str(tmp_path / "nothing.pth")
    with pytest.raises(FileNotFoundError, match=r"AUDIO.WEIGHTS .*nothing\.pth"):
        build(audio_cfg)
    for number, content in enumerate((b"", b"no weights" * 40)):
        path = tmp_path / f"{number}.pth"
        path.write_bytes(content)
        audio.WEIGHTS = str(path)
        with pytest.raises(ValueError, match=f"{number}.pth' could not be read as weights"):
            build(audio_cfg)


def test_the_trainer_and_the_predictor_load_them(audio_cfg, weights):
    audio_cfg.MODEL.RCF.AUDIO.WEIGHTS = weights()
    audio_cfg.DATASETS.TEST = ()
    for model in (Trainer.build_model(audio_cfg), OnlinePredictor(audio_cfg).model):
        for name, value in model.audio.net.state_dict().items():
            assert torch.equal(value, weights.state[name]), name
