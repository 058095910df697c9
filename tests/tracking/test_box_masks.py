"""Masks in boxes against dense ones and pycocotools."""

import copy
import pickle

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances
from pycocotools import mask as mask_util

from rcf_vis.tracking import BoxMasks, TrackInstances, box_masks_of


def some_masks(count=40, seed=0):
    """(N, H, W) of many sizes and densities, also empty, full, and with full columns."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        height, width = rng.integers(1, 25, size=2)
        masks = rng.random((4, height, width)) < rng.choice([0.05, 0.5, 0.95])
        masks[1] = number % 2
        masks[2] = False
        masks[2, :, width // 3 : 1 + width // 2] = True  # a run goes on in the next column
        yield masks


def test_dense_and_back():
    for masks in some_masks():
        found = BoxMasks.from_dense(torch.from_numpy(masks))
        np.testing.assert_array_equal(found.array(), masks)
        assert torch.equal(found.dense(), torch.from_numpy(masks))
        np.testing.assert_array_equal(found.areas(), masks.sum((1, 2)))
        for mask, (x0, y0, x1, y1) in zip(masks, found.boxes, strict=True):
            rows, columns = np.nonzero(mask)
            tight = (
                (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if len(rows) else 0
            )
            assert (x0, y0, x1, y1) == (tight or (0, 0, 0, 0))


def test_rle_is_that_of_pycocotools():
    for masks in some_masks():
        rles = BoxMasks.from_dense(torch.from_numpy(masks)).rles()
        for found, mask in zip(rles, masks, strict=True):
            expected = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
            if not mask.any():
                assert found is None
            else:
                assert found["size"] == list(mask.shape)
                assert found["counts"] == expected["counts"].decode()


def test_iou_counts_pixels():
    for masks in some_masks():
        both = [BoxMasks.from_dense(torch.from_numpy(part)) for part in (masks, masks[1:])]
        found = both[0].iou(both[1])
        for i, one in enumerate(masks):
            for j, other in enumerate(masks[1:]):
                expected = (one & other).sum() / max((one | other).sum(), 1)
                assert found[i, j] == pytest.approx(expected, rel=1e-6)


def test_two_empty_masks_have_nothing_in_common():
    empty = BoxMasks.from_dense(torch.zeros(1, 3, 3, dtype=torch.bool))
    assert empty.iou(empty) == 0
    none = BoxMasks.from_dense(torch.zeros(0, 3, 3, dtype=torch.bool))
    assert len(none) == 0 and none.rles() == [] and none.iou(empty).shape == (0, 1)
    assert none.dense().shape == (0, 3, 3)


def test_some_of_them():
    masks = torch.from_numpy(next(some_masks()))
    found = BoxMasks.from_dense(masks)
    for item in (
        1,
        -1,
        slice(1, 3),
        torch.tensor([2, 0]),
        torch.tensor([True, False, True, False]),
        np.array([3, 1]),
    ):
        expected = masks[[item]] if isinstance(item, int) else masks[item]
        assert torch.equal(found[item].dense(), expected)
    with pytest.raises(IndexError, match="mask 4 of 4"):
        found[4]


def instances():
    masks = torch.from_numpy(next(some_masks()))
    made = TrackInstances(tuple(masks.shape[1:]))
    made.pred_masks = BoxMasks.from_dense(masks)
    made.scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    made.pred_boxes = Boxes(torch.tensor(box_masks_of(made).boxes).float())
    return made, masks


def is_dense(of):
    return isinstance(vars(of)["_fields"]["pred_masks"], torch.Tensor)


def test_masks_are_dense_for_who_asks():
    made, masks = instances()
    assert box_masks_of(made).size == masks.shape[1:] and len(made) == 4 and not is_dense(made)
    chosen, moved = made[made.scores > 0.65], made.to("cpu")
    assert not is_dense(made) and not is_dense(chosen) and not is_dense(moved)
    assert torch.equal(chosen.pred_masks, masks[:3])
    assert torch.equal(moved.get("pred_masks"), masks)
    assert torch.equal(made.get_fields()["pred_masks"], masks)
    assert is_dense(made) and made.pred_masks is made.pred_masks
    for same in (copy.deepcopy(instances()[0]), pickle.loads(pickle.dumps(instances()[0]))):
        assert torch.equal(same.pred_masks, masks)
    joint = Instances.cat([instances()[0], instances()[0]])
    assert torch.equal(joint.pred_masks, torch.cat((masks, masks)))


def test_what_is_written_into_them_stays():
    made, _ = instances()
    made.pred_masks[1] = True
    assert made.pred_masks[1].all() and box_masks_of(made).areas()[1] == made.pred_masks[1].numel()
    plain = Instances(made.image_size, pred_masks=made.pred_masks)
    assert torch.equal(box_masks_of(plain).dense(), made.pred_masks)
