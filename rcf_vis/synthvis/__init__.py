"""SynthVIS: a procedural video instance segmentation data set in the YouTube-VIS layout.

`SynthVISSpec` makes the silent one, `SynthVISAudioSpec` the one with audio.
"""

from .audio_spec import AUDIO_CATEGORIES, LOOKALIKE_PAIRS, SynthVISAudioSpec
from .audio_track import render_audio
from .render import render_video
from .shapes import CATEGORIES
from .spec import KNOBS, SPLITS, SynthVISSpec
from .writer import ensure_synthvis, generate_split, read_spec

__all__ = [
    "CATEGORIES",
    "KNOBS",
    "LOOKALIKE_PAIRS",
    "AUDIO_CATEGORIES",
    "SPLITS",
    "SynthVISAudioSpec",
    "SynthVISSpec",
    "ensure_synthvis",
    "generate_split",
    "read_spec",
    "render_audio",
    "render_video",
]
