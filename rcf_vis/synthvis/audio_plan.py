"""Who sounds in a video, when it is loud, and how that shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .audio_spec import LOOKALIKE_PAIRS, UNIQUE_LOOKS, SynthVISAudioSpec
from .scene import Scene, Track

__all__ = ["AudioPlan", "Pulse", "Voice", "plan_audio"]

#: An object is larger by this share when it is loudest.
_SWELL = 0.1

#: Moments at which the pulse is taken while the shutter of a frame is open.
_MOMENTS = 16


@dataclass(frozen=True)
class Pulse:
    """A rhythm: a raised cosine."""

    #: Seconds from one beat to the next: four to six frames at the default rate, and never longer
    #: than the 0.96 s of a patch.
    period: float
    #: In [0, 1): where in the period the video begins.
    phase: float

    def __call__(self, time: np.ndarray) -> np.ndarray:
        """From 0 (faintest) to 1 (loudest) at `time` in seconds, any shape."""
        return 0.5 - 0.5 * np.cos(2 * np.pi * (time / self.period + self.phase))

    def opposite(self) -> Pulse:
        """Loudest when this one is faintest."""
        return replace(self, phase=self.phase + 0.5)

    def shown(self, length: int, frame_rate: float) -> np.ndarray:
        """Its mean while each frame is taken, from t to t + 1 over the rate; (length,)."""
        moments = (np.arange(length)[:, None] + (np.arange(_MOMENTS) + 0.5) / _MOMENTS) / frame_rate
        return self(moments).mean(axis=1)


@dataclass(frozen=True)
class Voice:
    """A source of sound; its object may be anywhere."""

    #: Index into `AUDIO_CATEGORIES`.
    category: int
    pulse: Pulse
    #: RMS of the tone where it is loudest; full scale is 1.
    level: float


@dataclass(frozen=True)
class AudioPlan:
    """What the audio holds in a video."""

    #: For each track of the scene its voice; None where the object is silent.
    voices: list[Voice | None]
    #: The audio from outside of the picture, or None.
    offscreen: Voice | None
    #: RMS of the background noise, 0 without.
    noise: float


def plan_audio(
    spec: SynthVISAudioSpec, scene: Scene, rng: np.random.Generator
) -> tuple[Scene, AudioPlan]:
    """Gives the objects of a plain scene their categories, voices and pulses.

    All objects of one category audio, or none of them; so a silent look-alike beside a sounding one
    is known to be its twin.

    Args:
        scene: as plain SynthVIS plans it; of its categories only what is equal counts.

    Returns:
        The scene with categories of `AUDIO_CATEGORIES`, sizes that swell and `glow`; and what is
        heard.
    """
    categories, twins = _draw_categories(spec, scene.tracks, rng)
    silent = {c for c in sorted(set(categories)) if rng.uniform() < spec.silent_share}
    pulses = [_draw_pulse(rng) for _ in categories]
    if twins is not None:
        sounding, other = twins
        silent = silent - {categories[sounding]} | {categories[other]}
        pulses[other] = pulses[sounding].opposite()
    tracks, voices = [], []
    for track, category, pulse in zip(scene.tracks, categories, pulses, strict=True):
        level, decoy = _draw_level(rng), rng.uniform() < spec.decoy_share
        voices.append(None if category in silent else Voice(category, pulse, level))
        shown = pulse.shown(spec.length, spec.frame_rate)
        glow = shown if decoy or category not in silent else np.zeros(spec.length)
        size = track.size * (1 + _SWELL * glow)
        tracks.append(replace(track, category=category, size=size, glow=glow))
    plan = AudioPlan(voices, _draw_offscreen(spec, categories, rng), _draw_noise(spec, rng))
    return replace(scene, tracks=tracks), plan


def _draw_categories(
    spec: SynthVISAudioSpec, tracks: Sequence[Track], rng: np.random.Generator
) -> tuple[list[int], tuple[int, int] | None]:
    """A category for each track; and the two tracks that are twins, of which the first sounds."""
    kinds = {}
    for category in sorted({track.category for track in tracks}):
        has_twin = rng.uniform() < spec.lookalike_share
        pair = LOOKALIKE_PAIRS[rng.integers(len(LOOKALIKE_PAIRS))]
        unique = UNIQUE_LOOKS[rng.integers(len(UNIQUE_LOOKS))]
        kinds[category] = pair[0] if has_twin else unique
    # One of each pair for the whole video: without twins, no video shows both.
    here = {pair[0]: int(pair[rng.integers(2)]) for pair in LOOKALIKE_PAIRS}
    categories = [kinds[track.category] for track in tracks]
    categories = [here.get(category, category) for category in categories]
    wanted = rng.uniform() < spec.twins_share and spec.lookalike_share > 0
    if not wanted or len(tracks) < 2:
        return categories, None
    pair = rng.permutation(LOOKALIKE_PAIRS[rng.integers(len(LOOKALIKE_PAIRS))])
    first, second = _choose_twins(tracks, rng)
    for number, category in enumerate(categories):
        if category in pair:
            categories[number] = int(pair[0])
    categories[first], categories[second] = int(pair[0]), int(pair[1])
    return categories, (first, second)


def _choose_twins(tracks: Sequence[Track], rng: np.random.Generator) -> tuple[int, int]:
    """Two tracks: of one category where there are such, as of a crossing; else any two."""
    order = [int(i) for i in rng.permutation(len(tracks))]
    for place, i in enumerate(order):
        for j in order[:place]:
            if tracks[i].category == tracks[j].category:
                return i, j
    return order[0], order[1]


def _draw_pulse(rng: np.random.Generator) -> Pulse:
    return Pulse(period=rng.uniform(0.7, 0.96), phase=rng.uniform())


def _draw_level(rng: np.random.Generator) -> float:
    return rng.uniform(0.08, 0.14)


def _draw_offscreen(
    spec: SynthVISAudioSpec, categories: Sequence[int], rng: np.random.Generator
) -> Voice | None:
    seen = {spec.looks[category] for category in categories}
    unseen = [category for category, look in enumerate(spec.looks) if look not in seen]
    if rng.uniform() >= spec.offscreen_share or not unseen:
        return None
    category = unseen[rng.integers(len(unseen))]
    return Voice(category, _draw_pulse(rng), rng.uniform(0.4, 0.9) * _draw_level(rng))


def _draw_noise(spec: SynthVISAudioSpec, rng: np.random.Generator) -> float:
    level = float(np.exp(rng.uniform(np.log(0.001), np.log(0.02))))
    return level if rng.uniform() < spec.noise_share else 0.0
