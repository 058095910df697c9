"""Weights: loading and saving them, and those that come with the package (``rcf_vis://``)."""

from . import model_zoo  # noqa: F401  (registers the prefix)
from .bare_weights import read_bare_weights, save_bare_weights
from .checkpointer import RCFCheckpointer, known_class_names
from .part_weights import load_part_weights

__all__ = [
    "RCFCheckpointer",
    "known_class_names",
    "load_part_weights",
    "read_bare_weights",
    "save_bare_weights",
]
