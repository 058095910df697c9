import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances

from rcf_vis import to_supervision

supervision = pytest.importorskip("supervision")


def instances(count):
    made = Instances((20, 30))
    made.pred_masks = torch.zeros((count, 20, 30), dtype=torch.bool)
    for k in range(count):
        made.pred_masks[k, 2 + k : 10, 3 : 12 + k] = True
    made.pred_boxes = Boxes(
        torch.tensor([[3.0, 2 + k, 12 + k, 10] for k in range(count)]).view(-1, 4)
    )
    made.scores = torch.tensor([0.9, 0.8, 0.7][:count])
    made.pred_classes = torch.tensor([1, 0, 1][:count], dtype=torch.int64)
    made.track_ids = torch.tensor([4, 2, 11][:count], dtype=torch.int64)
    return made


def test_what_is_found_is_there():
    given = instances(3)
    found = to_supervision(given, ["cat", "dog"])
    np.testing.assert_array_equal(found.mask, given.pred_masks)
    np.testing.assert_array_equal(found.xyxy, given.pred_boxes.tensor)
    np.testing.assert_array_equal(found.confidence, given.scores)
    assert found.class_id.tolist() == [1, 0, 1] and found.tracker_id.tolist() == [4, 2, 11]
    assert found["class_name"].tolist() == ["dog", "cat", "dog"]
    assert "class_name" not in to_supervision(given).data
    # By masks and boxes alike
    np.testing.assert_array_equal(supervision.mask_to_xyxy(found.mask) + (0, 0, 1, 1), found.xyxy)


def test_its_annotators_and_counters_take_them():
    frame = np.zeros((20, 30, 3), np.uint8)
    drawn = supervision.MaskAnnotator().annotate(frame.copy(), to_supervision(instances(2)))
    assert drawn[5, 5].any() and not drawn[15, 20].any()
    line = supervision.LineZone(
        supervision.Point(15, 0), supervision.Point(15, 20), minimum_crossing_threshold=1
    )
    for shift in (0, 14):
        moved = instances(1)
        moved.pred_boxes.tensor[:, 0::2] += shift
        line.trigger(to_supervision(moved))
    assert line.in_count + line.out_count == 1


def test_nothing_found():
    found = to_supervision(instances(0), ["cat", "dog"])
    assert len(found) == 0 and found.mask.shape == (0, 20, 30)
    assert supervision.MaskAnnotator().annotate(np.zeros((20, 30, 3), np.uint8), found).sum() == 0
