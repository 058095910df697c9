"""Identity without matching (section III-B4): a pure function over a small state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .assignment import best_pairs
from .box_masks import BoxMasks

__all__ = [
    "FiredSlots",
    "IdentityRules",
    "IdentityState",
    "assign_identities",
    "identities_by_slot",
    "pair_masks",
]


@dataclass(frozen=True)
class IdentityRules:
    """Which rules hold, and their numbers.

    Attributes:
        slot_identity: a fired slot keeps the identity that its slot last carried.
        iou_identity: a fired slot takes the identity of the previous frame's mask it overlaps.
        iou_thresh: the overlap that this takes; IoU must exceed it.
        max_age: frames without firing after which a slot's identity is forgotten; 0 = never.

    Raises:
        ValueError: a number is out of its range.
    """

    slot_identity: bool = True
    iou_identity: bool = True
    iou_thresh: float = 0.5
    max_age: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.iou_thresh <= 1:
            raise ValueError(
                f"MODEL.RCF.TEST.MATCH_IOU_THRESH is {self.iou_thresh}, expected 0 <= it <= 1"
            )
        if self.max_age < 0:
            raise ValueError(f"MODEL.RCF.TEST.MAX_AGE is {self.max_age}, expected 0 or more frames")


@dataclass(frozen=True)
class FiredSlots:
    """The slots that fired in one frame.

    Attributes:
        slots: indices, ascending.
        identities: the identity of each.
        masks: the mask of each at the output size.
    """

    slots: tuple[int, ...]
    identities: tuple[int, ...]
    masks: BoxMasks


@dataclass(frozen=True)
class IdentityState:
    """What a video's past means for the identities of its next frame.

    Attributes:
        frame: number of frames seen.
        next_identity: the identity that a new object gets; they count from 0.
        table: slot → (the identity it last carried, the frame in which it did).
        last: the fired slots of the previous frame; None before the first.
    """

    frame: int = 0
    next_identity: int = 0
    table: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    last: FiredSlots | None = None


def assign_identities(
    slots: list[int], masks: BoxMasks, state: IdentityState, rules: IdentityRules
) -> tuple[list[int], IdentityState]:
    """Give each fired slot of a frame its identity.

    1. A slot whose mask overlaps a mask of the previous frame takes that one's identity, one to
       one, best total IoU first.
    2. Any other keeps the identity that its slot last carried, unless another slot holds it in
       this frame. Where two slots last carried the same one, the more recent has it.
    3. The rest get new identities, in the order of their slots.

    Args:
        slots: indices of the fired slots, ascending.
        masks: F of them; all frames of a video have one size.
        state: the state after the previous frame; ``IdentityState()`` for the first.
        rules: which rules hold.

    Returns:
        The identities, one a fired slot and all different, and the state for the next frame.
    """
    held: dict[int, int] = {}
    if rules.iou_identity and state.last is not None:
        held.update(_by_overlap(slots, masks, state.last, rules.iou_thresh))
    if rules.slot_identity:
        held.update(_by_slot(slots, held, state, rules.max_age))
    next_identity = state.next_identity
    for slot in slots:
        if slot not in held:
            held[slot] = next_identity
            next_identity += 1
    identities = [held[slot] for slot in slots]
    seen_now = {slot: (held[slot], state.frame) for slot in slots}
    return identities, IdentityState(
        frame=state.frame + 1,
        next_identity=next_identity,
        table={**state.table, **seen_now},
        last=FiredSlots(tuple(slots), tuple(identities), masks),
    )


def identities_by_slot(slots: list[int], state: IdentityState, rules: IdentityRules) -> list[int]:
    """What rule 2 of :func:`assign_identities` alone would give, from the same past.

    It is asked for whether or not the rules have it switched on: where the answer differs from the
    identity that a slot was given, the overlap of masks has decided.

    Args:
        slots: indices of the fired slots, ascending.
        state: the state after the previous frame.
        rules: of which ``max_age`` counts.

    Returns:
        The identity of each fired slot; −1 where its slot has none to keep.
    """
    kept = _by_slot(slots, {}, state, rules.max_age)
    return [kept.get(slot, -1) for slot in slots]


def pair_masks(masks: BoxMasks, others: BoxMasks, iou_thresh: float) -> list[tuple[int, int]]:
    """Pair masks one to one, best total IoU first; only pairs whose IoU exceeds the threshold.

    Args:
        masks, others: F and G of one size.
        iou_thresh: at least 0.

    Returns:
        (index into ``masks``, index into ``others``) of each pair.
    """
    iou = masks.iou(others)
    iou[iou <= iou_thresh] = 0
    return best_pairs(iou)


def _by_overlap(
    slots: list[int], masks: BoxMasks, last: FiredSlots, iou_thresh: float
) -> dict[int, int]:
    if not slots or not last.slots:
        return {}
    pairs = pair_masks(masks, last.masks, iou_thresh)
    return {slots[i]: last.identities[j] for i, j in pairs}


def _by_slot(
    slots: list[int], held: Mapping[int, int], state: IdentityState, max_age: int
) -> dict[int, int]:
    claims = []
    for slot in slots:
        if slot in held or slot not in state.table:
            continue
        identity, frame = state.table[slot]
        if max_age == 0 or state.frame - frame <= max_age:
            claims.append((-frame, slot, identity))
    taken, kept = set(held.values()), {}
    for _, slot, identity in sorted(claims):
        if identity not in taken:
            taken.add(identity)
            kept[slot] = identity
    return kept
