"""Tracks in other tools' formats, read back by those tools, or by the published rules."""

import json
import logging

import numpy as np
import pytest
import torch
from detectron2.data import Metadata
from detectron2.structures import Instances
from pycocotools import mask as mask_util
from pycocotools.coco import COCO

from rcf_vis.data import load_ytvis_json
from rcf_vis.evaluation import TrackAccumulator, evaluate_ytvis
from rcf_vis.evaluation.exports import write_tracks

H, W = 12, 16
METADATA = Metadata(thing_classes=["cow", "duck"], thing_dataset_id_to_contiguous_id={3: 0, 7: 1})


def box(top, left, bottom, right):
    mask = np.zeros((H, W), bool)
    mask[top:bottom, left:right] = True
    return mask


# Frame by frame: track id → mask, probabilities of the classes. The two overlap in frame 1.
FRAMES = [
    {4: (box(0, 0, 6, 6), (0.7, 0.2))},
    {4: (box(1, 1, 7, 7), (0.7, 0.2)), 9: (box(4, 4, 10, 12), (0.1, 0.9))},
    {},
    {9: (box(4, 6, 10, 14), (0.1, 0.8))},
]
TRUTHS = {4: (3, 0.7), 9: (7, 0.85)}


@pytest.fixture
def tracks():
    made = TrackAccumulator(video_id=5)
    for frame in FRAMES:
        instances = Instances((H, W))
        masks = [mask for mask, _ in frame.values()] or np.zeros((0, H, W), bool)
        instances.pred_masks = torch.from_numpy(np.array(masks))
        instances.class_probs = torch.tensor([p for _, p in frame.values()]).reshape(-1, 2)
        instances.track_ids = torch.tensor(list(frame), dtype=torch.int64)
        made.add(instances)
    return made


def test_ytvis(tracks, tmp_path):
    write_tracks("ytvis", tmp_path / "a.json", tracks, METADATA, labels_per_track=2)
    results = json.loads((tmp_path / "a.json").read_text())
    assert results == tracks.results({0: 3, 1: 7}, 2)
    write_tracks("coco", tmp_path / "b.json", tracks, METADATA, labels_per_track=2)
    truth = json.loads((tmp_path / "b.json").read_text())
    assert evaluate_ytvis(truth, tracks.results({0: 3, 1: 7}))["AP"] == 1.0


def test_coco(tracks, tmp_path):
    write_tracks("coco", tmp_path / "out.json", tracks, METADATA)
    coco = COCO(tmp_path / "out.json")
    assert coco.getImgIds() == [1, 2, 3, 4]
    assert {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())} == {3: "cow", 7: "duck"}
    for number, frame in enumerate(FRAMES, 1):
        found = coco.loadAnns(coco.getAnnIds([number]))
        assert len(found) == len(frame)
        for annotation, (track, (mask, _)) in zip(found, frame.items(), strict=True):
            np.testing.assert_array_equal(coco.annToMask(annotation), mask)
            rows, columns = np.nonzero(mask)
            expected = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert annotation["bbox"] == expected and annotation["area"] == mask.sum()
            assert annotation["category_id"] == TRUTHS[track][0]
            assert annotation["score"] == pytest.approx(TRUTHS[track][1])
    assert coco.loadRes(coco.dataset["annotations"]).getImgIds() == [1, 2, 3, 4]


def test_coco_is_read_as_one_video_here(tracks, tmp_path):
    write_tracks("coco", tmp_path / "out.json", tracks, METADATA)
    (record,) = load_ytvis_json(str(tmp_path / "out.json"), str(tmp_path))
    assert (record["video_id"], record["length"], record["height"]) == (5, 4, H)
    assert [[item["id"] for item in frame] for frame in record["annotations"]] == [
        [1],
        [1, 2],
        [],
        [2],
    ]


def test_mots(tracks, tmp_path):
    """Frame, track, class, height, width, run lengths; the better score has what two share."""
    write_tracks("mots", tmp_path / "out.txt", tracks, METADATA)
    found = {}
    for line in (tmp_path / "out.txt").read_text().splitlines():
        frame, track, category, height, width, counts = line.split(" ")
        mask = mask_util.decode({"size": [int(height), int(width)], "counts": counts.encode()})
        found[int(frame), int(track)] = int(category), mask
    assert list(found) == [(0, 1), (1, 2), (1, 1), (3, 2)]
    shared = FRAMES[1][4][0] & FRAMES[1][9][0]
    assert shared.sum() == 9
    expected = {
        (0, 1): (3, FRAMES[0][4][0]),
        (1, 1): (3, FRAMES[1][4][0] & ~shared),
        (1, 2): (7, FRAMES[1][9][0]),
        (3, 2): (7, FRAMES[3][9][0]),
    }
    for key, (category, mask) in expected.items():
        assert found[key][0] == category
        np.testing.assert_array_equal(found[key][1], mask)


def test_a_hidden_mask_is_no_line_of_mots(tmp_path):
    made = TrackAccumulator(video_id=1)
    instances = Instances((H, W))
    instances.pred_masks = torch.from_numpy(np.array([box(2, 2, 4, 4), box(0, 0, 9, 9)]))
    instances.class_probs = torch.tensor([[0.5, 0.1], [0.6, 0.1]])
    instances.track_ids = torch.tensor([0, 1])
    made.add(instances)
    write_tracks("mots", tmp_path / "out.txt", made, METADATA)
    assert [line[:3] for line in (tmp_path / "out.txt").read_text().splitlines()] == ["0 2"]


def test_nothing_found_and_no_such_format(tmp_path, caplog):
    made = TrackAccumulator(video_id=1)
    instances = Instances((H, W))
    instances.pred_masks = torch.zeros((0, H, W), dtype=torch.bool)
    instances.class_probs, instances.track_ids = torch.zeros((0, 2)), torch.zeros(0).long()
    made.add(instances)
    for kind, expected in (("ytvis", "[]"), ("mots", "")):
        write_tracks(kind, tmp_path / kind, made, METADATA)
        assert (tmp_path / kind).read_text() == expected
    write_tracks("coco", tmp_path / "c.json", made, METADATA)
    with caplog.at_level(logging.ERROR):
        assert len(load_ytvis_json(str(tmp_path / "c.json"), "")) == 1
    with pytest.raises(ValueError, match="no format 'csv' to export; expected ytvis, coco, mots"):
        write_tracks("csv", tmp_path / "d", made, METADATA)
    assert not (tmp_path / "d").exists()
