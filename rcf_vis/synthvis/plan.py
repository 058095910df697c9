"""The plan of one video of a split, and the random numbers that it is drawn with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .audio_plan import AudioPlan, plan_audio
from .audio_spec import SynthVISAudioSpec
from .motion_spec import SynthVISMotionSpec
from .occlusion_scene import plan_occlusion_scene
from .occlusion_spec import SynthVISOcclusionSpec
from .scene import Scene, plan_scene
from .spec import SPLITS, SynthVISSpec
from .turning import turn_objects

__all__ = ["VideoPlan", "plan_video"]


@dataclass(frozen=True)
class VideoPlan:
    """What is seen and heard; each part is drawn with numbers of its own."""

    scene: Scene
    #: None for a data set without audio.
    audio: AudioPlan | None
    look_rng: np.random.Generator
    camera_rng: np.random.Generator
    audio_rng: np.random.Generator


def plan_video(spec: SynthVISSpec, split: str, index: int) -> VideoPlan:
    """Plans video `index` (from 0) of a split; depends on nothing but the arguments.

    Raises:
        ValueError: unknown split, or index outside of it.
    """
    if not 0 <= index < spec.num_videos(split):
        raise ValueError(f"{split} has videos 0 to {spec.num_videos(split) - 1}, got {index}")
    seed = np.random.SeedSequence([spec.seed, SPLITS[split], index])
    # What was added later comes last, so that the others keep their numbers.
    plan_rng, look_rng, camera_rng, voice_rng, audio_rng = map(np.random.default_rng, seed.spawn(5))
    audio = None
    if isinstance(spec, SynthVISOcclusionSpec):
        scene = plan_occlusion_scene(spec, index, plan_rng)
    else:
        scene = plan_scene(spec, plan_rng)
    if isinstance(spec, SynthVISMotionSpec):
        scene = turn_objects(scene, voice_rng)
    if isinstance(spec, SynthVISAudioSpec):
        scene, audio = plan_audio(spec, scene, voice_rng)
    return VideoPlan(scene, audio, look_rng, camera_rng, audio_rng)
