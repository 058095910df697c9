import pytest

from rcf_vis.evaluation.continuity import count_breaks, flicker_sums, follow
from rcf_vis.evaluation.overlaps import frame_overlaps

from .identity_cases import columns, overlaps, tracks

BOX, FAR = columns(0, 4), columns(20, 24)


def breaks(truths, results):
    """[ID switches, fragmentations]"""
    found = overlaps(truths, results)
    return count_breaks(follow(found), found.truth_present).tolist()


def test_switch_without_a_gap():
    assert breaks([[BOX] * 4], [[BOX, BOX, None, None], [None, None, BOX, BOX]]) == [1, 0]


def test_switch_over_a_gap_and_back():
    first, second = [BOX, None, None, BOX], [None, None, BOX, None]
    assert breaks([[BOX] * 4], [first, second]) == [2, 1]


def test_gaps_of_the_result_and_of_the_object():
    assert breaks([[BOX] * 5], [[BOX, None, BOX, None, BOX]]) == [0, 2]
    assert breaks([[BOX, None, None, BOX]], [[BOX, None, None, BOX]]) == [0, 0]
    # Missed before the first and after the last time that it is found: not interrupted.
    assert breaks([[BOX] * 4], [[None, BOX, BOX, None]]) == [0, 0]


def test_two_objects_exchange_their_results():
    truths = [[BOX] * 3, [FAR] * 3]
    assert breaks(truths, [[BOX, FAR, FAR], [FAR, BOX, BOX]]) == [2, 0]


def test_a_pair_is_kept_while_it_overlaps_enough():
    three, two, one = columns(0, 3), columns(0, 2), columns(0, 1)
    # Result 1 is better from frame 1 on; result 0 still has an IoU of 2/4, and at last of 1/4.
    truths, results = [[BOX] * 4], [[three, two, two, one], [None, BOX, BOX, BOX]]
    found = overlaps(truths, results)
    assert follow(found).tolist() == [[0], [0], [0], [1]]
    assert breaks(truths, results) == [1, 0]


def test_it_is_kept_after_a_gap_too():
    two = columns(0, 2)
    truths, results = [[BOX, None, BOX]], [[BOX, None, two], [None, None, BOX]]
    assert follow(overlaps(truths, results)).tolist() == [[0], [-1], [0]]


def test_two_truths_that_were_last_found_by_one_result():
    # Result 0 found both in turn; in frame 2 only one of them can keep it.
    truths = [[BOX, None, BOX], [None, BOX, columns(0, 5)]]
    results = [[BOX, BOX, BOX], [None, None, columns(0, 5)]]
    assert follow(overlaps(truths, results)).tolist() == [[0, -1], [-1, 0], [0, 1]]
    assert breaks(truths, results) == [1, 0]


def test_nothing():
    assert breaks([[BOX, BOX]], []) == [0, 0]
    assert breaks([], [[BOX, BOX]]) == [0, 0]


def flicker(truths, results):
    followed = follow(overlaps(truths, results))
    return flicker_sums(tracks(truths), tracks(results), followed).tolist()


def test_flicker():
    three, two = columns(0, 3), columns(0, 2)
    assert flicker([[BOX] * 3], [[BOX, three, BOX]]) == pytest.approx([2 * (3 / 4 - 1), 2])
    # The truth changes as much as the result does.
    assert flicker([[BOX, three]], [[BOX, three]]) == [0, 1]
    # It is more restless than the result: 2/4 against 4/4.
    assert flicker([[BOX, two]], [[BOX, BOX]]) == pytest.approx([0.5, 1])


def test_flicker_is_of_one_result_in_neighbouring_frames():
    switched = [[BOX, None, None], [None, BOX, None]]
    assert flicker([[BOX] * 3], switched) == [0, 0]
    assert flicker([[BOX] * 3], [[BOX, None, BOX]]) == [0, 0]
    assert flicker([[BOX]], [[BOX]]) == [0, 0]
    assert flicker([[BOX, BOX], [FAR, FAR]], [[FAR, FAR], [BOX, columns(0, 2)]]) == [-0.5, 2]


def test_broken_masks_name_their_track():
    (broken,) = tracks([[BOX, BOX]])
    broken.masks[1]["counts"] += "4"
    with pytest.raises(ValueError, match=r"track 0: segmentations\[1\]: 'counts' is cut off"):
        frame_overlaps(tracks([[BOX, BOX]]), [broken], 2)
