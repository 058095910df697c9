"""Slots and identities: counts by hand, from the rules of section III-B4 on."""

import torch

from rcf_vis.evaluation.slot_history import SlotHistory, slot_shares
from rcf_vis.tracking import BoxMasks, IdentityRules, IdentityState, assign_identities


def counts_of(frames, **rules):
    """``frames``: for each a dict slot → column at which its mask, two wide, begins."""
    history, state, rules = SlotHistory(), IdentityState(), IdentityRules(**rules)
    for frame in frames:
        slots = sorted(frame)
        masks = torch.zeros((len(slots), 1, 20), dtype=torch.bool)
        for mask, slot in zip(masks, slots, strict=True):
            mask[:, frame[slot] : frame[slot] + 2] = True
        identities, state = assign_identities(slots, BoxMasks.from_dense(masks), state, rules)
        history.add(identities, slots)
    return tuple(history.counts)


def test_first_frames_do_not_count():
    assert counts_of([{0: 0, 1: 9}]) == (0, 0, 0)
    assert counts_of([{0: 0}, {1: 9}]) == (0, 0, 0)


def test_kept():
    assert counts_of([{0: 0, 1: 9}] * 3) == (4, 4, 0)
    # Far away, then gone for a frame: the slot alone holds the identity.
    assert counts_of([{0: 0}, {0: 9}, {}, {0: 4}]) == (2, 2, 0)


def test_rescued():
    # Slots 0 and 1 exchange their objects: the slot rule would have exchanged the identities.
    assert counts_of([{0: 0, 1: 9}, {0: 9, 1: 0}, {0: 9, 1: 0}]) == (4, 2, 2)
    # A slot that is new takes an object over: the slot rule would have given none.
    assert counts_of([{0: 0}, {1: 0}, {1: 0}]) == (2, 1, 1)
    # Without the rule there is nothing to rescue.
    assert counts_of([{0: 0, 1: 9}, {0: 9, 1: 0}], iou_identity=False) == (2, 2, 0)


def test_overlap_alone_rescues_only_where_the_slot_would_not_do():
    frames = [{0: 0, 1: 9}, {0: 0, 2: 9}]
    assert counts_of(frames, slot_identity=False) == (2, 1, 1)


def test_a_track_that_loses_its_identity_begins_anew():
    # Slot 1 takes identity 0 over; slot 0, elsewhere, gets a new one, which is no going on.
    assert counts_of([{0: 0}, {0: 9, 1: 0}]) == (1, 0, 1)


def test_shares():
    assert slot_shares([(4, 2, 1), (6, 6, 0), [0, 0, 0]]) == {"slot_kept": 0.8, "iou_rescued": 0.1}
    assert slot_shares([]) == slot_shares([(0, 0, 0)]) == {"slot_kept": -1, "iou_rescued": -1}
