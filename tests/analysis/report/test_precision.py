"""Pairs and precision against slow references and the evaluator itself."""

import copy

import numpy as np
import pytest

from rcf_vis.analysis.report.pairs import pair_tracks
from rcf_vis.analysis.report.precision import (
    drawn_precision,
    mean_of_defined,
    precision_curves,
    rank_results,
)
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.track_files import read_ground_truth, read_results
from tests.evaluation.ytvis_cases import ground_truth, random_case


def paired(gt, results):
    truths = read_ground_truth(gt)
    return pair_tracks(truths, read_results(results, truths)), truths


def slow_matching(video, threshold):
    """Greedy matching of one video, result by result."""
    found, taken = [], set()
    for d, category in enumerate(video.result_categories):
        best = -1
        for crowd in (False, True):  # a crowd only where there is no other
            for g, truth in enumerate(video.truths):
                fits = video.truth_categories[g] == category and truth.crowd == crowd
                if fits and g not in taken and video.ious[d, g] >= threshold:
                    if best < 0 or video.ious[d, g] >= video.ious[d, best]:
                        best = g
            if best >= 0:
                break
        if best >= 0 and not video.truths[best].crowd:
            taken.add(best)
        found.append(best if best < 0 or video.truths[best].countable else -1)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_found_equals_a_slow_matching(seed):
    pairs, _ = paired(*random_case(seed))
    for video in pairs:
        for t, threshold in enumerate(np.linspace(0.5, 0.95, 10)):
            expected = slow_matching(video, threshold)
            assert video.found[t].tolist() == expected
            crowds = [g >= 0 and video.truths[g].crowd for g in expected]
            assert video.ignored[t].tolist() == crowds


@pytest.mark.parametrize("seed", range(20))
def test_means_of_the_curves_are_the_evaluators_figures(seed):
    gt, results = random_case(seed)
    pairs, truths = paired(gt, results)
    ranked = rank_results(pairs, len(truths.categories))
    curves = precision_curves(
        ranked.categories, ranked.true, ranked.false, ranked.num_truths.sum(0)
    )
    figures = evaluate_ytvis(gt, results)
    found = {
        "AP": mean_of_defined(curves),
        "AP50": mean_of_defined(curves[:, 0]),
        "AP75": mean_of_defined(curves[:, 5]),
    }
    for name, value in found.items():
        expected = figures[name]
        assert value == pytest.approx(expected, abs=1e-9) or (np.isnan(value) and expected == -1)
    for curve, expected in zip(curves, figures["per_category"].values(), strict=True):
        value = mean_of_defined(curve)
        assert value == pytest.approx(expected, abs=1e-9) or (np.isnan(value) and expected == -1)


@pytest.mark.parametrize("seed", [1, 4, 7, 8])
def test_a_video_drawn_twice_is_a_data_set_with_the_video_twice(seed):
    gt, results = random_case(seed)
    for k, entry in enumerate(gt["annotations"]):
        entry["id"] = k + 1
    results = [{**r, "score": r["score"] + k / 1e6} for k, r in enumerate(results)]  # no ties
    pairs, truths = paired(gt, results)
    draws = np.random.default_rng(seed).integers(0, 3, (4, len(pairs)))
    found = drawn_precision(rank_results(pairs, len(truths.categories)), draws)
    for draw, values in zip(draws, found, strict=True):
        value = mean_of_defined(values)
        if not draw.any():  # no video, of which there is no json
            assert np.isnan(value)
            continue
        expected = evaluate_ytvis(*repeated(gt, results, [v.video_id for v in pairs], draw))
        assert value == pytest.approx(expected["AP"], abs=1e-9) or (
            np.isnan(value) and expected["AP"] == -1
        )


def repeated(gt, results, video_ids, times):
    """The data set with each video as often as it was drawn, under new ids."""
    new = {"videos": [], "annotations": [], "categories": gt["categories"]}
    new_results = []
    for video_id, count in zip(video_ids, times, strict=True):
        for _ in range(count):
            number = len(new["videos"]) + 1
            for kind, target in (("videos", new["videos"]), ("annotations", new["annotations"])):
                key = "id" if kind == "videos" else "video_id"
                for entry in copy.deepcopy([e for e in gt[kind] if e[key] == video_id]):
                    entry[key] = number
                    if kind == "annotations":
                        entry["id"] = len(target) + 1
                    target.append(entry)
            new_results += [{**r, "video_id": number} for r in results if r["video_id"] == video_id]
    return new, new_results


def test_no_videos():
    gt = dict(ground_truth([]), videos=[])
    with pytest.raises(ValueError, match="'videos' is empty"):
        paired(gt, [])
