"""Audio from wav and video files."""

import os
import struct
from fractions import Fraction

import numpy as np
import pytest

from rcf_vis.audio import AudioFile, NoAudioTrack, read_audio
from rcf_vis.inference.video_writer import VideoWriter


@pytest.fixture
def wav(tmp_path):
    """Write a wav file, by hand, so that it may also be wrong."""

    def write(data, *, rate=16000, channels=1, bits=16, kind=1, name="audio.wav"):
        block = channels * bits // 8
        header = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * block, block, bits)
        chunks = b"WAVEfmt " + header + b"data" + struct.pack("<I", len(data)) + data
        (tmp_path / name).write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize("channels", [1, 2, 96])
@pytest.mark.parametrize(("dtype", "bits", "half"), [("i2", 16, 2**15), ("i4", 32, 2**31)])
def test_integers(wav, channels, dtype, bits, half):
    values = np.random.default_rng(0).integers(-half, half, (700, channels)).astype(f"<{dtype}")
    path = wav(values.tobytes(), rate=44100, channels=channels, bits=bits)
    samples, rate = read_audio(path)
    assert (rate, samples.shape, samples.dtype) == (44100, (channels, 700), np.float32)
    np.testing.assert_allclose(samples, values.T / half, atol=1e-7)


def test_other_types(wav):
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_allclose(read_audio(wav(values.tobytes(), bits=8))[0][0], (values / 128) - 1)
    floats = np.linspace(-2, 2, 50, dtype="<f4")
    samples, _ = read_audio(wav(floats.tobytes(), bits=32, kind=3))
    np.testing.assert_array_equal(samples[0], floats)


def test_no_samples(wav):
    samples, rate = read_audio(wav(b"", channels=2))
    assert samples.shape == (2, 0) and rate == 16000


def test_samples_that_are_not_finite(wav):
    floats = np.zeros(160, dtype="<f4")
    floats[[80, 90]] = np.nan, np.inf
    path = wav(floats.tobytes(), bits=32, kind=3)
    with pytest.raises(ValueError, match="2 of 160 samples are not finite, the first at 0.005 s"):
        read_audio(path)


@pytest.mark.parametrize("header", [{"rate": 0}, {"channels": 0}])
def test_headers_that_cannot_be(wav, header):
    with pytest.raises(ValueError, match="broken.wav"):
        read_audio(wav(b"1234" * 50, name="broken.wav", **header))


def test_files_that_are_no_audio(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        read_audio(tmp_path / "nothing.wav")
    for number, content in enumerate((b"", b"a text" * 50)):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=f"{number}.wav is not an audio track that can be read"
        ):
            read_audio(path)


def test_a_track_over_the_limit(wav, tmp_path, monkeypatch):
    path = wav(bytes(16000))
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(struct.pack("<I", 2**31))  # samples that the header has, in a hole
        file.truncate(2**31)
    with pytest.raises(ValueError, match=r"samples of audio: 107\d{7} is over the limit"):
        read_audio(path)
    monkeypatch.setenv("RCF_LIMIT_AUDIO_SAMPLES", "5000")
    path = wav(bytes(16000))
    with pytest.raises(ValueError, match="over the limit of 5000; LIMITS.AUDIO_SAMPLES"):
        read_audio(path)
    monkeypatch.setattr(AudioFile, "_seconds", property(lambda _: 0, lambda *_: None), False)
    with pytest.raises(ValueError, match="samples of audio, at least: .* is over the limit of 500"):
        read_audio(path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(OSError, match="is a named pipe, expected a file"):
        read_audio(tmp_path / "pipe.wav")


def test_a_broken_track_gives_what_comes_before(wav, tmp_path):
    values = np.arange(4000, dtype="<i2")
    whole = wav(values.tobytes())
    cut = tmp_path / "cut.wav"
    cut.write_bytes(open(whole, "rb").read()[: 44 + 2 * 1000])
    np.testing.assert_allclose(read_audio(cut)[0][0], values[:1000] / 2**15)


def test_the_track_of_a_video(tmp_path):
    """Through AAC and back: the same audio, at the same time."""
    rate, frame_rate = 44100, Fraction(10)
    t = np.arange(rate) / rate
    clicks = np.sin(2 * np.pi * 500 * t) * (np.abs(t - 0.6) < 0.05)
    audio = np.stack((clicks, 0.5 * clicks)).astype(np.float32)
    path = tmp_path / "video.mp4"
    with VideoWriter(path, frame_rate=frame_rate, sample_rate=rate) as writer:
        for k in range(10):
            writer.write(np.zeros((32, 48, 3), np.uint8))
            writer.write_audio(audio[:, k * 4410 : (k + 1) * 4410])
    samples, found_rate = read_audio(path)
    assert found_rate == rate and len(samples) == 2
    assert abs(samples.shape[1] - rate) <= 1024  # AAC has frames of 1024 samples
    length = min(samples.shape[1], rate)
    error = samples[:, :length] - audio[:, :length]
    assert np.sqrt((error**2).mean()) < 0.05 * np.sqrt((audio**2).mean()) + 0.01
    assert AudioFile(path).num_channels == 2


def test_a_video_without_a_track(tmp_path):
    path = tmp_path / "silent.mp4"
    with VideoWriter(path, frame_rate=5) as writer:
        writer.write(np.zeros((32, 48, 3), np.uint8))
        with pytest.raises(ValueError, match="audio needs a sample rate"):
            writer.write_audio(np.zeros((1, 10)))
    with pytest.raises(NoAudioTrack, match="silent.mp4 has no audio track"):
        read_audio(path)
    assert issubclass(NoAudioTrack, ValueError)


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (22222, 6)])
def test_any_audio_can_be_written(tmp_path, rate, channels):
    audio = np.random.default_rng(0).uniform(-3, 3, (channels, rate)).astype(np.float32)
    audio[0, :100] = np.nan
    path = tmp_path / "video.mkv"
    with VideoWriter(path, frame_rate=2, sample_rate=rate) as writer:
        for piece in np.split(audio, 2, axis=1):
            writer.write(np.zeros((32, 48, 3), np.uint8))
            writer.write_audio(piece)
            writer.write_audio(piece[:, :0])
    samples, found_rate = read_audio(path)
    assert found_rate == (rate if rate == 16000 else 48000)
    assert samples.shape[1] / found_rate == pytest.approx(1.0, abs=0.15)
