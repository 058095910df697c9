"""The plan of a video: crossings, returns, speeds, sizes, specs."""

import numpy as np
import pytest

from rcf_vis.synthvis import CATEGORIES, KNOBS, SynthVISSpec
from rcf_vis.synthvis.motion import b_spline, crossing_pair, out_and_back
from rcf_vis.synthvis.scene import plan_scene


def _scenes(spec, count=20):
    return [plan_scene(spec, np.random.default_rng(i)) for i in range(count)]


def _crosses(a, b):
    """Same category, apart on both ends, on swapped sides, close together between."""
    if a.category != b.category:
        return False
    gap = b.centre - a.centre
    reach = (a.size.max() + b.size.max()) / 2
    distance = np.linalg.norm(gap, axis=1)
    swapped = float(gap[0] @ gap[-1]) < 0
    return (
        swapped and min(distance[0], distance[-1]) > 0.6 * reach and distance.min() < 0.45 * reach
    )


def _has_crossing(scene):
    tracks = scene.tracks
    return any(_crosses(a, b) for i, a in enumerate(tracks) for b in tracks[:i])


def test_every_video_crosses_with_share_one_and_few_by_chance_with_share_zero():
    assert all(_has_crossing(s) for s in _scenes(SynthVISSpec(crossing_share=1.0)))
    chance = _scenes(SynthVISSpec(crossing_share=0.0, return_share=0.0))
    assert sum(_has_crossing(s) for s in chance) <= 2


def test_crossing_pair_meets_inside_the_frame():
    for i in range(20):
        a, b = crossing_pair(np.random.default_rng(i), 20, (320, 192), 50.0, 1.0)
        distance = np.linalg.norm(a - b, axis=1)
        meet = (a + b)[distance.argmin()] / 2
        assert distance.min() < 25 and (meet > 0).all() and (meet < [320, 192]).all()


@pytest.mark.parametrize("leaves,returns", [(True, True), (True, False), (False, True)])
def test_out_and_back_is_outside_when_it_should_be(leaves, returns):
    for i in range(20):
        path = out_and_back(
            np.random.default_rng(i), 20, (320, 192), 50.0, 1.0, leaves=leaves, returns=returns
        )
        # How far the centre is outside of the frame; 25 hides an object of size 50.
        outside = np.maximum(-path, path - [320, 192]).max(axis=1)
        # A centre up to a fifth of the size outside still shows much of the object.
        assert (outside[0] < 10) == leaves and (outside[-1] < 10) == returns
        assert outside.max() > 25


def test_b_spline_keeps_lines_and_speed_limit():
    line = np.arange(8.0)[:, None] * [2.0, -1.0]
    times = np.linspace(1, 6, 21)
    assert b_spline(line, times) == pytest.approx(times[:, None] * [2.0, -1.0])
    points = np.random.default_rng(0).uniform(0, 100, (12, 2))
    path = b_spline(points, np.linspace(1, 10, 901))
    longest = np.linalg.norm(np.diff(points, axis=0), axis=1).max()
    assert np.linalg.norm(np.diff(path, axis=0), axis=1).max() <= longest / 100 + 1e-9


def test_sizes_and_speeds_are_as_promised_and_go_with_the_frame():
    spec = SynthVISSpec()
    tracks = [t for s in _scenes(spec, 60) for t in s.tracks]
    sizes = np.concatenate([t.size for t in tracks]) / spec.height
    speeds = np.concatenate([np.linalg.norm(np.diff(t.centre, axis=0), axis=1) for t in tracks])
    # from 0.34 to 0.6, scaled by up to exp(0.16); the second of a crossing pair by up to 1.2 more
    assert 0.34 * 0.8 / np.exp(0.16) <= sizes.min() and sizes.max() <= 0.6 * np.exp(0.16)
    assert 0.38 < np.median(sizes) < 0.5
    assert 3 < np.median(speeds) < 6 and np.percentile(speeds, 95) < 14
    assert {t.category for t in tracks} == set(range(len(CATEGORIES)))
    double = [t for s in _scenes(SynthVISSpec(width=640, height=384), 60) for t in s.tracks]
    assert np.mean([t.size for t in double]) == pytest.approx(2 * np.mean([t.size for t in tracks]))


def test_object_size():
    small, large = SynthVISSpec(object_size=(0.1, 0.1)), SynthVISSpec(object_size=(0.5, 0.5))
    for spec in (small, large):
        sizes = [t.size / spec.height for s in _scenes(spec, 20) for t in s.tracks]
        assert np.mean(sizes) == pytest.approx(spec.object_size[0], rel=0.05)
    for wrong in ((0.3,), (0.5, 0.3), (0.0, 0.3), (0.3, 1.1)):
        with pytest.raises(ValueError, match="object_size must be"):
            SynthVISSpec(object_size=wrong)


def test_number_of_objects_and_short_videos():
    counts = {len(s.tracks) for s in _scenes(SynthVISSpec(objects_per_video=(2, 4)), 40)}
    assert counts == {2, 3, 4}
    for length in (1, 2, 4):
        scene = plan_scene(SynthVISSpec(length=length), np.random.default_rng(0))
        assert all(t.centre.shape == (length, 2) for t in scene.tracks)


def test_occlusion_brings_objects_together_and_columns():
    near = {}
    for occlusion in (0.0, 1.0):
        spec = SynthVISSpec(occlusion=occlusion, crossing_share=0.0, objects_per_video=(3, 3))
        scenes = _scenes(spec, 40)
        near[occlusion] = np.mean(
            [
                np.linalg.norm(a.centre - b.centre, axis=1).min() < 0.4 * (a.size + b.size).mean()
                for s in scenes
                for i, a in enumerate(s.tracks)
                for b in s.tracks[:i]
            ]
        )
        assert any(s.columns for s in scenes) == (occlusion > 0)
    assert near[0.0] < 0.2 and near[1.0] > 0.4


@pytest.mark.parametrize(
    "name,value",
    [
        ("width", 31),
        ("height", 19.5),
        ("length", 0),
        ("train_videos", -1),
        ("seed", -1),
        ("jpeg_quality", 0),
        ("difficulty", 1.5),
        ("difficulty", None),
        ("blur", -0.1),
        ("objects_per_video", (3, 2)),
        ("objects_per_video", (0, 2)),
    ],
)
def test_bad_field_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        SynthVISSpec(**{name: value})


def test_knobs_follow_difficulty_and_description_round_trips():
    spec = SynthVISSpec(difficulty=0.25, noise=0.75, val_videos=7)
    assert {k: spec.knob(k) for k in KNOBS} == {k: 0.75 if k == "noise" else 0.25 for k in KNOBS}
    described = spec.describe_split("val")
    assert described["num_videos"] == 7
    assert not {"train_videos", "val_videos", "test_videos"} & described.keys()
    assert SynthVISSpec.from_description(described).describe_split("val") == described
    with pytest.raises(ValueError, match="unknown SynthVIS split 'dev'"):
        spec.num_videos("dev")
