"""Real clips: the folder of RCF_REAL_CLIPS, in the YouTube-VIS layout."""

import json
import os
from pathlib import Path

import pytest

from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.average_precision import METRICS

ROOT = os.environ.get("RCF_REAL_CLIPS")

pytestmark = pytest.mark.skipif(not ROOT, reason="RCF_REAL_CLIPS is not set")


@pytest.mark.parametrize("folder", ["davis16_single", "intel_cars", "pumavos_chair"])
def test_ground_truth_given_back_scores_1(folder):
    path = Path(ROOT) / folder / "instances.json"
    annotations = json.loads(path.read_text())["annotations"]
    keys = ("video_id", "category_id", "segmentations")
    results = [{**{key: a[key] for key in keys}, "score": 1.0} for a in annotations]
    figures = evaluate_ytvis(path, results)
    assert figures["AP"] == figures["AP50"] == figures["AP75"] == figures["AR100"] == 1.0
    assert {figures[name] for name in METRICS if name != "AR1"} <= {1.0, -1.0}
    assert set(figures["per_category"].values()) == {1.0, -1.0}
