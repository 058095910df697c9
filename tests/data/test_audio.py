"""The audio of frames: the right part of it, silence where there is none, errors with names."""

import pickle

import numpy as np
import pytest
import torch

from rcf_vis.audio import LogMelSpectrogram, audio_patches
from rcf_vis.data import DatasetError
from rcf_vis.data.audio import FrameAudio, LazyAudio, patches_of_frames

from .audio_data import (
    SILENCE,
    expected_patch,
    noise,
    wav_header_with_rate,
    write_video_file,
    write_wav,
)

ETA = 24


def record_of(path, length=6, frame_rate=6.0) -> dict:
    return {
        "video_id": 7,
        "length": length,
        "frame_rate": frame_rate,
        "audio_file": None if path is None else str(path),
    }


@pytest.fixture
def audio() -> FrameAudio:
    return FrameAudio(patch_frames=ETA)


def assert_both(audio, record, expected) -> None:
    """Some frames in training, in any order, and the video in testing."""
    order = [5, 0, 0, 3]
    assert torch.allclose(audio.of_frames(record, order)["audio"], expected[order], atol=1e-5)
    video = audio.of_video(record)["audio"]
    assert len(video) == len(expected)
    assert torch.allclose(torch.stack(list(video)), expected, atol=1e-5)


def test_each_frame_hears_what_lies_before_its_end(audio, tmp_path):
    samples = noise(1.0, channels=2)
    write_wav(tmp_path / "a.wav", samples)
    expected = torch.stack([expected_patch(samples, t, 6.0, ETA) for t in range(6)])
    assert_both(audio, record_of(tmp_path / "a.wav"), expected)
    assert audio.of_frames(record_of(tmp_path / "a.wav"), [0, 1])["audio"].dtype == torch.float32
    # 2666 samples → 15 windows; a patch of 24 begins with 9 rows of silence
    first = audio.of_frames(record_of(tmp_path / "a.wav"), [0])["audio"][0]
    assert (first[:9] == np.float32(SILENCE)).all() and (first[9:] > SILENCE + 1).all()


def test_the_audio_track_of_a_video_file(audio, tmp_path):
    samples = noise(1.0)
    write_video_file(tmp_path / "a.mkv", samples)
    expected = torch.stack([expected_patch(samples, t, 6.0, ETA) for t in range(6)])
    assert_both(audio, record_of(tmp_path / "a.mkv"), expected)


def test_after_a_audio_that_is_too_short_there_is_silence(audio, tmp_path):
    samples = noise(0.35)
    write_wav(tmp_path / "a.wav", samples)
    expected = torch.stack([expected_patch(samples, t, 6.0, ETA) for t in range(6)])
    assert_both(audio, record_of(tmp_path / "a.wav"), expected)
    assert (expected[4][-8:] == np.float32(SILENCE)).all() and (expected[2] > SILENCE).any()


def test_the_end_of_audio_that_is_too_long_is_not_used(audio, tmp_path):
    samples = noise(1.0)
    write_wav(tmp_path / "a.wav", samples)
    write_wav(tmp_path / "b.wav", np.concatenate((samples, noise(3.0, seed=1))))
    one, other = (record_of(tmp_path / name) for name in ("a.wav", "b.wav"))
    assert torch.equal(
        audio.of_frames(one, range(6))["audio"], audio.of_frames(other, range(6))["audio"]
    )
    assert len(list(audio.of_video(other)["audio"])) == 6


def test_silence_where_there_is_no_audio(audio, tmp_path):
    write_video_file(tmp_path / "picture.mkv", None)
    write_wav(tmp_path / "empty.wav", noise(0))
    silence = torch.full((6, ETA, 64), SILENCE)
    for path in (None, tmp_path / "picture.mkv", tmp_path / "empty.wav"):
        assert_both(audio, record_of(path), silence)
    still = {"video_id": 1, "length": 1, "still_image": True}
    assert torch.equal(audio.of_frames(still, [0] * 3)["audio"], silence[:3])


