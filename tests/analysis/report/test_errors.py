"""Kinds of errors by hand, and their cost by repairing the files and evaluating them anew."""

import copy

import pytest

from rcf_vis.analysis.report.errors import ERROR_KINDS, break_down_errors, find_errors
from rcf_vis.evaluation import evaluate_ytvis
from tests.evaluation.ytvis_cases import random_case

from .report_cases import every_kind
from .test_precision import paired


def break_down(gt, results):
    pairs, truths = paired(gt, results)
    errors = [find_errors(video) for video in pairs]
    return break_down_errors(pairs, errors, len(truths.categories)), pairs, errors


def test_every_kind_is_told():
    gt, results, expected = every_kind()
    _, pairs, errors = break_down(gt, results)
    found = {
        (video.video_id, score): ERROR_KINDS[kind] if kind >= 0 else ""
        for video, error in zip(pairs, errors, strict=True)
        for score, kind in zip(video.scores.tolist(), error.kinds, strict=True)
    }
    assert found == {
        (r["video_id"], r["score"]): kind for r, kind in zip(results, expected, strict=True)
    }
    assert [error.missed.tolist() for error in errors] == [
        [False] * 3,
        [True, True, False],  # by category: MIDDLE and RIGHT of person, LEFT of cat
        [False],
    ]
    assert errors[1].count() == {
        **dict.fromkeys(ERROR_KINDS, 0), "both": 1, "background": 1, "missed": 2
    }  # fmt: skip


def repair(gt, results, kinds, kind):
    """The files without the errors of a kind, repaired by hand."""
    gt, results = copy.deepcopy(gt), copy.deepcopy(results)
    of_kind = [r for r, other in zip(results, kinds, strict=True) if other == kind]
    if kind == "missed":
        gt["annotations"] = [a for a in gt["annotations"] if a["id"] not in (5, 6)]
        return gt, results
    repaired = []
    if kind == "classification":  # the better one finds the person in the middle
        repaired = [dict(of_kind[0], category_id=1)]
    elif kind == "localization":  # the better one has the mask of the cat at the right
        repaired = [dict(of_kind[0], segmentations=gt["annotations"][2]["segmentations"])]
    return gt, [r for r in results if r not in of_kind] + repaired


def test_costs_are_those_of_repaired_files():
    gt, results, kinds = every_kind()
    breakdown, _, _ = break_down(gt, results)
    assert breakdown.ap50 == pytest.approx(evaluate_ytvis(gt, results)["AP50"], abs=1e-12)
    assert breakdown.counts == {
        "classification": 2, "localization": 2, "both": 1, "duplicate": 1, "background": 2,
        "missed": 2,
    }  # fmt: skip
    for kind in ERROR_KINDS:
        expected = evaluate_ytvis(*repair(gt, results, kinds, kind))["AP50"] - breakdown.ap50
        assert breakdown.gains[kind] == pytest.approx(expected, abs=1e-12), kind
    assert min(breakdown.gains[kind] for kind in ERROR_KINDS if kind != "duplicate") > 0.005
    right = [r for r, kind in zip(results, kinds, strict=True) if not kind]
    expected = evaluate_ytvis(gt, right)["AP50"] - breakdown.ap50
    assert breakdown.false_positive == pytest.approx(expected, abs=1e-12)
    found = dict(gt, annotations=[a for a in gt["annotations"] if a["id"] in (1, 4, 7)])
    expected = evaluate_ytvis(found, results)["AP50"] - breakdown.ap50
    assert breakdown.false_negative == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_random_cases(seed):
    gt, results = random_case(seed)
    breakdown, pairs, errors = break_down(gt, results)
    expected = evaluate_ytvis(gt, results)["AP50"]
    if expected >= 0:
        assert breakdown.ap50 == pytest.approx(expected, abs=1e-9)
        assert all(not gain < -1e-9 for gain in breakdown.gains.values())  # nan: nothing left
    for video, error in zip(pairs, errors, strict=True):
        wrong = (video.found[0] < 0) & ~video.ignored[0]
        assert ((error.kinds >= 0) == wrong).all()
        assert not error.missed[video.found[0][video.found[0] >= 0]].any()


def test_nothing_predicted_is_all_missed():
    gt, _, _ = every_kind()
    breakdown, _, _ = break_down(gt, [])
    assert breakdown.ap50 == 0
    assert breakdown.counts == {**dict.fromkeys(ERROR_KINDS, 0), "missed": 6}
