"""One draw a clip: pictures and masks go the same way, pixel by pixel."""

import numpy as np
import pytest
import torch
from detectron2.data import transforms as T

from rcf_vis.data import (
    augment_clip,
    build_test_augmentation,
    build_train_augmentation,
    frame_to_tensor,
)

from .clip_data import object_mask


def painted_clip(length: int = 4) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Frames whose channel c is 255 where object c is, and the objects' masks."""
    masks = [
        [object_mask(48, 64, channel, frame).astype(np.uint8) for channel in range(3)]
        for frame in range(length)
    ]
    return [np.stack(of, axis=-1) * 255 for of in masks], masks


def test_what_is_built_from_the_config(cfg):
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (40, 50), 99
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", (30, 20)
    for flip, kinds in (("none", []), ("horizontal", [True, False]), ("vertical", [False, True])):
        cfg.INPUT.RANDOM_FLIP = flip
        crop, resize, *flips = build_train_augmentation(cfg)
        assert isinstance(crop, T.RandomCrop) and crop.crop_size == (30, 20)
        assert isinstance(resize, T.ResizeShortestEdge)
        assert (resize.short_edge_length, resize.max_size) == ((40, 50), 99)
        assert [kind for f in flips for kind in (f.horizontal, f.vertical)] == kinds
    cfg.INPUT.CROP.ENABLED = False
    assert isinstance(build_train_augmentation(cfg)[0], T.ResizeShortestEdge)
    cfg.INPUT.RANDOM_FLIP = "diagonal"
    with pytest.raises(ValueError, match=r"RANDOM_FLIP is 'diagonal', expected none"):
        build_train_augmentation(cfg)


def test_frames_and_masks_stay_together_through_every_draw(cfg):
    """Crop to 32x40, then short side 32 or 64: exact factors 1 and 2, where bilinear pictures
    thresholded at one half equal nearest masks in every pixel."""
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", (32, 40)
    cfg.INPUT.MIN_SIZE_TRAIN = (32, 64)
    cfg.INPUT.RANDOM_FLIP = "horizontal"
    augmentations = build_train_augmentation(cfg)
    frames, masks = painted_clip()
    np.random.seed(0)
    seen = set()
    for _ in range(40):
        images, moved = augment_clip(augmentations, frames, masks)
        assert len({image.shape for image in images}) == 1
        for image, of in zip(images, moved, strict=True):
            for channel, mask in enumerate(of):
                np.testing.assert_array_equal(image[..., channel] > 127, mask > 0)
        seen.add((images[0].shape, images[0].tobytes()))
    assert {shape for shape, _ in seen} == {(32, 40, 3), (64, 80, 3)}
    assert len(seen) > 30  # and it is drawn anew for each clip


def test_the_draw_is_made_once_a_clip():
    class Counting(T.Augmentation):
        draws = 0

        def get_transform(self, image):
            Counting.draws += 1
            return T.HFlipTransform(image.shape[1])

    frames, masks = painted_clip(5)
    images, moved = augment_clip([Counting()], frames, masks)
    assert Counting.draws == 1
    for before, after in zip(frames, images, strict=True):
        np.testing.assert_array_equal(after, before[:, ::-1])
    np.testing.assert_array_equal(moved[4][2], masks[4][2][:, ::-1])


def test_numpy_s_global_generator_decides(cfg):
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.RANDOM_FLIP = True, "horizontal"
    augmentations = build_train_augmentation(cfg)
    frames, masks = painted_clip()
    results = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        results.append(augment_clip(augmentations, frames, masks)[0][2].tobytes())
    assert results[0] == results[1] != results[2]


def test_a_whole_clip_without_masks(cfg):
    images, moved = augment_clip(build_train_augmentation(cfg), painted_clip(2)[0], [[], []])
    assert moved == [[], []] and images[1].shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("size", "expected"),
    [((720, 1280), (360, 640)), ((480, 640), (360, 480)), ((100, 400), (160, 640))],
)
def test_the_test_time_resize(cfg, size, expected):
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 360, 640
    image = np.zeros((*size, 3), dtype=np.uint8)
    resized = build_test_augmentation(cfg).get_transform(image).apply_image(image)
    assert frame_to_tensor(resized).shape == (3, *expected)


def test_frame_to_tensor_has_memory_of_its_own():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    for array in (image, image[..., ::-1], np.asfortranarray(image), image.transpose(1, 0, 2)):
        tensor = frame_to_tensor(array)
        assert tensor.dtype == torch.uint8 and tensor.is_contiguous()
        np.testing.assert_array_equal(tensor.numpy(), array.transpose(2, 0, 1))
        before = array.copy()
        tensor += 1
        np.testing.assert_array_equal(array, before)
