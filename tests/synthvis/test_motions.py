"""Sets of motions: one frame says nothing about the class, two say all."""

import json
from dataclasses import replace

import numpy as np
import pytest

from rcf_vis.synthvis import SynthVISMotionSpec, generate_split
from rcf_vis.synthvis.plan import plan_video
from rcf_vis.synthvis.render import _Painter

SPEC = SynthVISMotionSpec(width=96, height=64)


def _mirrored_in_time(track, t):
    """The track of the other category whose angle at frame t is the same."""
    return replace(track, category=1 - track.category, angle=2 * track.angle[t] - track.angle)


@pytest.mark.parametrize("t", [0, 7])
def test_a_frame_looks_the_same_with_either_category(t):
    for index in range(4):
        plan = plan_video(SPEC, "train", index)
        tracks = [_mirrored_in_time(track, t) for track in plan.scene.tracks]
        one, other = (
            _Painter(SPEC, scene, np.random.default_rng(0)).paint(t)
            for scene in (plan.scene, replace(plan.scene, tracks=tracks))
        )
        assert (one[0] == other[0]).all()
        assert (np.array(one[1]) == np.array(other[1])).all()


def test_categories_are_drawn_alike_but_for_the_sense_of_turning():
    tracks = [t for i in range(400) for t in plan_video(SPEC, "train", i).scene.tracks]
    steps = np.array([np.diff(track.angle) for track in tracks])
    assert steps == pytest.approx(steps[:, :1].repeat(SPEC.length - 1, 1))
    categories = np.array([track.category for track in tracks])
    assert ((steps[:, 0] < 0) == categories).all()
    assert 0.12 <= abs(steps).min() and abs(steps).max() <= 0.3
    assert categories.mean() == pytest.approx(0.5, abs=0.06)
    for values in (
        np.array([np.exp(1j * track.angle[0]).real for track in tracks]),
        np.array([np.exp(1j * track.angle[0]).imag for track in tracks]),
        np.array([track.size.mean() for track in tracks]),
        abs(steps[:, 0]),
    ):
        one, other = values[categories == 0], values[categories == 1]
        error = np.sqrt(one.var() / len(one) + other.var() / len(other))
        assert abs(one.mean() - other.mean()) < 4 * error


def test_json(tmp_path):
    spec = SynthVISMotionSpec(width=64, height=48, length=3, val_videos=3)
    content = json.loads(generate_split(spec, tmp_path, "val", workers=1).read_text())
    assert [c["name"] for c in content["categories"]] == ["clockwise", "anticlockwise"]
    assert content["info"]["spec"]["motion_version"] == 1
    assert "events" not in content["videos"][0]
    assert {a["category_id"] for a in content["annotations"]} <= {1, 2}
