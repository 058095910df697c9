"""Paired statistics by hand; the command line."""

import json

import numpy as np
import pytest
from scipy import stats

from rcf_vis.analysis.report.compare import compare_results
from rcf_vis.evaluation import evaluate_ytvis
from tests.evaluation.ytvis_cases import box, ground_truth, random_case, result, truth, video
from tests.scripts import load_script

COLUMNS = (0, 10, 20)
PIXELS_A = {1: (8, 6, 4), 2: (9, 7, 0), 3: (9, 9, 10)}  # of 10: the IoU in tenths
PIXELS_B = {1: (9, 6, 8), 2: (7, 7, 9), 3: (10, 8, 10)}


def tracks(pixels):
    """Three persons of 10 pixels in each of three videos, of which so many are found."""
    return [
        result([box(0, left, 1, left + count)] * 3, 0.9 - k / 10, video_id)
        for video_id, counts in pixels.items()
        for k, (left, count) in enumerate(zip(COLUMNS, counts, strict=True))
        if count
    ]


@pytest.fixture
def gt():
    full = {video_id: (10, 10, 10) for video_id in PIXELS_A}
    annotations = [
        truth(k, r["segmentations"], r["video_id"]) for k, r in enumerate(tracks(full), start=1)
    ]
    crowd = truth(99, [box(10, 0, 20, 30)] * 3, iscrowd=1)
    return ground_truth([*annotations, crowd], [video(video_id) for video_id in full])


def test_paired_statistics_by_hand(gt):
    crowd = result([box(10, 0, 20, 30)] * 3)  # finds the crowd: no object
    comparison = compare_results(gt, tracks(PIXELS_A), [*tracks(PIXELS_B), crowd])
    half, three_quarters = comparison.paired
    # A misses the third of video 1 (0.4 is too little) and of video 2.
    differences = np.array([0.1, 0.0, -0.2, 0.0, 0.1, -0.1, 0.0])
    assert (half.num_objects, half.only_a, half.only_b) == (7, 0, 2)
    assert half.mean_a == pytest.approx(np.mean([0.8, 0.6, 0.9, 0.7, 0.9, 0.9, 1.0]))
    assert half.mean_b - half.mean_a == pytest.approx(half.difference)
    assert half.difference == pytest.approx(differences.mean())
    t = differences.mean() / (differences.std(ddof=1) / 7**0.5)
    assert half.t == pytest.approx(t)
    assert half.p_value == pytest.approx(2 * stats.t.sf(abs(t), df=6))
    # Above 0.75 in both: the first of video 1 and all of video 3.
    assert (three_quarters.num_objects, three_quarters.only_a, three_quarters.only_b) == (4, 1, 2)
    assert three_quarters.difference == pytest.approx(np.mean([0.1, 0.1, -0.1, 0.0]))


def test_interval_draws_whole_videos(gt):
    half = compare_results(gt, tracks(PIXELS_A), tracks(PIXELS_B), num_resamples=4000).paired[0]
    sums, counts = np.array([0.1, -0.2, 0.0]), np.array([2, 2, 3])
    all_draws = np.stack(np.meshgrid(*[range(3)] * 3), -1).reshape(-1, 3)  # all 27 are as likely
    means = sums[all_draws].sum(1) / counts[all_draws].sum(1)
    expected = np.quantile(np.repeat(means, 1000), [0.025, 0.975])
    assert half.interval == pytest.approx(expected, abs=1e-6)


def test_an_iou_at_the_threshold_is_not_above_it(gt):
    exactly = {1: (5, 0, 0)}
    half = compare_results(gt, tracks(exactly), tracks(exactly)).paired[0]
    assert (half.num_objects, half.only_a, half.only_b) == (0, 0, 0)
    assert np.isnan([half.mean_a, half.difference, half.t, half.p_value, *half.interval]).all()


@pytest.mark.parametrize("seed", [5, 6])
def test_average_precision_is_the_evaluators(seed):
    gt, a = random_case(seed)
    b = [r for r in a if r["score"] > 0.5]
    comparison = compare_results(gt, a, b, num_resamples=200)
    figures_a, figures_b = evaluate_ytvis(gt, a), evaluate_ytvis(gt, b)
    for row in comparison.average_precision:
        assert row.a == pytest.approx(figures_a[row.name], abs=1e-9)
        assert row.b == pytest.approx(figures_b[row.name], abs=1e-9)
        assert row.difference == pytest.approx(row.b - row.a, abs=1e-12)
    swapped = compare_results(gt, b, a, num_resamples=200)
    for row, back in zip(comparison.average_precision, swapped.average_precision, strict=True):
        assert row.interval == pytest.approx((-back.interval[1], -back.interval[0]), abs=1e-12)


def test_without_objects_nothing_is_defined(gt):
    a = tracks(PIXELS_A)
    comparison = compare_results(dict(gt, annotations=[]), a, a, num_resamples=5)
    for row in (*comparison.average_precision, *comparison.paired):
        assert np.isnan([row.difference, *row.interval]).all()


def test_a_result_with_itself(gt):
    a = tracks(PIXELS_A)
    comparison = compare_results(gt, a, a, num_resamples=50)
    for row in (*comparison.average_precision, *comparison.paired):
        assert (row.difference, row.interval) == (0, (0, 0))
    assert all(np.isnan(row.p_value) for row in comparison.paired)  # no spread, no test


def test_thresholds_are_the_evaluators(gt):
    with pytest.raises(ValueError, match=r"threshold 0.6[27]: expected one of \[0.5 "):
        compare_results(gt, [], [], thresholds=(0.5, 0.67))


def test_command_line(gt, tmp_path, capsys):
    files = {"gt": gt, "a": tracks(PIXELS_A), "b": tracks(PIXELS_B)}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    script = load_script("tools/compare.py")
    a, b, out = (str(tmp_path / name) for name in ("a.json", "b.json", "out/comparison.json"))
    options = ["--gt", str(tmp_path / "gt.json"), "--resamples", "20"]
    script.main([a, b, *options, "--json", out])
    printed = capsys.readouterr().out
    assert "| > 0.5  |         7 |        0 |        2 | 82.9 | 81.4 |   -1.43 |" in printed
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert written["paired"][0]["num_objects"] == 7
    expected = evaluate_ytvis(gt, files["a"])["AP"]
    assert written["average_precision"][0]["a"] == pytest.approx(expected)
    script.main([a, a, *options, "--json", out])
    assert "–" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "comparison.json").read_text())["paired"][0]["t"] is None
    with pytest.raises(FileNotFoundError, match="none.json"):
        script.main([a, str(tmp_path / "none.json"), *options])
    with pytest.raises(SystemExit):
        script.main([a, b, *options, "--resamples", "0"])
