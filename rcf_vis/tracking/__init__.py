"""Identities of objects across frames."""

from .identity import FiredSlots, IdentityRules, IdentityState, assign_identities, mask_iou

__all__ = ["FiredSlots", "IdentityRules", "IdentityState", "assign_identities", "mask_iou"]
