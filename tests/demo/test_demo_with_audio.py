"""demo.py with an audio-visual model: the audio track goes to the model and into the output."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from detectron2.structures import Instances

from rcf_vis.audio import AudioFile, NoAudioTrack, read_audio
from rcf_vis.inference.class_names import model_metadata
from rcf_vis.inference.video_io import open_frames
from rcf_vis.inference.video_writer import VideoWriter
from tests.demo.demo_config import demo_config
from tests.inference.videos import video_of_varying_rate
from tests.scripts import load_script

RATE, FRAME_RATE, LENGTH = 44100, Fraction(30000, 1001), 6


@pytest.fixture(scope="module")
def demo():
    return load_script("demo.py")


@pytest.fixture
def config(tmp_path, patch_cfg):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.LSTM_HIDDEN = True, "small", 12, 8
    with demo_config(patch_cfg, tmp_path) as path:
        yield path


@pytest.fixture
def make_video(tmp_path):
    def make(name="in.mp4", seconds=LENGTH / float(FRAME_RATE)):
        t = np.arange(round(RATE * (seconds or 0))) / RATE
        tone = 0.4 * np.sin(2 * np.pi * 700 * t)[None]
        sample_rate = None if seconds is None else RATE
        path = tmp_path / name
        with VideoWriter(path, frame_rate=FRAME_RATE, sample_rate=sample_rate) as writer:
            for _ in range(LENGTH):
                writer.write(np.full((48, 80, 3), 100, np.uint8))
            if seconds is not None:
                writer.write_audio(tone)
        return str(path)

    return make


@pytest.fixture
def given(demo, monkeypatch):
    """What a predictor that finds nothing is given, frame by frame."""
    calls = []

    class FakePredictor:
        def __init__(self, cfg):
            self.metadata = model_metadata(cfg, None)

        def __call__(self, frame, **audio):
            calls.append(audio)
            instances = Instances(frame.shape[:2])
            instances.pred_masks = torch.zeros((0, *frame.shape[:2]), dtype=torch.bool)
            instances.class_probs = torch.zeros((0, 3))
            instances.scores, instances.pred_classes = torch.zeros(0), torch.zeros(0).long()
            instances.track_ids = torch.zeros(0).long()
            return instances

    monkeypatch.setattr(demo, "OnlinePredictor", FakePredictor)
    return calls


def run(demo, config, source, output, *words):
    demo.main(["--config-file", config, "--input", source, "--output", str(output), *words])


def test_a_random_model_hears_a_video(demo, config, make_video, tmp_path):
    run(demo, config, make_video(), tmp_path / "out.mp4", "--confidence-threshold", "0")
    assert open_frames(tmp_path / "out.mp4").num_frames == LENGTH
    samples, rate = read_audio(tmp_path / "out.mp4")
    assert rate == RATE
    assert samples.shape[1] / RATE == pytest.approx(LENGTH / float(FRAME_RATE), abs=0.05)
    spectrum = np.abs(np.fft.rfft(samples[0]))
    assert spectrum.argmax() * RATE / samples.shape[1] == pytest.approx(700, abs=10)


def test_each_frame_gets_its_samples(demo, config, make_video, tmp_path, given):
    source = make_video()
    run(demo, config, source, tmp_path / "frames")
    assert [set(audio) for audio in given] == [{"audio", "sample_rate"}] * LENGTH
    assert {audio["sample_rate"] for audio in given} == {RATE}
    ends = np.cumsum([audio["audio"].shape[1] for audio in given])
    assert ends.tolist() == [-(-(t + 1) * RATE * 1001 // 30000) for t in range(LENGTH)]
    track = read_audio(source)[0]
    joined = np.concatenate([audio["audio"] for audio in given], axis=1)
    length = min(joined.shape[1], track.shape[1])
    np.testing.assert_array_equal(joined[:, :length], track[:, :length])


def test_a_track_that_is_shorter_than_the_video(demo, config, make_video, tmp_path, given):
    run(demo, config, make_video(seconds=0.05), tmp_path / "out.mp4")
    assert len(given) == LENGTH
    assert given[0]["audio"].any() and not given[-1]["audio"].any()
    samples, _ = read_audio(tmp_path / "out.mp4")
    assert samples.shape[1] / RATE == pytest.approx(LENGTH / float(FRAME_RATE), abs=0.05)


@pytest.mark.parametrize("words", [["--no-audio"], ["--opts", "MODEL.RCF.AUDIO.ENABLED", "False"]])
def test_without_audio(demo, config, make_video, tmp_path, given, words):
    run(demo, config, make_video(), tmp_path / "out.mp4", *words)
    assert given == [{}] * LENGTH
    with pytest.raises(NoAudioTrack):
        AudioFile(tmp_path / "out.mp4")


def test_a_video_without_a_track_is_silent(demo, config, make_video, tmp_path, given, caplog):
    run(demo, config, make_video(seconds=None), tmp_path / "out.mp4")
    assert given == [{}] * LENGTH
    assert "has no audio track: the model gets silence" in caplog.text


def test_another_frame_rate_of_the_output(demo, config, make_video, tmp_path, given, caplog):
    run(demo, config, make_video(), tmp_path / "out.mp4", "--frame-rate", "10")
    assert all(audio["audio"].any() for audio in given)  # the model gets the audio as it was
    with pytest.raises(NoAudioTrack):
        AudioFile(tmp_path / "out.mp4")
    assert "another frame rate" in caplog.text


def test_a_track_that_breaks_off(demo, config, make_video, tmp_path, given, caplog, monkeypatch):
    def broken(self):
        yield np.ones((2, 2000), np.float32)
        raise ValueError("in.mp4: the audio cannot be decoded")

    monkeypatch.setattr(demo.AudioFile, "__iter__", broken)
    run(demo, config, make_video(), tmp_path / "out.mp4")
    joined = np.concatenate([audio["audio"] for audio in given], axis=1)
    assert joined[:, :2000].all() and not joined[:, 2000:].any()
    assert "cannot be decoded; from there on the model gets silence" in caplog.text


def test_a_varying_frame_rate_keeps_picture_and_sound_together(demo, config, tmp_path, given):
    """The white frame and the beep are at 1 s, in what the model hears and in what is written."""
    times = [Fraction(n, 20) for n in range(8)] + [Fraction(1), Fraction(3, 2), Fraction(2)]
    source = video_of_varying_rate(tmp_path / "in.mkv", times)
    run(demo, config, str(source), tmp_path / "out.mp4")
    heard = [index for index, audio in enumerate(given) if audio["audio"].any()]
    assert 8 in heard and set(heard) <= {8, 9}
    assert sum(audio["audio"].shape[1] for audio in given[:8]) < 16000
    frames = list(open_frames(tmp_path / "out.mp4").timed())
    assert [frame.start for frame in frames] == times
    assert [frame.image.mean() > 128 for frame in frames] == [time == 1 for time in times]
    samples, rate = read_audio(tmp_path / "out.mp4")
    assert np.flatnonzero(np.abs(samples[0]) > 0.2)[0] / rate == pytest.approx(1, abs=0.05)
