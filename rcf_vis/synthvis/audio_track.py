"""Renders what the audio holds in a video, and writes it."""

from __future__ import annotations

import math
import wave
from pathlib import Path

import numpy as np

from .audio_plan import AudioPlan
from .audio_spec import AUDIO_CATEGORIES, SynthVISAudioSpec
from .plan import plan_video
from .timbres import SAMPLE_RATE, coloured_noise, play_timbre

__all__ = ["mix", "render_audio", "write_wav"]

#: Decibels between the loudest and the faintest moment of a voice. Its level in decibels is linear
#: in the pulse: that is what a log-mel spectrogram shows.
_RANGE = 30.0

#: The largest amplitude; a louder mix is turned down as a whole.
_PEAK = 0.95


def render_audio(spec: SynthVISAudioSpec, split: str, index: int) -> np.ndarray:
    """The audio track of video `index` (from 0) of a split; depends on nothing but the arguments.

    Returns:
        int16 (samples,) at `SAMPLE_RATE`, one channel, no shorter than the video.

    Raises:
        ValueError: unknown split, or index outside of it.
    """
    plan = plan_video(spec, split, index)
    assert plan.audio is not None
    samples = mix(spec, plan.audio, plan.audio_rng)
    return np.round(32767 * samples).astype(np.int16)


def mix(spec: SynthVISAudioSpec, audio: AudioPlan, rng: np.random.Generator) -> np.ndarray:
    """All voices and the noise, float64 (samples,) from -1 to 1."""
    count = math.ceil(spec.length * SAMPLE_RATE / spec.frame_rate)
    time = np.arange(count) / SAMPLE_RATE
    noise_rng, *voice_rngs = rng.spawn(2 + len(audio.voices))
    total = np.zeros(count)
    for voice, voice_rng in zip([*audio.voices, audio.offscreen], voice_rngs, strict=True):
        if voice is not None:
            loudness = voice.level * 10 ** (_RANGE / 20 * (voice.pulse(time) - 1))
            tone = play_timbre(AUDIO_CATEGORIES[voice.category]["name"], time, voice_rng)
            total += loudness * tone
    if audio.noise:
        noise = coloured_noise(count, noise_rng, 20.0, SAMPLE_RATE / 2, rolloff=0.5)
        total += audio.noise * noise / np.sqrt(np.mean(noise**2))
    return total * min(1.0, _PEAK / max(float(np.abs(total).max()), 1e-9))


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Writes int16 (samples,) as a wav file of one channel at `SAMPLE_RATE`."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
