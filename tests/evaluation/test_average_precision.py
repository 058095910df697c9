import copy
import json
from collections import Counter

import numpy as np
import pycocotools.mask as mask_util
import pytest

from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.average_precision import METRICS

from .ytvis_cases import box, ground_truth, random_case, result, truth, video
from .ytvis_reference import reference_evaluate

LEFT, RIGHT = box(2, 2, 8, 8), box(2, 20, 8, 26)  # 36 pixels each, apart


def assert_equal_figures(found, expected):
    assert list(found) == [*METRICS, "per_category"]
    for name in METRICS:
        assert found[name] == pytest.approx(expected[name], abs=1e-9), name
    assert found["per_category"] == pytest.approx(expected["per_category"], abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_random_cases_equal_the_reference(seed):
    gt, results = random_case(seed)
    assert_equal_figures(evaluate_ytvis(gt, results), reference_evaluate(gt, results))


@pytest.mark.parametrize("seed", range(100, 107))
def test_sizes_equal_the_reference(seed):
    gt, results = random_case(seed, sides=(60, 128, 200, 256), size=(280, 290), length=2)
    assert_equal_figures(evaluate_ytvis(gt, results), reference_evaluate(gt, results))


def test_random_cases_reach_every_figure():
    figures = [evaluate_ytvis(*random_case(seed)) for seed in range(15)]
    for name in ("AP", "AP75", "AR1", "AR10", "AR100"):
        assert len({round(f[name], 6) for f in figures if 0 < f[name] < 1}) > 3, name


@pytest.mark.parametrize("seed", range(200, 202))
def test_more_than_100_results_a_video(seed):
    gt, results = random_case(seed, size=(10, 12), num_results=(150, 300), length=2)
    per_group = Counter((r["video_id"], r["category_id"]) for r in results)
    assert max(per_group.values()) > 100
    assert_equal_figures(evaluate_ytvis(gt, results), reference_evaluate(gt, results))


def test_only_the_best_100_count():
    gt = ground_truth([truth(1, [LEFT] * 3)])
    wrong = [result([RIGHT] * 3, 0.5 + i / 1000) for i in range(100)]
    right = result([LEFT] * 3, 0.1)
    assert evaluate_ytvis(gt, [right, *wrong])["AR100"] == 0
    assert evaluate_ytvis(gt, [right, *wrong[:99]])["AR100"] == 1
    assert evaluate_ytvis(gt, [right, *wrong[:99]])["AP"] == pytest.approx(0.01)
    other_category = [dict(r, category_id=3) for r in wrong]
    assert evaluate_ytvis(gt, [right, *other_category])["AP"] == 1


def test_ground_truth_as_result_is_perfect():
    annotations = [
        truth(1, [LEFT, None, LEFT]),
        truth(2, [None, RIGHT, RIGHT]),
        truth(3, [RIGHT] * 2, video_id=4, category_id=3),
    ]
    gt = ground_truth(annotations, [video(1), video(4, length=2)])
    results = [
        result(a["segmentations"], 1.0, a["video_id"], a["category_id"]) for a in annotations
    ]
    figures = evaluate_ytvis(gt, results)
    assert {figures[name] for name in ("AP", "AP50", "AP75", "APs", "AR10", "AR100")} == {1.0}
    assert figures["AR1"] == 0.75  # person: one of two, cat: one of one
    assert {figures[name] for name in ("APm", "APl", "ARm", "ARl")} == {-1.0}
    assert figures["per_category"] == {"person": 1.0, "cat": 1.0, "unseen": -1.0}


def test_one_of_two_missed():
    gt = ground_truth([truth(1, [LEFT] * 3), truth(2, [RIGHT] * 3)])
    figures = evaluate_ytvis(gt, [result([LEFT] * 3)])
    assert figures["AP"] == pytest.approx(51 / 101)  # recalls 0, 0.01, … 0.5
    assert figures["AR100"] == 0.5


def test_frames_without_a_mask_count_in_the_union():
    gt = ground_truth([truth(1, [LEFT, LEFT, None, None])], [video(length=4)])
    three_of_four = evaluate_ytvis(gt, [result([LEFT, LEFT, LEFT, None])])
    assert three_of_four["AR100"] == pytest.approx(0.4)  # IoU 2/3: 0.5, 0.55, 0.6, 0.65
    half = evaluate_ytvis(gt, [result([None, LEFT, None, None])])
    assert half["AR100"] == pytest.approx(0.1)  # IoU 1/2 reaches 0.5


def test_swapped_identities_halve_the_iou():
    gt = ground_truth([truth(1, [LEFT] * 4), truth(2, [RIGHT] * 4)], [video(length=4)])
    swapped = [
        result([LEFT, LEFT, LEFT, RIGHT], 0.9),
        result([RIGHT, RIGHT, RIGHT, LEFT], 0.8),
    ]
    figures = evaluate_ytvis(gt, swapped)  # IoU 3/5 each
    assert figures["AP50"] == 1
    assert figures["AP75"] == 0
    assert figures["AP"] == pytest.approx(0.3)


def test_iou_exactly_at_a_threshold_is_a_match():
    gt = ground_truth([truth(1, [box(0, 0, 10, 20)])], [video(length=1)])
    figures = evaluate_ytvis(gt, [result([box(0, 0, 10, 15)])])  # IoU 0.75
    assert figures["AP75"] == 1
    assert figures["AP"] == pytest.approx(0.6)


def test_of_equal_scores_the_first_in_the_list_comes_first():
    gt = ground_truth([truth(1, [LEFT] * 3)])
    right, wrong = result([LEFT] * 3, 0.5), result([RIGHT] * 3, 0.5)
    assert evaluate_ytvis(gt, [right, wrong])["AP"] == 1
    assert evaluate_ytvis(gt, [wrong, right])["AP"] == pytest.approx(0.5)


def test_of_equal_scores_the_lower_video_id_comes_first():
    gt = ground_truth([truth(1, [LEFT] * 3, video_id=2)], [video(9), video(2)])
    results = [result([RIGHT] * 3, 0.5, video_id=9), result([LEFT] * 3, 0.5, video_id=2)]
    assert evaluate_ytvis(gt, results)["AP"] == 1


def test_crowd_is_neither_to_be_found_nor_wrong_to_find():
    gt = ground_truth([truth(1, [LEFT] * 3), truth(2, [RIGHT] * 3, iscrowd=1)])
    on_crowd = [result([RIGHT] * 3, 0.9), result([RIGHT] * 3, 0.8)]
    assert evaluate_ytvis(gt, [*on_crowd, result([LEFT] * 3, 0.7)])["AP"] == 1
    # A crowd's IoU is an ordinary one: a part of it is no match.
    part_of_crowd = result([box(2, 20, 8, 22)] * 3, 0.9)
    assert evaluate_ytvis(gt, [part_of_crowd, result([LEFT] * 3, 0.7)])["AP"] == 0.5
    assert evaluate_ytvis(ground_truth([truth(1, [LEFT] * 3, iscrowd=1)]), on_crowd)["AP"] == -1


def test_size_of_a_truth_is_that_of_the_json():
    gt = ground_truth([truth(1, [LEFT] * 3, areas=[128**2, None, 0])])
    figures = evaluate_ytvis(gt, [result([LEFT] * 3)])
    assert (figures["APs"], figures["APm"], figures["APl"]) == (1.0, 1.0, -1.0)
    gt = ground_truth([truth(1, [LEFT] * 3, areas=[256**2 + 0.5, None, None])])
    figures = evaluate_ytvis(gt, [result([LEFT] * 3)])
    assert (figures["APs"], figures["APm"], figures["APl"]) == (-1.0, -1.0, 1.0)
    assert (figures["ARs"], figures["ARm"], figures["ARl"]) == (-1.0, -1.0, 1.0)


def test_without_areas_those_of_the_masks_are_taken():
    annotation = truth(1, [LEFT, None, LEFT])
    del annotation["areas"], annotation["iscrowd"]
    assert evaluate_ytvis(ground_truth([annotation]), [result([LEFT, None, LEFT])])["APs"] == 1


def test_truth_of_id_0_is_never_found():
    gt = ground_truth([truth(0, [LEFT] * 3)])
    figures = evaluate_ytvis(gt, [result([LEFT] * 3)])
    assert (figures["AP"], figures["AR100"]) == (0.0, 0.0)


def test_no_results():
    figures = evaluate_ytvis(ground_truth([truth(1, [LEFT] * 3)]), [])
    assert (figures["AP"], figures["AR1"], figures["APs"], figures["APm"]) == (0, 0, 0, -1)
    assert figures["per_category"] == {"person": 0.0, "cat": -1.0, "unseen": -1.0}


def test_no_truths():
    figures = evaluate_ytvis(ground_truth([]), [result([LEFT] * 3)])
    assert {figures[name] for name in METRICS} == {-1.0}
    assert set(figures["per_category"].values()) == {-1.0}


def test_tracks_without_a_pixel():
    empty = box(0, 0, 0, 0)
    gt = ground_truth([truth(1, [None] * 3), truth(2, [LEFT] * 3)])
    results = [result([None] * 3, 0.9), result([empty] * 3, 0.8), result([LEFT] * 3, 0.7)]
    figures = evaluate_ytvis(gt, results)
    assert figures["AR100"] == 0.5
    assert_equal_figures(figures, reference_evaluate(gt, results))


def test_every_form_of_mask():
    mask = mask_util.decode(LEFT)
    runs = np.diff(np.flatnonzero(np.diff(np.r_[2, mask.ravel("F"), 2]))).tolist()
    polygon = [[2, 2, 8, 2, 8, 8, 2, 8]]
    assert (mask_util.decode(mask_util.frPyObjects(polygon, 20, 30))[..., 0] == mask).all()
    bytes_rle = {"size": [20, 30], "counts": LEFT["counts"].encode()}
    forms = [LEFT, bytes_rle, {"size": (20, 30), "counts": runs}, None, {}, []]
    gt = ground_truth([truth(1, [*forms, polygon], areas=[36] * 7)], [video(length=7)])
    before = copy.deepcopy(gt)
    results = [result([*forms[:3], [], None, {}, LEFT])]
    assert evaluate_ytvis(gt, results)["AP"] == 1
    assert gt == before
    assert results == [result([*forms[:3], [], None, {}, LEFT])]


def test_paths_and_values_are_the_same(tmp_path):
    gt, results = random_case(3)
    (tmp_path / "gt.json").write_text(json.dumps(gt))
    (tmp_path / "results.json").write_text(json.dumps(results))
    from_paths = evaluate_ytvis(tmp_path / "gt.json", str(tmp_path / "results.json"))
    assert from_paths == evaluate_ytvis(gt, results)
    assert all(type(from_paths[name]) is float for name in METRICS)
