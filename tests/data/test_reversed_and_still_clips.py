"""Clips that run backwards in time, and clips that are made of a still image."""

import numpy as np
import pytest
import torch
from detectron2.data import transforms as T

from rcf_vis.data import ClipDatasetMapper
from rcf_vis.data.dataset_mapper import clip_indices
from rcf_vis.data.pseudo_clip import AffineTransform

from .clip_data import object_mask
from .mappers import indices, plain_mapper


class Slide(T.Augmentation):
    """A still image moves to the right by so many pixels more in each frame."""

    def __init__(self, step: int) -> None:
        self.step, self.offset = step, 0

    def get_transform(self, image):
        self.offset += self.step
        return AffineTransform(np.array([[1.0, 0, self.offset], [0, 1, 0]]))


@pytest.mark.parametrize(
    ("target", "references", "expected"),
    [(0, 2, [2, 1, 0]), (3, 2, [5, 4, 3]), (4, 3, [5, 5, 5, 4]), (5, 2, [5, 5, 5]), (2, 0, [2])],
)
def test_reversed_clips_come_from_after_the_target(
    load, target_is, monkeypatch, target, references, expected
):
    target_is(target)
    monkeypatch.setattr(np.random, "rand", lambda: 0.49)
    sample = plain_mapper(references, time_reversal=True)(load(lengths=(6,))[0])
    assert indices(sample) == expected
    assert len(sample["instances"]) == 1
    for channel, mask in enumerate(sample["instances"][0].gt_masks):
        np.testing.assert_array_equal(mask.numpy(), object_mask(48, 64, channel, target))
    for image, index in zip(sample["image"], expected, strict=True):
        np.testing.assert_array_equal(image[0].numpy() == 255, object_mask(48, 64, 0, index))
    monkeypatch.setattr(np.random, "rand", lambda: 0.5)
    sample = plain_mapper(references, time_reversal=True)(load(lengths=(6,))[0])
    assert indices(sample) == clip_indices(target, references)


def test_reversed_frames_keep_their_ground_truth(load, target_is, monkeypatch):
    target_is(2)
    monkeypatch.setattr(np.random, "rand", lambda: 0.0)
    record = load(lengths=(6,), absent=((0, 3), (1, 4)))[0]
    sample = plain_mapper(all_frames=True, time_reversal=True)(record)
    assert indices(sample) == [5, 5, 4, 3, 2]
    assert [of.gt_ids.tolist() for of in sample["instances"]] == [[10], [11], [10, 11]]


def test_half_of_the_clips_are_reversed_and_none_by_default(load, cfg):
    record = load(lengths=(9,))[0]

    def is_reversed(mapper):
        first, last = indices(mapper(record))
        return first > last

    np.random.seed(0)
    assert not any(is_reversed(ClipDatasetMapper(cfg)) for _ in range(20))
    cfg.INPUT.TIME_REVERSAL = True
    mapper = ClipDatasetMapper(cfg)
    share = np.mean([is_reversed(mapper) for _ in range(150)])  # where 8 of 9 clips show it
    assert share == pytest.approx(0.5 * 8 / 9, abs=0.13)


def test_a_still_image_becomes_a_clip(load):
    record = {**load(lengths=(1,))[0], "still_image": True}
    for all_frames in (False, True):
        sample = plain_mapper(all_frames=all_frames, still_motion=Slide(4))(record)
        num_frames = 5 if all_frames else 3
        assert sample["file_names"] == record["file_names"] * num_frames
        assert len(sample["image"]) == num_frames
        assert len(sample["instances"]) == (3 if all_frames else 1)
        for age, image in zip((4, 8, 12, 16, 20), sample["image"], strict=False):
            expected = np.roll(object_mask(48, 64, 0, 0), age, axis=1)
            np.testing.assert_array_equal(image[0].numpy() == 255, expected)
        for image, of in zip(sample["image"][::-1], sample["instances"][::-1], strict=False):
            assert of.gt_ids.tolist() == [10, 11] and of.gt_classes.tolist() == [0, 1]
            for channel, mask in enumerate(of.gt_masks):
                assert torch.equal(image[channel] == 255, mask)


def test_an_object_pushed_out_of_the_target_is_not_its_ground_truth(load):
    record = {**load(lengths=(1,))[0], "still_image": True}
    sample = plain_mapper(references=1, all_frames=True, still_motion=Slide(17))(record)
    # object 11 begins at x = 15, object 10 at x = 6: at 51 the one is out, the other not yet
    assert [of.gt_ids.tolist() for of in sample["instances"]] == [[10, 11], [10]]
    target = plain_mapper(still_motion=Slide(17))(record)["instances"]
    assert len(target) == 1 and target[0].gt_ids.tolist() == [10]
    assert target[0].gt_masks.tensor.shape == (1, 48, 64)


def test_a_video_of_one_frame_does_not_move(load):
    record = load(lengths=(1,))[0]
    sample = plain_mapper(still_motion=Slide(4))(record)
    assert torch.equal(sample["image"][0], sample["image"][2])


def test_pseudo_clips_from_the_config_keep_image_and_masks_together(load, cfg):
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES, cfg.MODEL.RCF.ORDER_SUPERVISION = 2, True
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (96,), 200
    record = {**load(lengths=(1,), size=(96, 128))[0], "still_image": True}

    def draw(seed):
        np.random.seed(seed)
        return ClipDatasetMapper(cfg)(record)

    first, again, other = draw(0), draw(0), draw(1)
    assert all(map(torch.equal, first["image"], again["image"]))
    assert not torch.equal(first["image"][-1], other["image"][-1])
    assert not torch.equal(first["image"][0], first["image"][1])
    for image, of in zip(first["image"][2:], first["instances"], strict=True):
        for track, mask in zip(of.gt_ids.tolist(), of.gt_masks, strict=True):
            painted = image[track - 10] > 127
            assert (painted & mask).sum() / (painted | mask).sum() > 0.85  # small: mostly outline
    cfg.INPUT.PSEUDO_CLIP.CROP = 0.0
    with pytest.raises(ValueError, match=r"INPUT\.PSEUDO_CLIP\.CROP"):
        ClipDatasetMapper(cfg)


@pytest.mark.parametrize(
    ("target", "backwards", "expected"),
    [(7, False, [1, 4, 7]), (2, False, [2, 2, 2]), (4, False, [1, 1, 4]), (2, True, [8, 5, 2])],
)
def test_clips_of_every_third_frame(load, monkeypatch, target, backwards, expected):
    draws = iter([target, 3])  # the target, and the stride
    monkeypatch.setattr(np.random, "randint", lambda *args: next(draws))
    monkeypatch.setattr(np.random, "rand", lambda: 0.0)
    mapper = plain_mapper(2, max_stride=3, time_reversal=backwards)
    assert indices(mapper(load(lengths=(9,))[0])) == expected


def test_strides_up_to_the_largest(load, cfg):
    cfg.INPUT.MAX_FRAME_STRIDE = 3
    record, mapper = load(lengths=(40,))[0], ClipDatasetMapper(cfg, is_train=True)
    seen = {tuple(np.diff(indices(mapper(record)))) for _ in range(60)}
    assert {step for steps in seen for step in steps} == {0, 1, 2, 3}
    cfg.INPUT.MAX_FRAME_STRIDE = 0
    with pytest.raises(ValueError, match=r"INPUT.MAX_FRAME_STRIDE is 0, expected 1 or more"):
        ClipDatasetMapper(cfg, is_train=True)
