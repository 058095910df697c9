import numpy as np
import pytest

from rcf_vis.evaluation.hota import ALPHAS, hota_figures, hota_sums

from . import identity_reference as reference
from .identity_cases import columns, overlaps, random_video

BOX, FAR = columns(0, 4), columns(20, 24)


def figures(truths, results):
    return hota_figures(hota_sums(overlaps(truths, results)))


def test_thresholds():
    assert ALPHAS.tolist() == [k / 20 for k in range(1, 20)]


def test_perfect():
    assert figures([[BOX, BOX], [None, FAR]], [[None, FAR], [BOX, BOX]]) == {
        "HOTA": 1.0,
        "DetA": 1.0,
        "AssA": 1.0,
    }


def test_identity_exchanged_in_the_middle():
    # Every detection is right; of each, TPA = 2 of the 4 frames: A = 2 / (2 + 2 + 0).
    found = figures([[BOX] * 4], [[BOX, BOX, None, None], [None, None, BOX, BOX]])
    assert found == pytest.approx({"HOTA": 0.5**0.5, "DetA": 1.0, "AssA": 0.5})


def test_found_in_half_of_the_frames():
    # TP = 2, FN = 2; TPA = 2, FNA = 2, FPA = 0.
    found = figures([[BOX] * 4], [[BOX, None, None, BOX]])
    assert found == pytest.approx({"HOTA": 0.5, "DetA": 0.5, "AssA": 0.5})


def test_one_result_over_two_objects_in_turn():
    # TP = 3, FP = 1 (frame 0, where nothing is), no FN.
    # Truth 0: TPA = 1, FPA = 3 → 1/4. Truth 1: TPA = 2, FPA = 2 → 2/4 twice.
    truths = [[None, BOX, None, None], [None, None, FAR, FAR]]
    found = figures(truths, [[BOX, BOX, FAR, FAR]])
    detection, association = 3 / 4, (1 / 4 + 2 / 4 + 2 / 4) / 3
    hota = (detection * association) ** 0.5
    assert found == pytest.approx({"HOTA": hota, "DetA": detection, "AssA": association})


def test_localisation():
    # IoU = 2/4, reached by the 10 thresholds 0.05 … 0.5; HOTA is 1 at these and 0 at the other 9.
    assert figures([[BOX] * 3], [[columns(0, 2)] * 3])["HOTA"] == pytest.approx(10 / 19)


def test_whole_tracks_decide_the_matching_of_a_frame():
    # In frame 0 the wrong result overlaps more (3/4 against 2/4), yet it belongs elsewhere.
    half = columns(0, 2)
    truths = [[BOX, BOX, BOX, BOX], [None, FAR, FAR, FAR]]
    right, wrong = [half, BOX, BOX, BOX], [columns(0, 3), FAR, FAR, FAR]
    sums = hota_sums(overlaps(truths, [right, wrong]))
    low = 0  # α = 0.05: 7 detections of 8 results; A = 4/4 four times and 3/4 three times
    assert sums[:, low] == pytest.approx([7, 7, 8, 4 + 3 * 3 / 4])


def test_nothing():
    assert figures([[BOX]], []) == {"HOTA": 0.0, "DetA": 0.0, "AssA": 0.0}
    assert figures([], [[BOX]]) == {"HOTA": 0.0, "DetA": 0.0, "AssA": 0.0}
    assert figures([[None]], [[None]]) == {"HOTA": -1.0, "DetA": -1.0, "AssA": -1.0}


@pytest.mark.parametrize("seed", range(0, 30, 3))
def test_against_a_slow_reference(seed):
    videos = [random_video(seed + k) for k in range(3)]
    sums = [hota_sums(overlaps(*video)) for video in videos if any(video)]
    found = hota_figures(np.sum(sums, axis=0))
    assert found == pytest.approx(reference.hota(videos), abs=1e-12)
    assert 0 < found["HOTA"] < 1
