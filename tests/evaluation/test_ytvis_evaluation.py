import json
import logging
import math
import os
import weakref
import zipfile

import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Instances

from rcf_vis.data import register_ytvis_instances
from rcf_vis.evaluation import YTVISEvaluator, evaluate_ytvis

from .ytvis_cases import box, ground_truth, truth, video

SIZE = (20, 30)
LEFT, RIGHT = box(2, 2, 8, 8), box(2, 20, 8, 26)
ANNOTATIONS = [
    truth(1, [LEFT, LEFT, None], video_id=6, category_id=1),
    truth(2, [None, RIGHT, RIGHT], video_id=6, category_id=3),
    truth(3, [RIGHT, RIGHT], video_id=2, category_id=3),
]
NAME = "evaluation_test"
PERSON, CAT = 0, 1  # contiguous: categories by id are person 1, cat 3, unseen 7


@pytest.fixture
def register(tmp_path):
    def make(annotations):
        videos = [video(6, 3, SIZE), video(2, 2, SIZE)]
        path = tmp_path / "gt.json"
        path.write_text(json.dumps(ground_truth(annotations, videos)))
        register_ytvis_instances(NAME, {}, str(path), str(tmp_path))
        return path

    yield make
    DatasetCatalog.remove(NAME)
    MetadataCatalog.pop(NAME)


def instances(*objects):
    """(track id, class, RLE) → one frame."""
    found = Instances(SIZE)
    masks = [torch.from_numpy(mask_util.decode(mask)).bool() for _, _, mask in objects]
    found.pred_masks = torch.stack(masks) if masks else torch.zeros((0, *SIZE), dtype=torch.bool)
    found.class_probs = torch.zeros((len(objects), 3))
    for row, (_, label, _) in zip(found.class_probs, objects, strict=True):
        row[label] = 0.75
    found.track_ids = torch.tensor([k for k, _, _ in objects], dtype=torch.int64)
    return found


FRAMES = {
    6: [
        [(0, PERSON, LEFT)],
        [(0, PERSON, LEFT), (4, CAT, RIGHT)],
        [(4, CAT, RIGHT)],
    ],
    2: [[(0, PERSON, RIGHT)], [(0, PERSON, RIGHT)]],  # the wrong class
}


def inputs(video_id, length):
    return [{"video_id": video_id, "length": length, "height": SIZE[0], "width": SIZE[1]}]


def outputs(video_id):
    return [(instances(*objects) for objects in FRAMES[video_id])]


def evaluated(evaluator, order=(6, 2)):
    evaluator.reset()
    for video_id in order:
        evaluator.process(inputs(video_id, len(FRAMES[video_id])), outputs(video_id))
    return evaluator.evaluate()


