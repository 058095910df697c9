"""What the categories audio like: one timbre each, told apart by its spectrum.

All functions give float64 (samples,), of no fixed level; `time` is in seconds, at `SAMPLE_RATE`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = [
    "SAMPLE_RATE",
    "TIMBRES",
    "Timbre",
    "band_noise",
    "coloured_noise",
    "frequency_modulation",
    "harmonics",
    "play_timbre",
]

#: Samples a second of every audio track.
SAMPLE_RATE = 16_000

#: No partial is higher than this, in Hz: below half of `SAMPLE_RATE`.
_HIGHEST = 7500.0

#: What the pitch of an instance is multiplied by.
_DETUNE = (0.97, 1.03)

Timbre = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def _phase(
    time: np.ndarray, pitch: float, vibrato: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """The running phase of a tone in radians; `vibrato` is its rate in Hz and its depth."""
    rate, depth = vibrato
    start = rng.uniform(0, 2 * np.pi)
    sway = depth / rate * (np.cos(start) - np.cos(2 * np.pi * rate * time + start))
    return 2 * np.pi * pitch * time + pitch * sway


def harmonics(
    pitch: float,
    *,
    count: int,
    rolloff: float,
    step: int = 1,
    vibrato: tuple[float, float] = (5.0, 0.0),
) -> Timbre:
    """A stack of partials: every `step`-th multiple of `pitch`, number k as loud as k^-rolloff."""

    def play(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        own = pitch * rng.uniform(*_DETUNE)
        phase = _phase(time, own, vibrato, rng)
        numbers = 1 + step * np.arange(count)
        numbers = numbers[numbers * own * (1 + vibrato[1]) < _HIGHEST]
        starts = rng.uniform(0, 2 * np.pi, count)
        wave = np.zeros_like(time)
        for number, start in zip(numbers, starts, strict=False):
            wave += number**-rolloff * np.sin(number * phase + start)
        return wave

    return play


def frequency_modulation(carrier: float, *, ratio: float, index: float) -> Timbre:
    """A tone whose frequency swings `ratio` times as fast: a bell where the ratio is no integer."""

    def play(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        own = 2 * np.pi * carrier * rng.uniform(*_DETUNE) * time
        start, swing = rng.uniform(0, 2 * np.pi, 2)
        return np.sin(own + start + index * np.sin(ratio * own + swing))

    return play


def band_noise(low: float, high: float, *, tremolo: float) -> Timbre:
    """Noise between two frequencies in Hz, whose loudness trembles `tremolo` times a second."""

    def play(time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        own = rng.uniform(*_DETUNE)
        wave = coloured_noise(len(time), rng, low * own, min(high * own, _HIGHEST))
        return wave * (1 + 0.9 * np.sin(2 * np.pi * tremolo * time + rng.uniform(0, 2 * np.pi)))

    return play


def coloured_noise(
    count: int, rng: np.random.Generator, low: float, high: float, rolloff: float = 0.0
) -> np.ndarray:
    """`count` samples of noise between two frequencies in Hz, as loud as frequency^-rolloff."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequency = np.fft.rfftfreq(count, 1 / SAMPLE_RATE)
    inside = (frequency >= low) & (frequency <= high)
    spectrum[~inside] = 0
    spectrum[inside] *= np.maximum(frequency[inside], 20.0) ** -rolloff
    return np.fft.irfft(spectrum, count)


#: Category → its timbre. The two of a look-alike pair lie far apart.
TIMBRES: dict[str, Timbre] = {
    "disc_hum": harmonics(130, count=9, rolloff=1.0),
    "disc_hiss": band_noise(4300, 7100, tremolo=24),
    "triangle": frequency_modulation(560, ratio=2.0, index=1.8),
    "gear": band_noise(2000, 3600, tremolo=14),
    "cross": harmonics(1450, count=2, rolloff=0.3, step=2),
    "hexagon_rumble": band_noise(170, 480, tremolo=9),
    "hexagon_bell": frequency_modulation(1900, ratio=1.41, index=1.6),
    "arrow": harmonics(560, count=3, rolloff=0.6, vibrato=(3.0, 0.25)),
    "leaf_flute": harmonics(1050, count=2, rolloff=3.0, vibrato=(5.5, 0.02)),
    "leaf_buzz": harmonics(95, count=40, rolloff=0.1, step=2),
}


def play_timbre(name: str, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The tone of one instance of a category, of RMS 1, float64 (samples,)."""
    wave = TIMBRES[name](time, rng)
    return wave / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
