"""What the audio holds: timbres, loudness that goes with the pulse, noise, the file."""

import wave
from dataclasses import replace

import numpy as np
import pytest

from rcf_vis.synthvis import (
    AUDIO_CATEGORIES,
    LOOKALIKE_PAIRS,
    SynthVISAudioSpec,
    render_audio,
    render_video,
)
from rcf_vis.synthvis.audio_plan import AudioPlan, Pulse, Voice
from rcf_vis.synthvis.audio_track import mix, write_wav
from rcf_vis.synthvis.plan import plan_video
from rcf_vis.synthvis.timbres import SAMPLE_RATE, TIMBRES, play_timbre

SMALL = SynthVISAudioSpec(width=96, height=64)
#: One object, no other sound.
LONELY = {
    "objects_per_video": (1, 1), "silent_share": 0.0, "offscreen_share": 0.0, "noise_share": 0.0,
    "return_share": 0.0,
}  # fmt: skip


def _log_mel(samples):
    """Mean log-mel spectrum (64,), 125 to 7500 Hz, windows of 25 ms every 10 ms."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, 400)[::160] * np.hanning(400)
    magnitude = np.abs(np.fft.rfft(windows, 512))
    edges = np.linspace(*1127 * np.log1p(np.array([125, 7500]) / 700), 66)
    bins = 1127 * np.log1p(np.arange(257) * SAMPLE_RATE / 512 / 700)[:, None]
    rise, fall = (bins - edges[:-2]), (edges[2:] - bins)
    filters = np.clip(np.minimum(rise, fall) / (edges[1] - edges[0]), 0, None)
    return np.log(magnitude @ filters + 0.01).mean(axis=0)


def _level(samples, frames, frame_rate):
    """Decibels of each frame's stretch of audio."""
    ends = np.round(np.arange(frames + 1) * SAMPLE_RATE / frame_rate).astype(int)
    parts = [samples[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True)]
    return np.array([10 * np.log10(np.mean(part.astype(float) ** 2) + 1e-12) for part in parts])


def test_timbres_are_told_by_the_nearest_centroid():
    time = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE
    names = [category["name"] for category in AUDIO_CATEGORIES]
    assert names == list(TIMBRES)
    rng = np.random.default_rng(0)
    spectra = np.array(
        [[_log_mel(0.08 * play_timbre(n, time, rng)) for _ in range(12)] for n in names]
    )
    centroids = spectra[:, :6].mean(axis=1)
    distance = np.linalg.norm(spectra[:, 6:, None] - centroids, axis=-1)
    assert (distance.argmin(axis=-1) == np.arange(10)[:, None]).all()
    # Not by a hair: the spread within a category is small beside the gap between two.
    gaps = np.linalg.norm(centroids[:, None] - centroids, axis=-1) + 100 * np.eye(10)
    assert gaps.min() > 3 * distance.min(axis=-1).mean()
    assert min(gaps[a, b] for a, b in LOOKALIKE_PAIRS) > 20


@pytest.mark.parametrize("name", list(TIMBRES))
def test_a_tone_is_steady_of_unit_level_and_repeats(name):
    time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    one, again, other = (play_timbre(name, time, np.random.default_rng(k)) for k in (0, 0, 1))
    assert (one == again).all() and not np.allclose(one, other)
    assert np.mean(one**2) == pytest.approx(1.0)
    # at every third of a second, so that the audio of the first frames tells the category
    assert np.ptp(_level(one, 6, 3.0)) < 4
    power = np.abs(np.fft.rfft(one)) ** 2
    heard = (np.fft.rfftfreq(len(one), 1 / SAMPLE_RATE) > 80) & (
        np.fft.rfftfreq(len(one), 1 / SAMPLE_RATE) < 7700
    )
    assert power[heard].sum() > 0.98 * power.sum()


def test_loudness_goes_with_the_pulse_that_shows():
    spec = replace(SMALL, **LONELY)
    for index in range(10):
        (track,), level = plan_video(spec, "train", index).scene.tracks, None
        level = _level(render_audio(spec, "train", index), spec.length, spec.frame_rate)
        assert np.corrcoef(level, track.glow)[0, 1] > 0.95
        assert np.ptp(level) > 12


def test_the_object_is_lighter_when_it_is_louder():
    spec = replace(SMALL, **LONELY, difficulty=0.0, object_size=(0.9, 0.9))
    spec = replace(spec, crossing_share=0.0)
    correlations = []
    for index in range(8):
        frames, annotations = render_video(spec, "train", index)
        if not annotations or not all(annotations[0]["areas"]):
            continue
        boxes = np.array(annotations[0]["bboxes"])
        light = []
        for frame, (x, y, w, h) in zip(frames, boxes, strict=True):
            middle = frame[int(y + h / 4) : int(y + 3 * h / 4), int(x + w / 4) : int(x + 3 * w / 4)]
            light.append(middle.mean())
        level = _level(render_audio(spec, "train", index), spec.length, spec.frame_rate)
        correlations.append(np.corrcoef(level, light)[0, 1])
    assert len(correlations) >= 4 and np.median(correlations) > 0.9


def test_of_twins_the_one_that_sounds_pulses_in_time():
    spec = replace(SMALL, twins_share=1.0, objects_per_video=(2, 2), decoy_share=1.0)
    spec = replace(spec, offscreen_share=0.0, noise_share=0.0)
    for index in range(6):
        plan = plan_video(spec, "train", index)
        level = _level(render_audio(spec, "train", index), spec.length, spec.frame_rate)
        for track, voice in zip(plan.scene.tracks, plan.audio.voices, strict=True):
            in_time = np.corrcoef(level, track.glow)[0, 1]
            assert in_time > 0.95 if voice is not None else in_time < -0.85


def test_silence_noise_and_sounds_from_outside():
    nothing = {"silent_share": 1.0, "twins_share": 0.0, "offscreen_share": 0.0}
    silent = render_audio(replace(SMALL, **nothing, noise_share=0.0), "train", 0)
    assert silent.shape == (53334,) and not silent.any()
    noisy = replace(SMALL, **nothing, noise_share=1.0)
    noise = render_audio(noisy, "train", 0) / 32767
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(
        plan_video(noisy, "train", 0).audio.noise, rel=0.01
    )
    outside = replace(SMALL, **{**nothing, "offscreen_share": 1.0}, noise_share=0.0)
    assert np.abs(render_audio(outside, "train", 0)).max() > 300


def test_a_loud_mix_is_turned_down_and_not_clipped():
    loud = Voice(0, Pulse(0.8, 0.0), 5.0)
    samples = mix(SMALL, AudioPlan([loud, loud], None, 0.0), np.random.default_rng(0))
    assert np.abs(samples).max() == pytest.approx(0.95)


def test_audio_repeats_and_differs_between_videos_and_splits():
    one = render_audio(SMALL, "train", 0)
    assert one.dtype == np.int16 and (one == render_audio(SMALL, "train", 0)).all()
    for other in (render_audio(SMALL, "train", 1), render_audio(SMALL, "val", 0)):
        assert (one != other).mean() > 0.5
    with pytest.raises(ValueError, match="train has videos 0 to 1999, got 2000"):
        render_audio(SMALL, "train", 2000)


def test_wav_file(tmp_path):
    samples = render_audio(replace(SMALL, length=3, frame_rate=7.0), "val", 0)
    assert len(samples) == 6858  # 3 / 7 s, rounded up
    write_wav(tmp_path / "a.wav", samples)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 16000)
        assert file.readframes(10_000) == samples.astype("<i2").tobytes()
