"""Sets with occlusions: what happens is what is asked for, and the json says so."""

import json
from collections import Counter, defaultdict

import numpy as np
import pytest

from rcf_vis.synthvis import (
    HIDDEN_LENGTHS,
    SynthVISOcclusionSpec,
    find_events,
    generate_split,
    render_video,
)
from rcf_vis.synthvis.plan import plan_video
from rcf_vis.synthvis.render import _Painter
from rcf_vis.synthvis.scene import Scene, Track
from rcf_vis.synthvis.shapes import draw_shape, reach
from tests.synthvis.synthvis_files import digest

SMALL = SynthVISOcclusionSpec(width=160, height=96, min_pixels=4, val_videos=10)


@pytest.fixture(scope="module")
def events():
    """Those of two rounds of the stories, by the number of the video."""
    found = {}
    for index in range(10):
        plan = plan_video(SMALL, "val", index)
        painter = _Painter(SMALL, plan.scene, plan.look_rng)
        masks = [painter.paint(t)[1] for t in range(SMALL.length)]
        annotations = [
            {
                "id": n + 1,
                "depth": n,
                "segmentations": [m[n].sum() >= SMALL.min_pixels or None for m in masks],
            }
            for n in range(len(plan.scene.tracks))
        ]
        found[index] = find_events(plan.scene, annotations, (SMALL.width, SMALL.height))
    return found


def _lengths(events, kind):
    return [e["frames"][1] - e["frames"][0] + 1 for e in events if e["kind"] == kind]


def test_each_video_has_its_story(events):
    for index in (0, 5):
        assert Counter(e["kind"] for e in events[index])["crossing"] >= 2
    for index in (4, 9):
        assert len(_lengths(events[index], "return")) == 2
        assert min(_lengths(events[index], "return")) > 15


@pytest.mark.parametrize("place", [1, 2, 3])
def test_hidden_for_as_long_as_planned(events, place):
    planned = HIDDEN_LENGTHS[place - 1]
    for index in (place, place + 5):
        lengths = [
            n for n in _lengths(events[index], "occlusion") if planned - 1 <= n <= planned + 3
        ]
        assert len(lengths) >= (2 if planned == 45 else 3)


def test_every_other_round_has_doubles(events):
    for index in range(10):
        assert any(e["identical"] for e in events[index]) == (index >= 5)
        plan = plan_video(SMALL, "val", index)
        twins = [track for track in plan.scene.tracks if track.twins is not None]
        assert len(twins) == (2 if index >= 5 else 0)
        assert len({track.category for track in twins}) <= 1


def test_doubles_are_drawn_with_one_sprite():
    plan = plan_video(SMALL, "val", 5)
    painter = _Painter(SMALL, plan.scene, plan.look_rng)
    sprites = defaultdict(list)
    for track, sprite in zip(plan.scene.tracks, painter._sprites, strict=True):
        sprites[track.twins].append(sprite)
    assert sprites[0][0] is sprites[0][1]


def _straight(x, category=0, twins=None):
    """A track of size 10 at height 50."""
    x = np.asarray(x, float)
    ones = np.ones(len(x))
    return Track(category, np.stack([x, 50 * ones], 1), 10 * ones, ones, ones, twins=twins)


def test_events_are_read_off_masks_and_paths():
    time = np.arange(20.0)
    tracks = [
        _straight(10 + 4 * time, twins=0),  # goes to the right, meets the next one near frame 10
        _straight(90 - 4 * time, twins=0),
        _straight(np.where((time > 4) & (time < 9), 500, 20), category=1),  # leaves for 5 to 8
    ]
    scene = Scene(tracks, [], np.zeros((20, 2)), np.ones(20), np.zeros(20))
    seen = [True] * 20
    away = [None if 5 <= t <= 8 else True for t in range(20)]
    behind = [None if t in (0, 3, 4, 19) else True for t in range(20)]  # ends are no events
    annotations = [
        {"id": 7, "depth": 2, "segmentations": away},
        {"id": 8, "depth": 0, "segmentations": seen},
        {"id": 9, "depth": 1, "segmentations": behind},
    ]
    assert find_events(scene, annotations, (100, 100)) == [
        {"kind": "occlusion", "frames": [3, 4], "tracks": [9], "identical": True},
        {"kind": "return", "frames": [5, 8], "tracks": [7], "identical": False},
        {"kind": "crossing", "frames": [9, 11], "tracks": [8, 9], "identical": True},
    ]


def test_those_who_touch_and_turn_back_do_not_cross():
    time = np.arange(20.0)
    tracks = [_straight(40 - 3 * abs(time - 10)), _straight(46 + 3 * abs(time - 10))]
    scene = Scene(tracks, [], np.zeros((20, 2)), np.ones(20), np.zeros(20))
    annotations = [{"id": i, "depth": i, "segmentations": [True] * 20} for i in range(2)]
    assert find_events(scene, annotations, (100, 100)) == []


def test_json_has_the_events_of_each_video(tmp_path):
    spec = SynthVISOcclusionSpec(width=64, height=48, length=64, val_videos=2)
    path = generate_split(spec, tmp_path, "val", workers=1)
    content = json.loads(path.read_text())
    assert path.parent.name == "synthvis_occ"
    assert content["info"]["spec"]["occlusion_version"] == 1
    for index, video in enumerate(content["videos"]):
        own = [a for a in content["annotations"] if a["video_id"] == video["id"]]
        scene = plan_video(spec, "val", index).scene
        assert video["events"] == find_events(scene, own, (64, 48))
        ids = {a["id"] for a in own}
        assert video["events"] and all(set(e["tracks"]) <= ids for e in video["events"])
    before = digest(tmp_path)
    generate_split(spec, tmp_path, "val", workers=1, overwrite=True)
    assert digest(tmp_path) == before


def test_splits_differ():
    train, val = (render_video(SMALL, split, 0)[0][0] for split in ("train", "val"))
    assert (train != val).any()


def test_reach_is_that_of_the_drawn_shape():
    for name in ("triangle", "leaf", "gear"):
        columns = np.flatnonzero((draw_shape(name, 200) > 127).any(axis=0))
        left, right = reach(name, 0.0, 1.0)
        assert (100 - columns[0]) / 100 == pytest.approx(left, abs=0.03)
        assert (columns[-1] + 1 - 100) / 100 == pytest.approx(right, abs=0.03)
    assert reach("leaf", np.pi / 2, 0.5) == pytest.approx((0.26, 0.26), abs=0.01)


@pytest.mark.parametrize(
    ("field", "value"), [("length", 63), ("objects_per_video", (2, 4)), ("object_size", (0, 1))]
)
def test_bad_field_is_named(field, value):
    with pytest.raises(ValueError, match=f"^{field} must be"):
        SynthVISOcclusionSpec(**{field: value})
