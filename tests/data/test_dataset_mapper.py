"""Clips of videos for training, whole videos for testing."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import transforms as T

from rcf_vis.data import ClipDatasetMapper, DatasetError, LazyFrames
from rcf_vis.data.dataset_mapper import clip_indices

from .clip_data import make_content, object_mask
from .mappers import indices, plain_mapper


@pytest.mark.parametrize(
    ("target", "references", "expected"),
    [
        (5, 0, [5]),
        (5, 1, [4, 5]),
        (5, 3, [2, 3, 4, 5]),
        (1, 3, [0, 0, 0, 1]),
        (0, 2, [0, 0, 0]),
    ],
)
def test_frames_of_a_clip(target, references, expected):
    assert clip_indices(target, references) == expected


def test_a_clip_shows_the_frames_it_names_oldest_first(load, target_is):
    target_is(4)
    record = load(lengths=(6,))[0]
    sample = plain_mapper()(record)
    assert indices(sample) == [2, 3, 4]
    assert (sample["video_id"], sample["height"], sample["width"]) == (1, 48, 64)
    for image, index in zip(sample["image"], indices(sample), strict=True):
        assert image.shape == (3, 48, 64) and image.dtype == torch.uint8
        for channel in range(2):
            expected = object_mask(48, 64, channel, index)
            np.testing.assert_array_equal(image[channel].numpy() == 255, expected)
    assert len(sample["instances"]) == 1
    instances = sample["instances"][0]
    assert instances.image_size == (48, 64)
    assert instances.gt_classes.tolist() == [0, 1] and instances.gt_classes.dtype == torch.int64
    assert instances.gt_ids.tolist() == [10, 11] and instances.gt_ids.dtype == torch.int64
    assert instances.gt_masks.tensor.dtype == torch.bool
    for channel, mask in enumerate(instances.gt_masks):
        np.testing.assert_array_equal(mask.numpy(), object_mask(48, 64, channel, 4))


def test_the_oldest_frame_stands_in_and_is_read_once(load, target_is, monkeypatch):
    from rcf_vis.data import frames

    read, open_image = [], frames.open_image
    monkeypatch.setattr(frames, "open_image", lambda name: read.append(name) or open_image(name))
    target_is(1)
    sample = plain_mapper(references=3)(load(lengths=(6,))[0])
    assert indices(sample) == [0, 0, 0, 1]
    assert [Path(name).stem for name in read] == ["00000", "00001"]
    assert torch.equal(sample["image"][0], sample["image"][2])
    assert not torch.equal(sample["image"][2], sample["image"][3])


def test_a_video_of_one_frame(load):
    sample = plain_mapper(references=3, all_frames=True)(load(lengths=(1,))[0])
    assert indices(sample) == [0] * 7
    assert len(sample["image"]) == 7 and len(sample["instances"]) == 4
    assert [of.gt_ids.tolist() for of in sample["instances"]] == [[10, 11]] * 4


def test_targets_are_uniform_over_the_frames(load):
    mapper, record = plain_mapper(references=0), load(lengths=(4,))[0]
    np.random.seed(0)
    counts = np.bincount([indices(mapper(record))[-1] for _ in range(400)], minlength=4)
    assert len(counts) == 4 and counts.min() > 70, counts  # 100 each expected, deviation 9


def test_an_object_absent_from_the_target_is_not_its_ground_truth(load, target_is):
    record = load(lengths=(6,), absent=((0, 4), (1, 3)))[0]
    target_is(4)
    sample = plain_mapper()(record)
    assert sample["instances"][0].gt_ids.tolist() == [11]
    assert sample["instances"][0].gt_classes.tolist() == [1]  # the label is the object's own
    target_is(3)
    assert plain_mapper()(record)["instances"][0].gt_ids.tolist() == [10]


def test_each_frame_has_its_own_ground_truth_under_order_supervision(load, target_is):
    target_is(4)
    record = load(lengths=(6,), absent=((0, 4), (1, 3)))[0]
    sample = plain_mapper(all_frames=True)(record)
    assert indices(sample) == [0, 1, 2, 3, 4]  # frames 2, 3 and 4 with two references each
    assert [of.gt_ids.tolist() for of in sample["instances"]] == [[10, 11], [10], [11]]
    for image, of in zip(sample["image"][2:], sample["instances"], strict=True):
        for track, mask in zip(of.gt_ids.tolist(), of.gt_masks, strict=True):
            assert torch.equal(image[track - 10] == 255, mask)


def test_as_many_supervised_frames_as_are_asked_for(load, target_is, cfg):
    target_is(5)
    sample = plain_mapper(1, num_supervised=3)(load(lengths=(6,), absent=((0, 4),))[0])
    assert indices(sample) == [2, 3, 4, 5]  # frames 3, 4 and 5, and one before them
    assert [of.gt_ids.tolist() for of in sample["instances"]] == [[10, 11], [11], [10, 11]]
    cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES, cfg.MODEL.RCF.ORDER_SUPERVISION = 4, True
    assert len(ClipDatasetMapper(cfg, is_train=True)(load()[0])["instances"]) == 4
    with pytest.raises(ValueError, match="MODEL.RCF.NUM_SUPERVISED_FRAMES is -1, expected 0"):
        plain_mapper(1, num_supervised=-1)


def test_no_object_at_all(load, target_is):
    target_is(2)
    record = load(lengths=(6,), absent=((0, 2), (1, 2)))[0]
    instances = plain_mapper()(record)["instances"][0]
    assert len(instances) == 0 and instances.gt_masks.tensor.shape == (0, 48, 64)
    assert instances.gt_classes.shape == instances.gt_ids.shape == (0,)


def test_crowds_are_dropped(load, target_is):
    target_is(3)
    content = make_content()
    content["annotations"][0]["iscrowd"] = 1
    assert plain_mapper()(load(content)[0])["instances"][0].gt_ids.tolist() == [11]


def test_an_object_that_the_crop_has_removed_is_not_ground_truth(load, target_is):
    class CropRight(T.Augmentation):
        def get_transform(self, image):
            return T.CropTransform(22, 0, 42, 48)

    target_is(0)
    mapper = ClipDatasetMapper(is_train=True, augmentations=[CropRight()], num_reference_frames=0)
    sample = mapper(load()[0])
    assert sample["image"][0].shape == (3, 48, 42)
    instances = sample["instances"][0]  # object 10 ends at x = 20, object 11 at x = 27
    assert instances.gt_ids.tolist() == [11] and instances.image_size == (48, 42)
    assert instances.gt_masks.tensor.sum() == 13 * 5


def test_pictures_and_ground_truth_stay_together_from_the_config(load, cfg):
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", (32, 40)
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.RANDOM_FLIP = (32, 64), "horizontal"
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES, cfg.MODEL.RCF.ORDER_SUPERVISION = 2, True
    mapper, record = ClipDatasetMapper(cfg, is_train=True), load(lengths=(5,))[0]
    np.random.seed(1)
    shapes = set()
    for _ in range(25):
        sample = mapper(record)
        assert len(sample["image"]) == 5 and len(sample["instances"]) == 3
        for image, of in zip(sample["image"][2:], sample["instances"], strict=True):
            masks = dict(zip(of.gt_ids.tolist(), of.gt_masks, strict=True))
            for channel in range(2):
                painted = image[channel] > 127
                assert torch.equal(masks.get(10 + channel, torch.zeros_like(painted)), painted)
            assert tuple(image.shape[1:]) == of.image_size
        shapes.add(of.image_size)
    assert shapes == {(32, 40), (64, 80)}


def test_the_record_is_not_changed(load):
    record = load()[0]
    before = copy.deepcopy(record)
    plain_mapper()(record)
    ClipDatasetMapper(is_train=False, augmentations=[T.ResizeShortestEdge(24)])(record)
    assert record == before


def test_the_test_sample_is_the_whole_video_and_lazy(load, cfg):
    cfg.INPUT.MIN_SIZE_TEST = 24
    sample = ClipDatasetMapper(cfg, is_train=False)(load(lengths=(6,))[0])
    assert set(sample) == {"video_id", "height", "width", "length", "file_names", "image"}
    assert sample["length"] == len(sample["file_names"]) == len(sample["image"]) == 6
    assert isinstance(sample["image"], LazyFrames)
    assert sample["image"][5].shape == (3, 24, 32)


def test_rgb(load, target_is):
    target_is(0)
    mapper = ClipDatasetMapper(
        is_train=True, augmentations=[], image_format="RGB", num_reference_frames=0
    )
    image = mapper(load()[0])["image"][0].numpy()
    np.testing.assert_array_equal(image[2] == 255, object_mask(48, 64, 0, 0))


def test_bad_frames_and_records_are_named(load, target_is):
    record = load()[0]
    target_is(3)
    Path(record["file_names"][2]).write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(DatasetError, match=r"video 1, frame .*00002\.png"):
        plain_mapper()(record)
    Path(record["file_names"][2]).unlink()
    with pytest.raises(FileNotFoundError, match=r"video 1, frame .*00002\.png"):
        plain_mapper()(record)
    with pytest.raises(DatasetError, match=r"00003\.png.*64x48.*expected 64x50"):
        plain_mapper(references=0)({**record, "height": 50})
    record["annotations"][3][1]["segmentation"] = {"size": [4, 4], "counts": "`0"}
    with pytest.raises(DatasetError, match=r"video 1, frame .*00003\.png.*\[10, 11\]"):
        plain_mapper(references=0)(record)
    del record["annotations"]
    with pytest.raises(DatasetError, match="video 1: training needs annotations"):
        plain_mapper()(record)


def test_bad_arguments_are_refused(cfg):
    with pytest.raises(ValueError, match="INPUT.FORMAT is 'L'"):
        cfg.INPUT.FORMAT = "L"
        ClipDatasetMapper(cfg)
    with pytest.raises(ValueError, match="num_reference_frames is -1"):
        plain_mapper(references=-1)
    with pytest.raises(ValueError, match="one augmentation"):
        ClipDatasetMapper(is_train=False, augmentations=[])
