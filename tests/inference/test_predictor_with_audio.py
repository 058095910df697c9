"""Live, the predictor takes what evaluation takes from the data set, to the bit."""

import numpy as np
import pytest
import torch

from rcf_vis import OnlinePredictor
from rcf_vis.audio import audio_patches, split_by_frames
from rcf_vis.data.augmentation import frame_to_tensor

RATE, FRAME_RATE, LENGTH = 44100, 30000 / 1001, 5


@pytest.fixture
def cfg(patch_cfg):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FREEZE = True, "small", False
    audio.FEATURE_DIM, audio.LSTM_HIDDEN = 12, 8
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 3
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    return patch_cfg


@pytest.fixture
def predictor(cfg):
    return OnlinePredictor(cfg)


def make_frames():
    return list(np.random.default_rng(0).integers(0, 256, (LENGTH, 64, 96, 3), dtype=np.uint8))


def make_audio(seconds=1.0):
    rng = np.random.default_rng(1)
    return (rng.uniform(-1, 1, (2, round(RATE * seconds))) * 0.5).astype(np.float32)


def probabilities(predictor, audio):
    predictor.reset()
    pieces = split_by_frames([audio], sample_rate=RATE, frame_rate=FRAME_RATE)
    return [
        predictor(frame, audio=piece, sample_rate=RATE).class_probs
        for frame, piece in zip(make_frames(), pieces, strict=False)
    ]


@pytest.mark.parametrize("seconds", [1.0, 0.08, 0.0])  # longer and shorter than the video, none
def test_live_is_what_evaluation_is(predictor, seconds):
    audio = make_audio(seconds)
    patches = audio_patches(audio, RATE, frame_rate=FRAME_RATE, num_frames=LENGTH)
    images = [frame_to_tensor(frame[:, :, ::-1]) for frame in make_frames()]
    video = {"image": images, "audio": patches, "height": 64, "width": 96}
    expected = [x.class_probs for x in predictor.model([video])[0]]
    for live, evaluated in zip(probabilities(predictor, audio), expected, strict=True):
        assert torch.equal(live, evaluated)


def test_audio_is_heard_and_reset_forgets_it(predictor):
    own = probabilities(predictor, make_audio())
    again = probabilities(predictor, make_audio())
    silent = probabilities(predictor, 0 * make_audio())
    predictor.reset()
    without = [predictor(frame).class_probs for frame in make_frames()]
    for a, b, c, d in zip(own, again, silent, without, strict=True):
        assert torch.equal(a, b) and torch.equal(c, d)
    assert (own[-1] - silent[-1]).abs().max() > 1e-7


def test_what_is_no_audio(predictor):
    frame = make_frames()[0]
    with pytest.raises(ValueError, match="audio needs its sample_rate"):
        predictor(frame, audio=np.zeros(10))
    for rate in (0, -1):
        with pytest.raises(ValueError, match="sample rate"):
            predictor(frame, audio=np.zeros(10), sample_rate=rate)
    predictor(frame, audio=np.zeros(1600), sample_rate=16000)
    with pytest.raises(ValueError, match="44100 samples a second follows audio of 16000"):
        predictor(frame, audio=np.zeros(10), sample_rate=44100)
    with pytest.raises(ValueError, match="the shape"):
        predictor(frame, audio=np.zeros((1600, 2)), sample_rate=16000)
    broken = np.full(1600, np.nan)
    predictor(frame, audio=broken, sample_rate=16000)  # silence, not a crash amid a video


def test_a_model_without_audio(patch_cfg):
    predictor = OnlinePredictor(patch_cfg)
    with pytest.raises(ValueError, match="AUDIO.ENABLED is False"):
        predictor(make_frames()[0], audio=np.zeros(10), sample_rate=16000)
