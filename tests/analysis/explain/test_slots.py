"""Similar slots, swaps, objects and slots, and what fires for what: cases made by hand."""

import math

import pytest
import torch

from rcf_vis.analysis.explain.slots import (
    FiringCounts,
    most_similar_slots,
    object_slots,
    slot_distances,
    swapped_change,
)


def unit(*degrees):
    """Codes that point in these directions, of different lengths."""
    return torch.tensor(
        [
            [r * math.cos(math.radians(a)), r * math.sin(math.radians(a))]
            for r, a in enumerate(degrees, start=1)
        ]
    )


def test_most_similar_slots():
    codes = unit(0, 90, 100, 180, 175)
    assert most_similar_slots(codes) == (3, 4)
    assert most_similar_slots(codes, [1], at_least=1) == (1, 2)
    assert most_similar_slots(codes, [0], at_least=1) == (0, 1)
    assert most_similar_slots(codes, [0, 2, 3], at_least=2) == (2, 3)
    assert most_similar_slots(codes, [0, 3, 4], at_least=2) == (3, 4)


def test_direction_counts_and_not_distance():
    codes = torch.tensor([[1.0, 0.0], [1.2, 0.6], [50.0, 1.0]])
    assert most_similar_slots(codes) == (0, 2)


def test_without_such_slots_there_is_no_pair():
    codes = unit(0, 90)
    assert most_similar_slots(codes, [], at_least=1) is None
    assert most_similar_slots(codes, [1], at_least=2) is None
    assert most_similar_slots(codes[:1]) is None


def test_distances_and_swaps_against_loops():
    now = (torch.rand(4, 3), torch.rand(4, 5, 6))
    before = (torch.rand(4, 3), torch.rand(4, 5, 6))

    def change(order):
        return sum(float((a[order] - b).abs().sum()) for a, b in zip(now, before, strict=True))

    distances = slot_distances(now, before)
    for i in range(4):
        for j in range(4):
            pairs = zip(now, before, strict=True)
            expected = sum(float((a[i] - b[j]).abs().sum()) for a, b in pairs)
            assert float(distances[i, j]) == pytest.approx(expected)
    assert float(distances.trace()) == pytest.approx(change([0, 1, 2, 3]))
    assert swapped_change(distances, (0, 3)) == pytest.approx(change([3, 1, 2, 0]))
    assert swapped_change(distances, (1, 2)) == pytest.approx(change([0, 2, 1, 3]))


def test_a_swap_by_hand():
    """Two slots show one pixel each and stay as they are: swapped, all four numbers change."""
    now = before = (torch.eye(2),)
    distances = slot_distances(now, before)
    assert distances.tolist() == [[0, 2], [2, 0]]
    assert swapped_change(distances, (0, 1)) == 4


def row(*columns):
    mask = torch.zeros(1, 10, dtype=torch.bool)
    mask[0, list(columns)] = True
    return mask


def test_which_slot_shows_which_object():
    masks = torch.stack((row(0, 1, 2), row(5, 6, 7), row(0, 1, 2, 3)))
    objects = {31: row(5, 6, 7), 30: row(0, 1, 2, 3), 8: row(9)}
    assert object_slots([2, 4, 9], masks, objects, 0.5) == {31: 4, 30: 9}
    assert object_slots([2, 4], masks[:2], {1: row(0, 1, 2, 3, 4, 5)}, 0.5) == {}  # IoU is 0.5
    assert object_slots([2, 4], masks[:2], {1: row(0, 1, 2, 3, 4)}, 0.5) == {1: 2}
    assert object_slots([], masks[:0], objects, 0.5) == {}
    assert object_slots([2], masks[:1], {}, 0.5) == {}


def test_one_object_a_slot_best_total_first():
    masks = torch.stack((row(0, 1, 2, 3), row(0, 1, 2, 3, 4, 5)))
    objects = {1: row(0, 1, 2, 3), 2: row(0, 1, 2)}
    # 1 overlaps slot 0 by 1 and slot 1 by 4/6; 2 overlaps slot 0 by 3/4, slot 1 by exactly 1/2
    assert object_slots([0, 1], masks, objects, 0.4) == {1: 0, 2: 1}
    assert object_slots([0, 1], masks, objects, 0.5) == {1: 1, 2: 0}


def test_firing_counts():
    counts = FiringCounts(num_slots=3, num_classes=4)
    counts.add([0, 2], [1, 1])
    counts.add([2], [1])
    counts.add([], [])
    counts.add([0, 1, 2], [3, 3, 1])
    assert counts.counts.tolist() == [[0, 1, 0, 1], [0, 0, 0, 1], [0, 3, 0, 0]]
    shares = counts.by_class()
    assert shares[:, 1].tolist() == [0.25, 0, 0.75]
    assert shares[:, 3].tolist() == [0.5, 0.5, 0]
    assert shares[:, [0, 2]].isnan().all()
    summary = counts.summary(["a", "b", "c", "d"])
    assert summary["firings_of_slot"] == [2, 1, 3]
    assert summary["slots_in_use"] == 3
    assert summary["first_slot_of_class"] == {
        "b": {"slot": 2, "share": 0.75, "firings": 4},
        "d": {"slot": 0, "share": 0.5, "firings": 2},
    }
