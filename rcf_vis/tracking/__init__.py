"""Identities of objects across frames."""

from .box_masks import BoxMasks
from .identity import (
    FiredSlots,
    IdentityRules,
    IdentityState,
    assign_identities,
    identities_by_slot,
    pair_masks,
)
from .track_instances import TrackInstances, box_masks_of

__all__ = [
    "BoxMasks",
    "FiredSlots",
    "IdentityRules",
    "IdentityState",
    "assign_identities",
    "TrackInstances",
    "box_masks_of",
    "identities_by_slot",
    "pair_masks",
]
