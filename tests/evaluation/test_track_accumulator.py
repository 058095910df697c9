import json

import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.structures import Instances

from rcf_vis.evaluation import TrackAccumulator

SIZE = (6, 8)


def frame(*objects, size=SIZE):
    """Instances from (track id, class probabilities, number of rows that the mask covers)."""
    instances = Instances(size)
    masks = torch.zeros((len(objects), *size), dtype=torch.bool)
    for mask, (_, _, rows) in zip(masks, objects, strict=True):
        mask[:rows] = True
    probabilities = torch.tensor([p for _, p, _ in objects], dtype=torch.float32).reshape(-1, 3)
    instances.pred_masks = masks
    instances.class_probs = probabilities
    if len(objects):
        instances.scores, instances.pred_classes = probabilities.max(-1)
    instances.track_ids = torch.tensor([k for k, _, _ in objects], dtype=torch.int64)
    return instances


def accumulate(*frames, **kwargs):
    tracks = TrackAccumulator(video_id=4, **kwargs)
    for instances in frames:
        tracks.add(instances)
    return tracks


def rows_of(result):
    """Rows that the mask covers in each frame, None where it is null."""
    width = SIZE[1]
    return [s and int(mask_util.area(s)) // width for s in result["segmentations"]]


def test_tracks_with_gaps_and_mean_of_probabilities():
    tracks = accumulate(
        frame((7, [0.5, 0.25, 0.0], 2)),
        frame((3, [0.0, 0.0, 1.0], 1), (7, [0.0, 0.75, 0.25], 3)),
        frame(),
        frame((7, [0.25, 0.5, 0.0], 4)),
    )
    assert len(tracks) == 4
    first, second = tracks.results({0: 10, 1: 20, 2: 5})
    assert (first["video_id"], first["category_id"], first["score"]) == (4, 20, 0.5)
    assert rows_of(first) == [2, 3, None, 4]
    assert (second["category_id"], second["score"]) == (5, 1.0)
    assert rows_of(second) == [None, 1, None, None]
    assert json.loads(json.dumps([first, second])) == [first, second]
    assert first["segmentations"][0]["size"] == [6, 8]


def test_masks_are_exact():
    instances = frame((0, [1.0, 0.0, 0.0], 0))
    instances.pred_masks = torch.rand(1, *SIZE) > 0.5
    (result,) = accumulate(instances).results([1, 2, 3])
    decoded = mask_util.decode(result["segmentations"][0])
    assert (torch.from_numpy(decoded).bool() == instances.pred_masks[0]).all()


def test_several_labels_a_track():
    tracks = accumulate(frame((0, [0.25, 0.5, 0.25], 2)))
    results = tracks.results([1, 2, 3], labels_per_track=2)
    assert [(r["category_id"], r["score"]) for r in results] == [(2, 0.5), (1, 0.25)]
    assert results[0]["segmentations"] == results[1]["segmentations"]
    assert len(tracks.results([1, 2, 3], labels_per_track=9)) == 3


def test_mask_without_a_pixel_is_absent_but_its_probability_counts():
    tracks = accumulate(
        frame((0, [1.0, 0.0, 0.0], 2), (1, [1.0, 0.0, 0.0], 0)), frame((0, [0.5, 0.0, 0.0], 0))
    )
    (result,) = tracks.results([1, 2, 3])
    assert rows_of(result) == [2, None]
    assert result["score"] == 0.75


def test_slots_are_counted_where_there_are_any():
    frames = [frame((7, [0.5, 0.25, 0.0], 2)) for _ in range(3)]
    assert accumulate(*frames).slot_counts == (0, 0, 0)
    for instances, slot in zip(frames, (4, 4, 1), strict=True):
        instances.slots = torch.tensor([slot])
    assert accumulate(*frames).slot_counts == (2, 1, 1)


def test_video_without_tracks():
    assert accumulate(frame(), frame()).results([1, 2, 3]) == []
    assert accumulate().results([1, 2, 3]) == []


def test_errors_name_the_video():
    one = frame((0, [1.0, 0.0, 0.0], 1))
    with pytest.raises(ValueError, match="video 4: 1 frames came, expected 2"):
        accumulate(one, num_frames=2).results([1, 2, 3])
    with pytest.raises(ValueError, match="video 4, frame 1: expected only 1"):
        accumulate(one, one, num_frames=1)
    with pytest.raises(ValueError, match=r"video 4, frame 1: size \(6, 9\), expected .*\(6, 8\)"):
        accumulate(one, frame(size=(6, 9)))
    with pytest.raises(ValueError, match=r"frame 0: track_ids \[0, 0\]"):
        accumulate(frame((0, [1.0, 0.0, 0.0], 1), (0, [1.0, 0.0, 0.0], 1)))
    with pytest.raises(ValueError, match="video 4: the model has 3 classes, the data set 2"):
        accumulate(one).results([1, 2])
