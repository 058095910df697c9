"""Output change over input change, and whether the order held: worked out by hand."""

import json
from dataclasses import asdict

import pytest
import torch

from rcf_vis.analysis.explain.recorder import StepRecord
from rcf_vis.analysis.explain.slot_order import FramePair, SlotOrder, Swap, summarise_pairs

CODES = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.8]])


def step(grey, probs, masks):
    """A frame of 2 pixels in 3 channels; probabilities ``(4, 2)``; masks ``(4, 1, 2)``."""
    return StepRecord(
        image=torch.full((3, 1, 2), float(grey)),
        codes=CODES,
        class_probs=torch.tensor(probs, dtype=torch.float32),
        masks=torch.tensor(masks, dtype=torch.float32)[:, None],
        stride=1,
        region=torch.zeros(1, 2),
        weight_map=None,
        attention=None,
    )


FIRED, EMPTY = [0.75, 0.25], [0.25, 0.75]
A, B, NOTHING = [1, 0], [0, 1], [0, 0]
FIRST = step(0.0, [FIRED, EMPTY, FIRED, EMPTY], [A, NOTHING, B, NOTHING])


def shown(*masks):
    return torch.tensor(masks, dtype=torch.bool).reshape(-1, 1, 2)


def order_of(*frames):
    """The pairs of a video of (step, fired slots, masks[, truth])."""
    order = SlotOrder()
    order.new_video("street")
    for frame in frames:
        order.add(*frame)
    return order.pairs


def test_ratio_and_swaps_by_hand():
    later = step(0.5, [FIRED, EMPTY, [0.5, 0.5], EMPTY], [A, NOTHING, B, NOTHING])
    (pair,) = order_of((FIRST, [0, 2], shown(A, B)), (later, [0, 2], shown(A, B)))
    assert (pair.video, pair.frame) == ("street", 1)
    assert pair.input_change == 6 * 0.5 and pair.motion == 0.5
    assert pair.output_change == 0.5  # two probabilities of slot 2 by a quarter
    assert pair.ratio == pytest.approx(0.5 / 3)
    # Slots 0 and 1: their probabilities differ by 1, their masks by 1, and both lines change
    both_ways = 2 * (1 + 1)
    one_fired = Swap((0, 1), pytest.approx((0.5 + both_ways) / 3))
    assert pair.swaps["of_all"] == pair.swaps["one_fired"] == one_fired
    # Slots 0 and 2 with each other: masks 2 + 2; probabilities 0.5 and 0 in place of 0 and 0.5
    assert pair.swaps["two_fired"] == Swap((0, 2), pytest.approx((4 + 0.5) / 3))
    assert (pair.objects, pair.held) == (2, 2)


def test_the_same_frame_twice_has_no_ratio():
    (pair,) = order_of((FIRST, [0, 2], shown(A, B)), (FIRST, [0, 2], shown(A, B)))
    assert (pair.motion, pair.output_change, pair.ratio) == (0, 0, None)
    assert set(pair.swaps.values()) == {None}
    assert (pair.objects, pair.held) == (2, 2)


def test_nothing_fired():
    quiet = step(1.0, [EMPTY] * 4, [NOTHING] * 4)
    (pair,) = order_of((FIRST, [0, 2], shown(A, B)), (quiet, [], shown()))
    assert pair.swaps["of_all"].slots == (0, 1)
    assert pair.swaps["one_fired"] is None and pair.swaps["two_fired"] is None
    assert (pair.objects, pair.held) == (0, 0)


def test_order_without_annotations():
    """An object is what a slot showed in the frame before."""
    pairs = order_of(
        (FIRST, [0, 2], shown(A, B)),
        (FIRST, [0, 3], shown(A, B)),  # B moved from slot 2 to slot 3
        (FIRST, [0, 3], shown(B, A)),  # both exchanged their slots
        (FIRST, [0], shown(B)),
    )
    assert [(p.objects, p.held) for p in pairs] == [(2, 1), (2, 0), (1, 1)]


def test_order_of_annotated_objects():
    """Truth follows an object that no mask of the frame before overlaps."""
    a, b = (shown(x)[0] for x in (A, B))
    pairs = order_of(
        (FIRST, [0, 2], shown(A, B), {7: a, 9: b}),
        (FIRST, [0, 2], shown(B, A), {7: b, 9: a}),  # the objects changed places, not slots
        (FIRST, [0, 2], shown(B, A), {7: a, 9: b}),  # and now slots, not places
        (FIRST, [2], shown(A), {7: a, 9: b}),  # 9 is not shown
    )
    assert [(p.objects, p.held) for p in pairs] == [(2, 2), (2, 0), (1, 1)]


def test_a_new_video_has_no_frame_before():
    order = SlotOrder()
    for name in ("one", "other"):
        order.new_video(name)
        for _ in range(3):
            order.add(FIRST, [0], shown(A))
    assert [(p.video, p.frame) for p in order.pairs] == [
        ("one", 1), ("one", 2), ("other", 1), ("other", 2)
    ]  # fmt: skip


def made_up(motion, ratio, swapped, objects=2, held=2):
    swap = None if swapped is None else Swap((0, 1), swapped)
    swaps = {"of_all": swap, "one_fired": swap, "two_fired": None}
    return FramePair("v", 1, motion, motion * 10, 1.0, ratio, swaps, objects, held)


def test_summary():
    pairs = [
        made_up(0.4, 9.0, 5.0, held=0),
        made_up(0.1, 1.0, 2.0),
        made_up(0.3, 3.0, 4.0, held=1),
        made_up(0.2, 2.0, 3.0, objects=4, held=4),
        made_up(0.0, None, None, objects=0, held=0),
    ]
    summary = summarise_pairs(pairs, bins=2)
    assert (summary["pairs"], summary["objects"], summary["held"]) == (5, 10, 7 / 10)
    assert summary["ratio"] == {"25%": 1.75, "50%": 2.5, "75%": 4.5}
    assert summary["ratio_order_held"]["50%"] == 1.5
    assert summary["ratio_order_broken"]["50%"] == 6.0
    assert summary["ratio_swapped"]["one_fired"]["50%"] == 3.5
    assert summary["ratio_swapped"]["two_fired"] is None
    assert summary["largest_ratio_order_held"] == 2.0
    assert summary["swaps_above_largest"] == {
        "of_all": 0.75, "one_fired": 0.75, "two_fired": None
    }  # fmt: skip
    slow, fast = summary["by_motion"]
    assert (slow["motion"], slow["objects"], slow["held"]) == ([0.0, 0.2], 6, 1.0)
    assert (fast["motion"], fast["objects"], fast["held"]) == ([0.3, 0.4], 4, 0.25)
    stored = json.loads(json.dumps(summary))["all_pairs"]
    assert stored == json.loads(json.dumps([asdict(pair) for pair in pairs]))


def test_summary_of_nothing():
    summary = summarise_pairs([])
    assert summary["held"] is None and summary["ratio"] is None and summary["by_motion"] == []
    assert summary["largest_ratio_order_held"] is None