def test_results_and_figures(register, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    path = register(ANNOTATIONS)
    out = tmp_path / "out" / "inference"
    figures = evaluated(YTVISEvaluator(NAME, str(out)))

    results = json.loads((out / "results.json").read_text())
    summary = [(r["video_id"], r["category_id"], r["score"]) for r in results]
    assert summary == [(2, 1, 0.75), (6, 1, 0.75), (6, 3, 0.75)]
    assert [r["segmentations"] for r in results[1:]] == [[LEFT, LEFT, None], [None, RIGHT, RIGHT]]
    assert os.listdir(out) == ["results.json"]

    expected = evaluate_ytvis(path, results)
    segm = figures["segm"]
    assert segm["AP"] == pytest.approx(100 * expected["AP"])
    assert segm["AP-person"] == pytest.approx(50)  # behind the wrong one of video 2
    assert segm["AP-cat"] == pytest.approx(100 * 51 / 101)
    assert segm["AR100"] == pytest.approx(75)
    assert math.isnan(segm["AP-unseen"]) and math.isnan(segm["APl"])
    assert set(segm) == {*expected, "AP-person", "AP-cat", "AP-unseen"} - {"per_category"}
    assert "frames/s" in caplog.text and "5 frames" in caplog.text
    assert "| person" in caplog.text


def test_no_output_dir_and_no_results(register):
    register(ANNOTATIONS)
    evaluator = YTVISEvaluator(NAME)
    evaluator.process(inputs(2, 2), [iter([instances(), instances()])])
    figures = evaluator.evaluate()["segm"]
    assert (figures["AP"], figures["AR100"]) == (0, 0)
    assert math.isnan(figures["APm"])


@pytest.mark.parametrize("missing", [False, True])
def test_without_annotations_a_submission(register, tmp_path, caplog, missing):
    caplog.set_level(logging.INFO)
    path = register(None)
    if missing:
        content = json.loads(path.read_text())
        del content["annotations"]
        path.write_text(json.dumps(content))
    out = tmp_path / "out"
    assert evaluated(YTVISEvaluator(NAME, str(out))) == {}
    with zipfile.ZipFile(out / "results.zip") as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.read("results.json") == (out / "results.json").read_bytes()
    assert sorted(os.listdir(out)) == ["results.json", "results.zip"]
    assert "no AP" in caplog.text
    assert evaluated(YTVISEvaluator(NAME)) == {}
    assert "No output_dir" in caplog.text


def test_no_more_than_one_frame_is_kept(register):
    register(ANNOTATIONS)
    seen = []

    def frames():
        for objects in FRAMES[6]:
            assert all(masks() is None for masks in seen[:-1])
            found = instances(*objects)
            seen.append(weakref.ref(found.pred_masks))
            yield found
            del found

    evaluator = YTVISEvaluator(NAME)
    evaluator.process(inputs(6, 3), [frames()])
    assert len(seen) == 3
    assert all(masks() is None for masks in seen)


def test_a_video_that_comes_twice_counts_once(register, tmp_path):
    register(ANNOTATIONS)
    alone = evaluated(YTVISEvaluator(NAME, str(tmp_path / "alone")))
    twice = evaluated(YTVISEvaluator(NAME, str(tmp_path / "twice")), order=(2, 6, 2))
    assert twice["segm"] == pytest.approx(alone["segm"], nan_ok=True)
    read = [(tmp_path / name / "results.json").read_bytes() for name in ("alone", "twice")]
    assert read[0] == read[1]


def test_a_killed_run_leaves_nothing_that_looks_complete(register, tmp_path):
    register(None)
    evaluated(YTVISEvaluator(NAME, str(tmp_path / "out")))
    evaluator = YTVISEvaluator(NAME, str(tmp_path / "out"))
    assert sorted(os.listdir(tmp_path / "out")) == ["results.json", "results.zip"]
    evaluator.process(inputs(6, 3), outputs(6))
    # What a killed process would leave: one line for the video that is done.
    assert os.listdir(tmp_path / "out") == ["results.json.partial-rank0"]
    (line,) = (tmp_path / "out" / "results.json.partial-rank0").read_text().splitlines()
    assert len(json.loads(line)["results"]) == 2
    evaluator.reset()
    assert os.listdir(tmp_path / "out") == []


def with_slots(video_id, slots):
    """Frames of ``FRAMES`` with the slots that fired."""
    for objects, fired in zip(FRAMES[video_id], slots, strict=True):
        found = instances(*objects)
        found.slots = torch.tensor(fired, dtype=torch.int64)
        yield found


@pytest.mark.parametrize("annotated", [True, False])
@pytest.mark.parametrize("labels", [1, 9])
def test_identity_metrics(register, tmp_path, caplog, annotated, labels):
    caplog.set_level(logging.INFO)
    register(ANNOTATIONS if annotated else None)
    evaluator = YTVISEvaluator(
        NAME, str(tmp_path / "out"), labels_per_track=labels, identity_metrics=True
    )
    # Track 0 keeps slot 1; track 4 goes from slot 0 to 2, to which the slot rule gives nothing.
    evaluator.process(inputs(6, 3), [with_slots(6, [[1], [1, 0], [2]])])
    evaluator.process(inputs(2, 2), [with_slots(2, [[3], [3]])])
    figures = evaluator.evaluate()
    assert list(figures) == (["segm", "identity"] if annotated else ["identity"])
    shares = {"slot_kept": pytest.approx(200 / 3), "iou_rescued": pytest.approx(100 / 3)}
    if annotated:  # video 6: all found; video 2: of another category
        detection = 4 / (4 + 2 + 2)
        shares |= {
            "HOTA": pytest.approx(100 * detection**0.5),
            "DetA": pytest.approx(100 * detection),
            "AssA": 100,
            "IDF1": pytest.approx(100 * 2 * 4 / (6 + 6)),
            "IDSW": 0,
            "Frag": 0,
            "flicker": 0,
        }
    assert figures["identity"] == shares
    assert "Identity metrics" in caplog.text


def test_events_where_the_json_has_them(register):
    path = register(ANNOTATIONS)
    content = json.loads(path.read_text())
    content["videos"][0]["events"] = [{"kind": "return", "frames": [1, 1], "tracks": [1]}]
    path.write_text(json.dumps(content))
    events = evaluated(YTVISEvaluator(NAME, identity_metrics=True))["events"]
    assert (events["return-events"], events["return-seen"]) == (1, 0)  # not found after it
    assert events["return-AssA"] == 100 and math.isnan(events["crossing-AssA"])
    assert "events" not in evaluated(YTVISEvaluator(NAME))


def test_identity_metrics_of_a_model_without_slots(register):
    register(ANNOTATIONS)
    identity = evaluated(YTVISEvaluator(NAME, identity_metrics=True))["identity"]
    assert identity["AssA"] == 100
    assert math.isnan(identity["slot_kept"]) and math.isnan(identity["iou_rescued"])
    assert "identity" not in evaluated(YTVISEvaluator(NAME))


def test_labels_per_track(register, tmp_path):
    register(ANNOTATIONS)
    evaluated(YTVISEvaluator(NAME, str(tmp_path), labels_per_track=2))
    assert len(json.loads((tmp_path / "results.json").read_text())) == 6


def test_wrong_outputs(register):
    register(ANNOTATIONS)
    evaluator = YTVISEvaluator(NAME)
    with pytest.raises(ValueError, match="video 6: 2 frames came, expected 3"):
        evaluator.process(inputs(6, 3), outputs(2))
    with pytest.raises(ValueError, match="video 2, frame 2: expected only 2"):
        evaluator.process(inputs(2, 2), outputs(6))
    small = [{"video_id": 2, "length": 2, "height": 20, "width": 31}]
    with pytest.raises(ValueError, match=r"video 2, frame 0: .*\(20, 30\), expected \(20, 31\)"):
        evaluator.process(small, outputs(2))


def test_a_failed_write_leaves_nothing(register, tmp_path, monkeypatch):
    register(ANNOTATIONS)

    def broken(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("rcf_vis.files.os.replace", broken)
    with pytest.raises(OSError, match="disk full"):
        evaluated(YTVISEvaluator(NAME, str(tmp_path / "out")))
    assert os.listdir(tmp_path / "out") == []
