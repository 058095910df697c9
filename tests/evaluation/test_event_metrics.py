import json

import pytest

from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_events
from rcf_vis.evaluation.__main__ import main
from rcf_vis.evaluation.event_metrics import EVENT_METRICS, EVENT_NAMES

from .ytvis_cases import box, ground_truth, result, truth, video

LEFT, RIGHT, LOW = box(0, 0, 8, 4), box(0, 20, 8, 24), box(12, 10, 20, 14)
PERSON, CAT = 1, 3
LENGTH = 60


def _event(kind, first, last, *tracks):
    return {"kind": kind, "frames": [first, last], "tracks": list(tracks), "identical": False}


def _track(mask, *hidden):
    """The mask in each frame but those hidden, pairs of first and last."""
    return [None if any(a <= t <= b for a, b in hidden) else mask for t in range(LENGTH)]


def _part(mask, first, last):
    return [mask if first <= t <= last else None for t in range(LENGTH)]


def _content(events, annotations):
    return ground_truth(annotations, [{**video(1, LENGTH), "events": events}])


def test_switches_by_kind_and_length():
    hidden = ((3, 7), (12, 26), (30, 44))
    events = [_event("occlusion", *frames, 1) for frames in hidden]
    events += [_event("occlusion", 10, 54, 2), _event("return", 10, 54, 2)]
    annotations = [truth(1, _track(LEFT, *hidden)), truth(2, _track(RIGHT, (10, 54)))]
    results = [
        # the first object is another one from frame 27 on, between two occlusions
        result(_part(LEFT, 0, 28)),
        result(_part(LEFT, 29, 59)),
        # the second one is another when it is back
        result(_part(RIGHT, 0, 9)),
        result(_part(RIGHT, 55, 59)),
    ]
    found = evaluate_events(_content(events, annotations), results)
    counts = {
        name: tuple(found[name][key] for key in ("events", "seen", "switches", "switch_rate"))
        for name in found
    }
    assert counts == {
        "crossing": (0, 0, 0, -1.0),
        "occlusion 1-9": (1, 1, 0, 0.0),
        "occlusion 10-29": (2, 2, 0, 0.0),
        "occlusion 30+": (1, 1, 1, 1.0),
        "return": (1, 1, 1, 1.0),
        "all": (5, 5, 2, 0.4),
    }
    assert list(found) == [*EVENT_NAMES, "all"]
    assert found["return"]["IDSW"] == 2 and found["crossing"]["IDSW"] == 0
    assert found["crossing"]["AssA"] == -1.0


def test_a_crossing_is_one_event_of_two_tracks():
    annotations = [truth(1, _track(LEFT)), truth(2, _track(RIGHT))]
    content = _content([_event("crossing", 20, 24, 1, 2)], annotations)
    kept = [result(_track(LEFT)), result(_track(RIGHT))]
    first, second = ([m for m in side] for side in (_track(LEFT), _track(RIGHT)))
    exchanged = [result(first[:22] + second[22:]), result(second[:22] + first[22:])]
    half = [result(first), result(_part(RIGHT, 0, 18)), result(_part(RIGHT, 30, 59))]
    for results, switches, seen in ((kept, 0, 1), (exchanged, 1, 1), (half, 1, 1), ([], 0, 0)):
        found = evaluate_events(content, results)["crossing"]
        assert (found["events"], found["seen"], found["switches"]) == (1, seen, switches)
    # seen on one side only
    found = evaluate_events(content, [result(_part(LEFT, 0, 22))])["crossing"]
    assert (found["events"], found["seen"], found["switch_rate"]) == (1, 0, -1.0)


def test_the_figures_are_those_of_the_videos_with_the_event():
    annotations = [
        truth(1, _track(LEFT), video_id=1),
        truth(2, _track(RIGHT), video_id=2),
        truth(3, _track(LOW), video_id=3),
    ]
    videos = [
        {**video(1, LENGTH), "events": [_event("return", 20, 30, 1)]},
        {**video(2, LENGTH), "events": [_event("crossing", 20, 30, 2)]},
        video(3, LENGTH),
    ]
    results = [
        result(_part(LEFT, 0, 29)),
        result(_part(LEFT, 30, 59)),
        result(_track(RIGHT), video_id=2),
    ]
    found = evaluate_events(ground_truth(annotations, videos), results)
    assert found["crossing"]["HOTA"] == found["crossing"]["AP"] == 1
    assert found["return"]["AssA"] == pytest.approx(0.5)
    assert found["all"]["AssA"] == pytest.approx(0.75)
    assert found["all"]["IDSW"] == 1


def test_the_category_counts_or_not():
    content = _content([_event("return", 20, 30, 1)], [truth(1, _track(LEFT))])
    results = [result(_track(LEFT), category_id=CAT)]
    assert evaluate_events(content, results)["all"]["seen"] == 0
    found = evaluate_events(content, results, class_aware=False)["all"]
    assert (found["seen"], found["switches"], found["AssA"]) == (1, 0, 1)


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "jump", "frames": [3, 4], "tracks": [1]},
        {"kind": "return", "frames": [0, 4], "tracks": [1]},
        {"kind": "return", "frames": [4, 3], "tracks": [1]},
        {"kind": "return", "frames": [3], "tracks": [1]},
        {"kind": "return", "frames": [3, 4], "tracks": [9]},
        {"kind": "return", "frames": [3, 4], "tracks": []},
        {"frames": [3, 4], "tracks": [1]},
        "return",
    ],
)
def test_a_broken_event_is_named(event):
    content = _content([_event("return", 2, 3, 1), event], [truth(1, _track(LEFT))])
    with pytest.raises(DatasetError, match=r"video 1: events\[1\].*expected its 'kind'"):
        evaluate_events(content, [])


def test_command_line(tmp_path, capsys):
    content = _content([_event("return", 20, 30, 1)], [truth(1, _track(LEFT, (20, 30)))])
    paths = tmp_path / "gt.json", tmp_path / "results.json", tmp_path / "figures.json"
    paths[0].write_text(json.dumps(content))
    paths[1].write_text(json.dumps([result(_track(LEFT))]))
    arguments = ["--gt", str(paths[0]), "--results", str(paths[1])]
    main([*arguments, "--events", "--json", str(paths[2])])
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("Events")
    assert lines[start + 1].split() == list(EVENT_METRICS)
    assert lines[start + 6].split()[-4:] == ["1", "1", "0", "0.00"]  # return
    assert json.loads(paths[2].read_text())["events"] == evaluate_events(paths[0], paths[1])
    paths[0].write_text(json.dumps(ground_truth([truth(1, _track(LEFT))], [video(1, LENGTH)])))
    with pytest.raises(SystemExit, match="no video has 'events'"):
        main([*arguments, "--events"])
