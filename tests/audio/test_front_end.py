"""The front end against VGGish's published definition (tests/audio/vggish_reference.py)."""

import math

import numpy as np
import pytest
import torch

from rcf_vis.audio import SILENCE, AudioStream, LogMelSpectrogram, audio_patches, split_by_frames

from . import vggish_reference as reference

TOLERANCE = 1e-4


def tones(rate, seconds=0.18):
    t = np.arange(round(rate * seconds)) / rate
    return 0.5 * np.sin(2 * np.pi * 440 * t) + 0.3 * np.sin(2 * np.pi * 3000 * t + 1)


def noise(rate, seconds=0.18):
    return np.random.default_rng(1).uniform(-0.9, 0.9, round(rate * seconds))


def speech_like(rate, seconds=0.18):
    """Pulses of a gliding pitch through two resonances, in syllables, over a quiet hiss."""
    t = np.arange(round(rate * seconds)) / rate
    phase = np.cumsum(110 + 60 * np.sin(2 * np.pi * 2 * t)) / rate
    voice = sum(
        np.exp(-(((h * 110 - formant) / 250) ** 2)) * np.sin(2 * np.pi * h * phase)
        for h in range(1, 30)
        for formant in (500, 1500)
    )
    syllables = np.clip(np.sin(2 * np.pi * 4 * t), 0, None)
    return 0.2 * voice * syllables + 1e-3 * np.random.default_rng(2).standard_normal(len(t))


SIGNALS = {"tones": tones, "noise": noise, "speech": speech_like}


@pytest.mark.parametrize("signal", SIGNALS)
def test_log_mel_spectrogram(signal):
    samples = SIGNALS[signal](16000, 0.4)[:5001]
    expected = reference.log_mel(samples)
    assert expected.shape == (32, 64)  # ⌈5001 / 160⌉
    for dtype in (torch.float32, torch.float64):
        found = LogMelSpectrogram()(torch.tensor(samples, dtype=dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found.numpy(), expected, atol=TOLERANCE, rtol=0)


def test_leading_dimensions_and_short_audios():
    batch = torch.tensor(noise(16000, 0.2)[:2400]).reshape(2, 3, 400)
    found = LogMelSpectrogram()(batch)
    assert found.shape == (2, 3, 3, 64)
    np.testing.assert_allclose(found[1, 2], reference.log_mel(batch[1, 2].numpy()), atol=TOLERANCE)
    assert LogMelSpectrogram()(torch.zeros(2, 0)).shape == (2, 0, 64)
    assert LogMelSpectrogram()(torch.zeros(1)).shape == (1, 64)
    assert torch.equal(LogMelSpectrogram()(torch.zeros(500)), torch.full((4, 64), SILENCE))
    assert pytest.approx(math.log(0.01)) == SILENCE


@pytest.mark.parametrize("signal", SIGNALS)
def test_patches(signal):
    samples = SIGNALS[signal](16000)
    expected = reference.patches(samples, frame_rate=15.0, num_frames=3, size=14)
    found = audio_patches(samples, 16000, frame_rate=15.0, num_frames=3, patch_frames=14)
    assert found.shape == (3, 14, 64) and found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
@pytest.mark.parametrize("signal", SIGNALS)
def test_other_rates(signal, rate):
    """Beside VGGish's own resampling: at the same time, and the same below the band's edge."""
    samples = SIGNALS[signal](rate, 0.4)
    patch = AudioStream(rate, 100).push(samples).numpy()
    complete = int((patch != patch[0]).any(axis=1).sum())
    # 0.4 s are 38 windows; the resampling looks ahead by less than the 5 ms that are left
    assert complete == (6400 - 400) // 160 + 1
    found, expected = patch[-complete:], reference.log_mel(reference.resample(samples, rate))
    edge = 7000 if rate > 16000 else 3400  # Hz
    below = [k for k in range(64) if reference.band_edges()[k + 2] < edge]
    np.testing.assert_allclose(found[:, below], expected[:complete, below], atol=0.02, rtol=0)
    if rate > 16000:
        np.testing.assert_allclose(found, expected[:complete], atol=0.2, rtol=0)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 2, 96])
def test_types_and_channels(dtype, channels):
    rng = np.random.default_rng(3)
    floats = rng.uniform(-0.99, 0.99, (channels, 1600))
    if dtype.startswith("float"):
        samples = floats.astype(dtype)
        exact = samples.astype(np.float64)
    else:
        half = {"uint8": 2**7, "int16": 2**15, "int32": 2**31}[dtype]
        exact = np.round(floats * half) / half
        samples = np.round(floats * half + (half if dtype == "uint8" else 0)).astype(dtype)
    expected = reference.patches(exact.mean(0), frame_rate=10.0, num_frames=1, size=9)
    patch = AudioStream(16000, 9).push(samples)
    np.testing.assert_allclose(patch.numpy(), expected[0], atol=TOLERANCE, rtol=0)
    assert torch.equal(AudioStream(16000, 9).push(torch.from_numpy(samples)), patch)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
