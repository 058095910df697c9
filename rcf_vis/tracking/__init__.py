"""Identities of objects across frames."""

from .identity import (
    FiredSlots,
    IdentityRules,
    IdentityState,
    assign_identities,
    identities_by_slot,
    mask_iou,
    pair_masks,
)

__all__ = [
    "FiredSlots",
    "IdentityRules",
    "IdentityState",
    "assign_identities",
    "identities_by_slot",
    "mask_iou",
    "pair_masks",
]
