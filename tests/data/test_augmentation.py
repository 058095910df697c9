"""One draw a clip: pictures and masks go the same way, pixel by pixel."""

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import transforms as T

from rcf_vis import add_rcf_config
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


def moving_disc(length: int = 3) -> tuple[list[np.ndarray], list[list[np.ndarray]]]:
    """Frames (120, 160, 3) with a white disc that moves, and its mask."""
    y, x = np.mgrid[:120, :160]
    masks = [
        ((y - 60) ** 2 + (x - 70 - 8 * t) ** 2 < 35**2).astype(np.uint8) for t in range(length)
    ]
    return [np.repeat(mask[..., None] * 255, 3, axis=2) for mask in masks], [[m] for m in masks]


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / max((one | other).sum(), 1)


GEOMETRY = {
    "relative": {"CROP.ENABLED": True, "CROP.TYPE": "relative", "CROP.SIZE": [0.7, 0.8]},
    "relative_range": {"CROP.ENABLED": True, "CROP.SIZE": [0.6, 0.6]},
    "absolute": {"CROP.ENABLED": True, "CROP.TYPE": "absolute", "CROP.SIZE": [90, 500]},
    "detr": {
        "CROP.ENABLED": True,
        "CROP.TYPE": "absolute_range",
        "CROP.SIZE": [80, 110],
        "CROP.MIN_SIZE": [100, 150],
        "CROP.PROB": 0.5,
    },
    "rotation": {"ROTATION": 45.0, "RANDOM_FLIP": "vertical"},
    "large-scale jitter": {
        "LSJ.ENABLED": True,
        "LSJ.SIZE": [100, 120],
        "LSJ.MIN_SCALE": 0.7,
        "RANDOM_FLIP": "horizontal",
    },
}


def set_keys(cfg, keys: dict) -> None:
    cfg.merge_from_list([part for key, value in keys.items() for part in (f"INPUT.{key}", value)])


@pytest.mark.parametrize("keys", GEOMETRY.values(), ids=GEOMETRY)
def test_a_frame_and_its_masks_move_alike_and_so_do_all_frames(cfg, keys):
    set_keys(cfg, {"MIN_SIZE_TRAIN": (100, 140), **keys})
    augmentations = build_train_augmentation(cfg)
    frames, masks = moving_disc()
    np.random.seed(0)
    compared, results = 0, set()
    for _ in range(25):
        frames_and_copies = [*frames, *(frame.copy() for frame in frames)]
        images, moved = augment_clip(augmentations, frames_and_copies, [*masks, [], [], []])
        for image, of, copy in zip(images[:3], moved[:3], images[3:], strict=True):
            assert of[0].dtype == np.uint8 and set(np.unique(of[0])) <= {0, 1}
            assert of[0].shape == image.shape[:2] == images[0].shape[:2]
            if of[0].sum() > 500:  # a sliver at the edge of a crop is mostly rounding
                assert iou(image[..., 0] > 127, of[0] > 0) > 0.95
                compared += 1
            np.testing.assert_array_equal(image, copy)
        results.add(images[1].tobytes())
    assert compared > 50
    assert len(results) > 15 or "CROP.PROB" in keys


def test_rotation_turns_about_the_centre_and_fills_with_black_and_nothing(cfg):
    set_keys(cfg, {"MIN_SIZE_TRAIN": (120,), "ROTATION": 30.0})
    frame = np.full((120, 160, 3), 200, dtype=np.uint8)
    spot, everywhere = np.zeros((120, 160), np.uint8), np.ones((120, 160), np.uint8)
    spot[50:71, 100:121] = 1  # 30.5 right of the centre, 0.5 below it
    for seed in range(5):
        np.random.seed(seed)
        np.random.randint(1)  # the resize chooses one of one size
        angle = np.deg2rad(np.random.uniform(-30, 30))
        np.random.seed(seed)
        (image,), ((spot_after, all_after),) = augment_clip(
            build_train_augmentation(cfg), [frame], [[spot, everywhere]]
        )
        assert image.shape == frame.shape
        y, x = np.argwhere(spot_after).mean(axis=0) - (59.5, 79.5)
        cos, sin = np.cos(angle), np.sin(angle)
        expected = 30.5 * cos + 0.5 * sin, 0.5 * cos - 30.5 * sin
        np.testing.assert_allclose((x, y), expected, atol=0.3)
        assert (image[all_after == 0] <= 110).all() and (all_after == 0).mean() > 0.01
        assert (image[all_after == 1] >= 90).all()


