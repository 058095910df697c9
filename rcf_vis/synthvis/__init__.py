"""SynthVIS: a procedural video instance segmentation data set in the YouTube-VIS layout.

`SynthVISSpec` makes the silent one, `SynthVISAudioSpec` the one with audio, `SynthVISOcclusionSpec`
the one for identities, `SynthVISMotionSpec` the one whose classes are motions.
"""

from .audio_spec import AUDIO_CATEGORIES, LOOKALIKE_PAIRS, SynthVISAudioSpec
from .audio_track import render_audio
from .events import EVENT_KINDS, find_events
from .motion_spec import MOTION_CATEGORIES, SynthVISMotionSpec
from .occlusion_spec import HIDDEN_LENGTHS, SynthVISOcclusionSpec
from .render import render_video
from .shapes import CATEGORIES
from .spec import KNOBS, SPLITS, SynthVISSpec
from .spec_classes import SPEC_CLASSES
from .writer import ensure_synthvis, generate_split, read_spec

__all__ = [
    "CATEGORIES",
    "EVENT_KINDS",
    "HIDDEN_LENGTHS",
    "KNOBS",
    "LOOKALIKE_PAIRS",
    "AUDIO_CATEGORIES",
    "SPEC_CLASSES",
    "SPLITS",
    "SynthVISAudioSpec",
    "MOTION_CATEGORIES",
    "SynthVISMotionSpec",
    "SynthVISOcclusionSpec",
    "SynthVISSpec",
    "ensure_synthvis",
    "find_events",
    "generate_split",
    "read_spec",
    "render_audio",
    "render_video",
]
