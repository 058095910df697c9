import numpy as np
import pytest

from rcf_vis.evaluation.hota import identity_f1, identity_f1_sums

from . import identity_reference as reference
from .identity_cases import columns, overlaps, random_video

BOX, FAR = columns(0, 4), columns(20, 24)


def sums(truths, results):
    return identity_f1_sums(overlaps(truths, results)).tolist()


def test_one_identity_for_a_whole_track():
    # The longer of two results counts; the shorter one's frame is IDFP and IDFN.
    truths, results = [[BOX] * 4], [[BOX, BOX, BOX, None], [None, None, None, BOX]]
    assert sums(truths, results) == [3, 4, 4]
    assert identity_f1(np.array([3, 4, 4])) == 2 * 3 / (2 * 3 + 1 + 1)


def test_the_total_decides_and_not_the_best_pair():
    # Result 0 agrees with truth 0 in 3 frames and with truth 1 in 2, result 1 with truth 0 in 2.
    truths = [[BOX, BOX, BOX, BOX, BOX, None, None], [None] * 5 + [FAR, FAR]]
    results = [[BOX, BOX, BOX, None, None, FAR, FAR], [None, None, None, BOX, BOX, None, None]]
    assert sums(truths, results) == [4, 7, 7]


def test_half_an_overlap_is_enough_and_less_is_not():
    assert sums([[BOX]], [[columns(0, 2)]]) == [1, 1, 1]
    assert sums([[BOX]], [[columns(0, 1)]]) == [0, 1, 1]


def test_nothing():
    assert sums([[BOX, None]], []) == [0, 1, 0]
    assert sums([], [[BOX, BOX]]) == [0, 0, 2]
    assert identity_f1(np.array([0, 0, 2])) == 0.0
    assert identity_f1(np.zeros(3)) == -1.0


@pytest.mark.parametrize("seed", range(115, 145, 3))
def test_against_a_slow_reference(seed):
    videos = [random_video(seed + k) for k in range(3)]
    parts = [identity_f1_sums(overlaps(*video)) for video in videos if any(video)]
    found = identity_f1(np.sum(parts, axis=0))
    assert found == pytest.approx(reference.idf1(videos), abs=1e-12)
    assert 0 < found < 1
