"""Section III-B4, rule by rule."""

import pytest
import torch

from rcf_vis.tracking import (
    BoxMasks,
    IdentityRules,
    IdentityState,
    assign_identities,
    identities_by_slot,
)

SIZE = (4, 12)


def bar(start, stop):
    """A mask of the columns start … stop − 1: one row more or less does not matter here."""
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[:, start:stop] = True
    return mask


EMPTY = bar(0, 0)


def stacked(masks):
    return BoxMasks.from_dense(torch.stack(list(masks)))


def run(frames, **rules):
    """``frames``: for each a dict slot → mask; gives for each a dict slot → identity."""
    state, result = IdentityState(), []
    for frame in frames:
        slots = sorted(frame)
        masks = BoxMasks.from_dense(
            torch.stack([frame[s] for s in slots]) if slots else torch.zeros((0, *SIZE)).bool()
        )
        identities, state = assign_identities(slots, masks, state, IdentityRules(**rules))
        assert len(set(identities)) == len(identities)
        result.append(dict(zip(slots, identities, strict=True)))
    return result


def test_new_slots_get_new_identities_in_order():
    assert run([{1: bar(0, 2), 4: bar(5, 8)}, {1: bar(0, 2), 2: bar(9, 12), 4: bar(5, 8)}]) == [
        {1: 0, 4: 1},
        {1: 0, 2: 2, 4: 1},
    ]


def test_slot_keeps_its_identity_without_overlap():
    frames = [{0: bar(0, 3), 1: bar(9, 12)}, {0: bar(4, 7), 1: bar(0, 3)}]
    assert run(frames, iou_identity=False)[1] == {0: 0, 1: 1}


def test_overlap_goes_before_the_slot():
    swapped = [{0: bar(0, 4), 1: bar(8, 12)}, {0: bar(8, 12), 1: bar(0, 4)}]
    assert run(swapped)[1] == {0: 1, 1: 0}
    assert run(swapped, iou_identity=False)[1] == {0: 0, 1: 1}


def test_overlap_must_exceed_the_threshold():
    # IoU of 4 columns with 2 of them: exactly 0.5.
    frames = [{0: bar(0, 4)}, {1: bar(0, 2)}]
    assert run(frames)[1] == {1: 1}
    assert run(frames, iou_thresh=0.49)[1] == {1: 0}


def test_overlap_is_with_the_previous_frame_only():
    assert run([{0: bar(0, 4)}, {}, {1: bar(0, 4)}])[2] == {1: 1}


def test_best_total_is_not_greedy():
    # Greedily slot 2 takes 0 (7/8), and slot 3 is left with 1, which it overlaps too little.
    before = {0: bar(0, 7), 1: bar(2, 8)}
    now = {2: bar(0, 8), 3: bar(0, 5)}
    iou = stacked([now[2], now[3]]).iou(stacked([before[0], before[1]]))
    assert iou.ravel().tolist() == pytest.approx([7 / 8, 6 / 8, 5 / 7, 3 / 8])
    assert run([before, now])[1] == {2: 1, 3: 0}


def test_slot_that_lost_its_identity_in_this_frame_starts_a_new_one():
    # Slot 1 takes identity 0 by overlap while slot 0 fires elsewhere.
    frames = [{0: bar(0, 4)}, {0: bar(8, 12), 1: bar(0, 4)}]
    assert run(frames)[1] == {0: 1, 1: 0}


def test_slot_remembers_through_absence():
    frames = [{0: bar(0, 4)}, {}, {}, {0: bar(8, 12)}]
    assert run(frames)[3] == {0: 0}
    assert run(frames, max_age=3)[3] == {0: 0}
    assert run(frames, max_age=2)[3] == {0: 1}


def test_two_slots_that_last_carried_the_same_identity():
    # Identity 0 moves from slot 0 to slot 1; when both fire elsewhere the later carrier has it.
    frames = [{0: bar(0, 4)}, {1: bar(0, 4)}, {}, {0: bar(8, 10), 1: bar(5, 7)}]
    assert run(frames)[3] == {0: 1, 1: 0}


def test_without_slot_identity():
    frames = [{0: bar(0, 4), 1: bar(8, 12)}, {0: bar(0, 4), 1: bar(4, 7)}]
    assert run(frames, slot_identity=False)[1] == {0: 0, 1: 2}


def test_without_any_rule_nothing_lasts():
    frames = [{0: bar(0, 4)}] * 3
    assert run(frames, slot_identity=False, iou_identity=False) == [{0: 0}, {0: 1}, {0: 2}]


def test_empty_masks_overlap_nothing():
    assert run([{0: EMPTY, 1: bar(0, 4)}, {2: EMPTY, 3: bar(0, 4)}])[1] == {2: 2, 3: 1}


def test_state_is_not_changed():
    slots, masks = [0, 1], stacked([bar(0, 4), bar(8, 12)])
    flipped = stacked([bar(8, 12), bar(0, 4)])
    _, state = assign_identities(slots, masks, IdentityState(), IdentityRules())
    first = assign_identities([1, 2], flipped, state, IdentityRules())[0]
    again = assign_identities([1, 2], flipped, state, IdentityRules())[0]
    assert first == again == [1, 0]
    assert state.frame == 1 and dict(state.table) == {0: (0, 0), 1: (1, 0)}


def test_frames_of_another_size():
    _, state = assign_identities([0], stacked([bar(0, 4)]), IdentityState(), IdentityRules())
    with pytest.raises(ValueError, match=r"masks of \(5, 5\) pixels follow masks of \(4, 12\)"):
        assign_identities(
            [0], BoxMasks.from_dense(torch.ones(1, 5, 5).bool()), state, IdentityRules()
        )


def test_what_the_slot_rule_alone_would_give():
    masks = stacked([bar(0, 4), bar(8, 12)])
    rules = IdentityRules(slot_identity=False, max_age=1)
    _, state = assign_identities([0, 1], masks, IdentityState(), rules)
    identities, then = assign_identities([1, 2], masks, state, rules)
    assert identities == [0, 1]
    assert identities_by_slot([1, 2], state, rules) == [1, -1]
    # Slots 0 and 1 last carried identity 0, slot 1 more recently; slot 0 is too old as well.
    assert identities_by_slot([0, 1, 2], then, IdentityRules()) == [-1, 0, 1]
    assert identities_by_slot([0], then, IdentityRules()) == [0]
    assert identities_by_slot([0], then, rules) == [-1]
    assert identities_by_slot([], IdentityState(), rules) == []
