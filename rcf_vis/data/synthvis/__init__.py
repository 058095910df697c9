"""SynthVIS: a procedural video instance segmentation data set in the YouTube-VIS layout."""

from .render import render_video
from .shapes import CATEGORIES
from .spec import KNOBS, SPLITS, SynthVISSpec
from .writer import ensure_synthvis, generate_split, read_spec

__all__ = [
    "CATEGORIES",
    "KNOBS",
    "SPLITS",
    "SynthVISSpec",
    "ensure_synthvis",
    "generate_split",
    "read_spec",
    "render_video",
]