@pytest.mark.parametrize(
    ("rate", "frame_rate"),
    [(16000, 29.97), (8000, 1.0), (11025, 6.0), (22050, 7.5), (44100, 6.0), (48000, 2.0)],
)
def test_a_clip_out_of_a_long_video_hears_what_the_whole_video_does(rate, frame_rate):
    """Only a part is looked at, but at the same places."""
    samples = noise(4.3, rate).T.astype(np.float32) / 2**15
    settings = {"frame_rate": frame_rate, "patch_frames": 32}
    last = int(4.9 * frame_rate)
    frames = [last, last - 2, last // 2, 0, last - 1]
    whole = audio_patches(samples, rate, num_frames=last + 1, **settings)
    for some in (frames, frames[:2], frames[2:3]):
        part = patches_of_frames(samples, rate, some, **settings)
        assert torch.allclose(part, whole[some], atol=1e-5)


def test_a_part_of_a_long_audio_is_all_that_is_looked_at(monkeypatch):
    from rcf_vis.audio import AudioStream

    pushed, push = [], AudioStream.push
    monkeypatch.setattr(
        AudioStream,
        "push",
        lambda self, piece: pushed.append(np.asarray(piece).shape[-1]) or push(self, piece),
    )
    samples = np.zeros((1, 60 * 16000), dtype=np.float32)
    patches_of_frames(samples, 16000, [330, 331, 332], frame_rate=6.0)
    assert 0.96 * 16000 < sum(pushed) < 2 * 16000


def test_broken_audio_names_the_file_and_the_video(audio, tmp_path):
    path = tmp_path / "broken.wav"
    no_audio = pytest.raises(DatasetError, match=r"video 7, audio .*broken\.wav")
    values = np.zeros((1600, 1), dtype=np.float32)
    values[7] = np.nan
    write_wav(path, values)
    with no_audio as caught:
        audio.of_frames(record_of(path), [0])
    assert "not finite" in str(caught.value)
    path.write_bytes(b"RIFF no audio")
    with pytest.raises(DatasetError, match=r"video 7, audio .*broken\.wav"):
        audio.of_frames(record_of(path), [0])
    write_wav(path, noise(0.1))
    wav_header_with_rate(path, 0)
    with pytest.raises(DatasetError, match=r"video 7, audio .*broken\.wav"):
        audio.of_frames(record_of(path), [0])
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"video 7, audio .*broken\.wav"):
        audio.of_frames(record_of(path), [0])


def test_a_broken_audio_stops_a_video_before_its_first_frame(audio, tmp_path):
    values = np.zeros((32000, 1), dtype=np.float32)
    values[-1] = np.inf
    write_wav(tmp_path / "a.wav", values)
    video = audio.of_video(record_of(tmp_path / "a.wav"))["audio"]
    with pytest.raises(DatasetError, match="video 7, audio"):
        next(iter(video))
    with pytest.raises(DatasetError, match="video 7, audio"):
        video[0]


def test_many_channels_are_one(audio, tmp_path):
    samples = noise(1.0, channels=8)
    write_wav(tmp_path / "a.wav", samples)
    expected = torch.stack([expected_patch(samples, t, 6.0, ETA) for t in range(6)])
    assert_both(audio, record_of(tmp_path / "a.wav"), expected)


def test_a_lazy_audio_is_a_sequence(audio, tmp_path):
    write_wav(tmp_path / "a.wav", noise(1.0))
    video = audio.of_video(record_of(tmp_path / "a.wav"))["audio"]
    items = list(video)
    for index in (3, 4, 4, 2, 5, 0, -1, -6):
        assert torch.equal(video[index], items[index])
    assert all(map(torch.equal, video[1:4], items[1:4]))
    for index in (6, -7):
        with pytest.raises(IndexError):
            video[index]
    for copy in (pickle.loads(pickle.dumps(video)), audio.of_video(record_of(None))["audio"]):
        assert len(copy) == len(list(copy)) == 6
    assert torch.equal(pickle.loads(pickle.dumps(video))[2], items[2])


def test_a_lazy_audio_is_read_when_it_is_asked_for_and_once_in_order():
    starts = []

    def read():
        starts.append(None)
        yield from torch.arange(4)

    lazy = LazyAudio(read, 4)
    assert starts == []
    assert [int(lazy[i]) for i in (0, 1, 1, 3)] == [0, 1, 1, 3] and len(starts) == 1
    assert int(lazy[2]) == 2 and len(starts) == 2


def test_the_spectrogram_has_its_fixed_name():
    assert LogMelSpectrogram()(torch.zeros(3200)).shape == (20, 64)
