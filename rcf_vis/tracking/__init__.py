"""Identities of objects across frames.

All but :class:`TrackInstances` needs numpy alone.
"""

from typing import Any

from .box_masks import BoxMasks
from .enlargement import Enlargement
from .identity import (
    FiredSlots,
    IdentityRules,
    IdentityState,
    assign_identities,
    identities_by_slot,
    pair_masks,
)

__all__ = [
    "BoxMasks",
    "Enlargement",
    "FiredSlots",
    "IdentityRules",
    "IdentityState",
    "assign_identities",
    "TrackInstances",
    "box_masks_of",
    "identities_by_slot",
    "pair_masks",
]


def __getattr__(name: str) -> Any:
    """What Detectron2 is needed for, imported for who asks for it."""
    if name in ("TrackInstances", "box_masks_of"):
        from . import track_instances

        return getattr(track_instances, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
