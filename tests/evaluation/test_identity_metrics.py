import json

import numpy as np
import pytest

from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_identity
from rcf_vis.evaluation.identity_metrics import IDENTITY_METRICS

from . import identity_reference as reference
from .identity_cases import SIZE, encoded, random_video
from .ytvis_cases import box, ground_truth, result, truth, video

LEFT, RIGHT = box(0, 0, 20, 4), box(0, 20, 20, 24)
PERSON, CAT = 1, 3


def test_all_figures_of_one_video_by_hand():
    # One person over 4 frames, found by two results in turn; one cat, missed in the middle.
    annotations = [truth(1, [LEFT] * 4), truth(2, [RIGHT] * 4, category_id=CAT)]
    results = [
        result([LEFT, LEFT, None, None]),
        result([None, None, LEFT, LEFT]),
        result([RIGHT, None, None, RIGHT], category_id=CAT),
    ]
    found = evaluate_identity(ground_truth(annotations, [video(1, 4)]), results)
    # TP = 4 + 2 of 8 + 6 − 6 detections; A(c) = 2/4 for each of them.
    assert found == {
        "HOTA": pytest.approx((6 / 8 * 1 / 2) ** 0.5),
        "DetA": pytest.approx(6 / 8),
        "AssA": pytest.approx(1 / 2),
        "IDF1": pytest.approx(2 * (2 + 2) / (8 + 6)),
        "IDSW": 1,
        "Frag": 1,
        "flicker": 0.0,
        "per_category": {
            "person": pytest.approx(0.5**0.5),
            "cat": pytest.approx(0.5),
            "unseen": -1.0,
        },
    }


def test_the_category_counts_or_not():
    gt = ground_truth([truth(1, [LEFT] * 3)])
    wrong = [result([LEFT] * 3, category_id=CAT)]
    aware, agnostic = (evaluate_identity(gt, wrong, class_aware=flag) for flag in (True, False))
    assert (aware["HOTA"], aware["IDF1"]) == (0, 0)
    assert aware["per_category"] == {"person": 0.0, "cat": 0.0, "unseen": -1.0}
    assert (agnostic["HOTA"], agnostic["IDF1"], agnostic["per_category"]) == (1, 1, {})


def test_results_below_a_score_are_left_out():
    gt = ground_truth([truth(1, [LEFT] * 3)])
    results = [result([LEFT] * 3, score=0.6), result([RIGHT] * 3, score=0.59)]
    assert evaluate_identity(gt, results)["DetA"] == 0.5
    assert evaluate_identity(gt, results, min_score=0.6)["DetA"] == 1


def test_what_lies_on_a_crowd_does_not_count():
    wide = box(0, 0, 20, 10)
    annotations = [truth(1, [LEFT, LEFT, None]), truth(2, [wide] * 3, iscrowd=1)]
    on_crowd, beside = box(0, 0, 20, 5), box(0, 0, 20, 3)  # IoU 5/10 and 3/10 with the crowd's
    cases = (
        [LEFT, LEFT, on_crowd],  # as if it were absent there
        [LEFT, LEFT, beside],
        [LEFT, on_crowd, None],  # 4/5 with the person: found at 16 thresholds, else a third is
    )
    found = [evaluate_identity(ground_truth(annotations), [result(case)]) for case in cases]
    assert [f["DetA"] for f in found] == pytest.approx([1, 2 / 3, (16 + 3 * 1 / 3) / 19])
    assert found[0]["HOTA"] == found[0]["IDF1"] == 1
    only_crowd = evaluate_identity(ground_truth(annotations[1:]), [result([wide] * 3)])
    assert {only_crowd[name] for name in ("HOTA", "DetA", "AssA", "IDF1", "flicker")} == {-1.0}


def test_undefined_and_nothing_found():
    empty = evaluate_identity(ground_truth([]), [])
    expected = {"HOTA": -1, "DetA": -1, "AssA": -1, "IDF1": -1, "IDSW": 0, "Frag": 0, "flicker": -1}
    assert {name: empty[name] for name in IDENTITY_METRICS} == expected
    missed = evaluate_identity(ground_truth([truth(1, [LEFT] * 3)]), [])
    assert (missed["HOTA"], missed["IDF1"], missed["flicker"]) == (0, 0, -1)


def test_files_and_errors(tmp_path):
    gt, results = ground_truth([truth(1, [LEFT] * 3)]), [result([LEFT] * 3)]
    (tmp_path / "gt.json").write_text(json.dumps(gt))
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert evaluate_identity(tmp_path / "gt.json", tmp_path / "results.json")["HOTA"] == 1
    with pytest.raises(DatasetError, match="no 'annotations'"):
        evaluate_identity({**gt, "annotations": None}, results)
    with pytest.raises(ValueError, match="video_id 9"):
        evaluate_identity(gt, [result([LEFT] * 3, video_id=9)])


@pytest.mark.parametrize("seed", range(200, 230, 3))
def test_videos_and_categories_are_pooled(seed):
    """Of each video and category a slow reference takes the pixels."""
    rng = np.random.default_rng(seed)
    videos, annotations, results, groups = [], [], [], []
    for video_id in (1, 2):
        cases = {PERSON: random_video(seed + video_id), CAT: random_video(seed + 10 + video_id)}
        length = min(len(track) for case in cases.values() for side in case for track in side)
        videos.append(video(video_id, length, SIZE))
        for category, case in cases.items():
            truths, found = ([track[:length] for track in side] for side in case)
            for track in truths:
                number = len(annotations) + 1
                annotations.append(truth(number, encoded(track), video_id, category))
            results += [result(encoded(t), rng.random(), video_id, category) for t in found]
            groups.append((truths, found))
    figures = evaluate_identity(ground_truth(annotations, videos), results)
    expected = {**reference.hota(groups), "IDF1": reference.idf1(groups)}
    assert {name: figures[name] for name in expected} == pytest.approx(expected, abs=1e-12)