def test_pieces_of_any_size_give_the_same_patch(rate):
    samples = np.stack((speech_like(rate, 0.9), noise(rate, 0.9))).astype(np.float32)
    rng = np.random.default_rng(rate)
    cuts = np.sort(rng.integers(0, samples.shape[1], 40))
    for pieces in (
        np.split(samples, cuts, axis=1),
        np.split(samples, np.arange(1, 40), axis=1),  # sample by sample, then the rest
        [samples],
    ):
        stream, at_once = AudioStream(rate, 50), AudioStream(rate, 50)
        for piece in pieces:
            patch = stream.push(piece)
        assert torch.equal(patch, at_once.push(samples))
        assert (patch > SILENCE + 0.1).any()


def test_a_patch_is_not_changed_by_what_follows():
    """Causal: every sample after a frame's time may be another one."""
    samples = noise(44100, 0.6)
    other = samples.copy()
    other[math.ceil(2 / 6 * 44100) :] = 0.0
    patches = [audio_patches(x, 44100, frame_rate=6, num_frames=3) for x in (samples, other)]
    assert torch.equal(patches[0][:2], patches[1][:2])
    assert not torch.equal(patches[0][2], patches[1][2])


def test_a_patch_given_out_stays_what_it_is():
    stream = AudioStream(16000, 10)
    first = stream.push(noise(16000, 0.1))
    kept = first.clone()
    first.zero_()
    again = stream.push(np.zeros(0))
    assert torch.equal(again, kept)


def test_audio_that_is_too_short_or_too_long():
    samples = noise(16000, 0.5)
    longer = np.concatenate((samples, np.zeros(16000)))
    short = audio_patches(samples, 16000, frame_rate=6, num_frames=9)
    assert torch.equal(short, audio_patches(longer, 16000, frame_rate=6, num_frames=9))
    assert torch.equal(short[:2], audio_patches(samples, 16000, frame_rate=6, num_frames=2))
    silent = audio_patches(np.zeros((2, 0)), 48000, frame_rate=6, num_frames=2)
    assert torch.equal(silent, torch.full((2, 96, 64), SILENCE))


@pytest.mark.parametrize("frame_rate", [6, 30000 / 1001, 12.5])
def test_samples_of_a_frame(frame_rate):
    """Sample i, at the time i / rate, belongs to the first frame that ends after it."""
    rate, samples = 1000, np.arange(1000, dtype=np.float64)
    pieces = split_by_frames(
        np.split(samples, [3, 3, 400]), sample_rate=rate, frame_rate=frame_rate
    )
    expected = [[] for _ in range(200)]
    for i in range(1000):
        expected[next(t for t in range(200) if i / rate < (t + 1) / frame_rate - 1e-9)].append(i)
    for t in range(3):
        assert next(pieces).tolist() == expected[t]
    lengths = [len(next(pieces)) for _ in range(100)]  # and silence for ever
    assert sum(lengths) == math.ceil(round(103 * rate / frame_rate, 6)) - sum(
        map(len, expected[:3])
    )
    assert next(pieces).any() == np.False_


def test_samples_that_are_not_finite_are_silence(caplog):
    samples = noise(16000, 0.2)
    broken = samples.copy()
    broken[100:200], broken[300] = np.nan, np.inf
    silent = np.where(np.isfinite(broken), broken, 0.0)
    assert torch.equal(AudioStream(16000).push(broken), AudioStream(16000).push(silent))
    assert "101 of 3200 samples are not finite" in caplog.text


@pytest.mark.parametrize("rate", [0, -16000, 22050.5, float("nan")])
def test_rates_that_cannot_be(rate):
    with pytest.raises(ValueError, match="sample rate"):
        AudioStream(rate)


def test_samples_that_cannot_be():
    stream = AudioStream(16000)
    for shape in [(), (1600, 2), (2, 2, 10), (0, 10)]:
        with pytest.raises(ValueError, match="the shape"):
            stream.push(np.zeros(shape))
    with pytest.raises(ValueError, match="integers or floats, got complex"):
        stream.push(np.zeros(4, dtype=complex))
    for frame_rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frame rate"):
            audio_patches(np.zeros(9), 16000, frame_rate=frame_rate, num_frames=1)
    with pytest.raises(ValueError, match="patch_frames is 0"):
        AudioStream(16000, 0)
