import math

import pytest

from rcf_vis.analysis.report.video_quality import VideoQuality, best_and_worst, video_quality

from .report_cases import every_kind, part
from .test_precision import paired


def test_quality_by_hand():
    gt, results, _ = every_kind()
    results[0]["segmentations"] = part(2, 4)  # IoU 2/3
    pairs, _ = paired(gt, results)
    first = video_quality(pairs[0], 0.65)  # the result of 0.6 is not counted
    assert (first.num_found, first.num_truths, first.num_wrong) == (1, 3, 4)
    # Its duplicate has IoU 5/6 but the lower score.
    assert first.mean_iou == pytest.approx(2 / 3)
    assert first.quality == pytest.approx(2 / 3 / (1 + 4 / 2 + 2 / 2))
    crowd = video_quality(pairs[2], 0.5)
    assert (crowd.num_found, crowd.num_truths, crowd.num_wrong) == (0, 0, 0)
    assert math.isnan(crowd.quality)
    assert video_quality(pairs[2], 0.0).quality == 0  # the one in the background


def quality(video_id, value, found=1, wrong=0):
    return VideoQuality(video_id, value, value, found, 2, wrong)


def test_best_and_worst_do_not_overlap():
    videos = [quality(1, 0.5), quality(2, 0.9), quality(3, 0.0), quality(4, math.nan)]
    ids = [[v.video_id for v in group] for group in best_and_worst(videos, 5)]
    assert ids == [[2, 1], [3]]
    ids = [[v.video_id for v in group] for group in best_and_worst(videos, 1)]
    assert ids == [[2], [3]]


def test_of_equal_videos():
    videos = [quality(1, 0.0, 0, wrong=1), quality(2, 1.0, 1), quality(3, 1.0, 2)]
    videos.append(quality(4, 0.0, 0, wrong=5))
    best, worst = best_and_worst(videos, 2)
    assert [v.video_id for v in best] == [3, 2]
    assert [v.video_id for v in worst] == [4, 1]
