"""Figures of tracks of given detections, by hand; the best settings are found."""

from types import SimpleNamespace

import pytest

from rcf_vis.analysis.trackers.comparison import figures_of, track, tune
from rcf_vis.analysis.trackers.methods import Method
from tests.evaluation.ytvis_cases import box, ground_truth, truth, video

from .detected import SIZE, detected, frame

A, B = (0, 5, 0.9, 0), (3, 70, 0.8, 1)
BOX_A, BOX_B = (box(20, left, 40, left + 20, SIZE) for left in (5, 70))
LENGTH = 4


@pytest.fixture
def clip():
    videos = [{**video(1, LENGTH, SIZE)}]
    videos[0]["events"] = [{"kind": "occlusion", "frames": [2, 2], "tracks": [2]}]
    annotations = [
        truth(1, [BOX_A] * 4, category_id=1),
        truth(2, [BOX_B, BOX_B, None, BOX_B], category_id=3),
    ]
    content = ground_truth(annotations, videos)
    content["categories"] = content["categories"][:2]
    frames = [frame(A, B), frame(A, B), frame(A), frame(A, B)]
    return detected(frames), SimpleNamespace(content=content, dataset_ids={0: 1, 1: 3})


def _scripted(*identities):
    """A method that gives the identities of a list, frame by frame, if it is asked to."""

    def start(scripted=True):
        script = iter(identities)
        return lambda instances, image: next(script) if scripted else list(range(len(instances)))

    return Method("scripted", start, {"scripted": (True, False)})


def test_figures(clip):
    detections, content = clip
    method = _scripted([0, 1], [0, 1], [0], [0, 2])
    results = track(method, {"scripted": True}, [detections], content.dataset_ids)
    assert [(r["category_id"], sum(map(bool, r["segmentations"]))) for r in results] == [
        (1, 4),
        (3, 2),
        (3, 1),
    ]
    figures = figures_of(content, results)
    assert (figures["DetA"], figures["IDSW"]) == (1, 1)
    # of the second object 2 of 3 frames and 1 of 3
    assert figures["AssA"] == pytest.approx((4 * 1 + 2 * 2 / 3 + 1 / 3) / 7)
    occlusion = figures["events"]["occlusion 1-9"]
    assert (occlusion["events"], occlusion["seen"], occlusion["switches"]) == (1, 1, 1)


def test_what_gets_no_identity_is_left_out(clip):
    detections, content = clip
    method = _scripted([0, -1], [0, -1], [-1], [0, -1])
    (result,) = track(method, {"scripted": True}, [detections], content.dataset_ids)
    assert [bool(mask) for mask in result["segmentations"]] == [True, True, False, True]
    assert figures_of(content, [result])["DetA"] == pytest.approx(3 / 7)


def test_the_best_settings_are_found(clip):
    detections, content = clip
    points = []
    for script, best in (
        (([0, 1], [0, 1], [0], [0, 2]), False),
        (([0, 1], [0, 1], [0], [0, 1]), True),  # as good: the first
    ):
        settings, score = tune(_scripted(*script), [detections], content, lambda: points.append(1))
        assert (settings, score) == ({"scripted": best}, 1)
    assert len(points) == 4


def test_no_events_no_figures_of_them(clip):
    _, content = clip
    del content.content["videos"][0]["events"]
    assert "events" not in figures_of(content, [])
