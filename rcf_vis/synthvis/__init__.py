"""SynthVIS: a procedural video instance segmentation data set in the YouTube-VIS layout.

`SynthVISSpec` makes the silent one, `SynthVISSoundSpec` the one with sound.
"""

from .render import render_video
from .shapes import CATEGORIES
from .sound_spec import LOOKALIKE_PAIRS, SOUND_CATEGORIES, SynthVISSoundSpec
from .sound_track import render_sound
from .spec import KNOBS, SPLITS, SynthVISSpec
from .writer import ensure_synthvis, generate_split, read_spec

__all__ = [
    "CATEGORIES",
    "KNOBS",
    "LOOKALIKE_PAIRS",
    "SOUND_CATEGORIES",
    "SPLITS",
    "SynthVISSoundSpec",
    "SynthVISSpec",
    "ensure_synthvis",
    "generate_split",
    "read_spec",
    "render_sound",
    "render_video",
]