def test_large_scale_jitter_never_fills_up(cfg):
    """A padded pixel would count as image; the scaled picture is all there is."""
    keys = {"LSJ.ENABLED": True, "LSJ.SIZE": [60, 80], "LSJ.MIN_SCALE": 0.25, "LSJ.MAX_SCALE": 2.0}
    set_keys(cfg, keys)
    frames = [np.full((120, 160, 3), 200, dtype=np.uint8)]
    masks = [[np.ones((120, 160), dtype=np.uint8)]]
    np.random.seed(0)
    shapes = set()
    for _ in range(60):
        (image,), ((mask,),) = augment_clip(build_train_augmentation(cfg), frames, masks)
        assert (image == 200).all() and (mask == 1).all()
        assert image.shape[0] <= 60 and image.shape[1] <= 80
        shapes.add(image.shape[:2])
    assert (60, 80) in shapes and min(shapes) < (20, 27)


def test_a_share_of_the_clips_is_cropped(cfg):
    """With MIN_SIZE and without a resize behind it, the size tells which way a clip went."""
    set_keys(cfg, {**GEOMETRY["detr"], "CROP.MIN_SIZE": [240], "MIN_SIZE_TRAIN": (0,)})
    augmentations = build_train_augmentation(cfg)
    np.random.seed(0)
    heights = [augment_clip(augmentations, *moving_disc(1))[0][0].shape[0] for _ in range(200)]
    assert 70 < heights.count(120) < 130
    assert {height for height in heights if height != 120} <= set(range(80, 111))


def test_nothing_but_resize_and_flip_is_on_by_default():
    cfg = get_cfg()
    add_rcf_config(cfg)
    kinds = [type(augmentation) for augmentation in build_train_augmentation(cfg)]
    assert kinds == [T.ResizeShortestEdge, T.RandomFlip]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"CROP.TYPE": "round"}, "INPUT.CROP.TYPE is 'round'"),
        ({"CROP.SIZE": [0.0, 1.0]}, "INPUT.CROP.SIZE is .*relative_range"),
        ({"CROP.SIZE": [0.5]}, "INPUT.CROP.SIZE"),
        ({"CROP.TYPE": "absolute"}, "INPUT.CROP.SIZE is .*pixels"),
        ({"CROP.TYPE": "absolute_range", "CROP.SIZE": [600, 384]}, "INPUT.CROP.SIZE"),
        ({"CROP.PROB": 0.0}, "INPUT.CROP.PROB"),
        ({"CROP.MIN_SIZE": [0]}, "INPUT.CROP.MIN_SIZE"),
        ({"LSJ.ENABLED": True}, "INPUT.CROP.ENABLED and INPUT.LSJ.ENABLED"),
        ({"MIN_SIZE_TRAIN_SAMPLING": "any"}, "INPUT.MIN_SIZE_TRAIN_SAMPLING is 'any'"),
        ({"MIN_SIZE_TRAIN_SAMPLING": "range"}, "INPUT.MIN_SIZE_TRAIN is .*range"),
        ({"MIN_SIZE_TRAIN": ()}, "INPUT.MIN_SIZE_TRAIN"),
        ({"ROTATION": -5.0}, "INPUT.ROTATION"),
        ({"CROP.ENABLED": False, "LSJ.ENABLED": True, "LSJ.MIN_SCALE": 3.0}, "INPUT.LSJ.MIN_SCALE"),
        ({"CROP.ENABLED": False, "LSJ.ENABLED": True, "LSJ.SIZE": [360]}, "INPUT.LSJ.SIZE"),
    ],
)
def test_misuse_names_the_key(cfg, keys, message):
    set_keys(cfg, {"CROP.ENABLED": True, **keys})
    with pytest.raises(ValueError, match=message):
        build_train_augmentation(cfg)


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
