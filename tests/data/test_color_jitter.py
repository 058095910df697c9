"""Colours are drawn once a clip and are a function of the pixel, the same for each frame."""

import numpy as np
import pytest

from rcf_vis.data import augment_clip
from rcf_vis.data.color_jitter import RandomClipSaturation, build_color_jitter

STRENGTHS = ("BRIGHTNESS", "CONTRAST", "SATURATION", "LIGHTING")


def noise(seed: int, high: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, (12, 16, 3), dtype=np.uint8)


def jitter(cfg, frames, seed: int = 0, image_format: str = "RGB", **strengths) -> list[np.ndarray]:
    cfg.INPUT.FORMAT = image_format
    for key in STRENGTHS:
        cfg.INPUT.COLOR_JITTER[key] = strengths.get(key, 0.0)
    augmentations = build_color_jitter(cfg)
    np.random.seed(seed)
    masks = [[np.ones((12, 16), dtype=np.uint8)] for _ in frames]
    images, after = augment_clip(augmentations, frames, masks)
    for image, (mask,) in zip(images, after, strict=True):
        assert image.dtype == np.uint8 and mask.dtype == np.uint8 and (mask == 1).all()
    return images


def drawn_factor(seed: int, strength: float) -> float:
    np.random.seed(seed)
    return np.random.uniform(1 - strength, 1 + strength)


@pytest.mark.parametrize("seed", range(4))
def test_brightness_multiplies_each_frame_by_the_one_factor(cfg, seed):
    frames = [noise(1), noise(2)]
    factor = drawn_factor(seed, 0.4)
    for frame, image in zip(frames, jitter(cfg, frames, seed, BRIGHTNESS=0.4), strict=True):
        np.testing.assert_allclose(image, np.clip(factor * frame, 0, 255), atol=1)


@pytest.mark.parametrize("seed", range(4))
def test_contrast_is_about_the_mean_of_the_first_frame(cfg, seed):
    frames = [noise(1), noise(2, high=40)]  # means of about 128 and 20
    factor, mean = drawn_factor(seed, 0.5), frames[0].mean()
    for frame, image in zip(frames, jitter(cfg, frames, seed, CONTRAST=0.5), strict=True):
        expected = np.clip(mean + factor * (frame.astype(float) - mean), 0, 255)
        np.testing.assert_allclose(image, expected, atol=1)


@pytest.mark.parametrize("image_format", ["RGB", "BGR"])
def test_saturation_blends_each_frame_with_its_own_grey(cfg, image_format):
    frames = [noise(1), noise(2)]
    factor = drawn_factor(3, 1.0)
    luma = {"RGB": (0.299, 0.587, 0.114), "BGR": (0.114, 0.587, 0.299)}[image_format]
    images = jitter(cfg, frames, 3, image_format, SATURATION=1.0)
    for frame, image in zip(frames, images, strict=True):
        grey = sum(share * frame[..., [c]].astype(float) for c, share in enumerate(luma))
        np.testing.assert_allclose(
            image, np.clip(grey + factor * (frame - grey), 0, 255), atol=1.001
        )


def test_no_ghost_of_the_first_frame():
    first, second = noise(1), np.full((12, 16, 3), (200, 100, 50), dtype=np.uint8)
    saturation = RandomClipSaturation(intensity_min=0.2, intensity_max=0.2)
    images, _ = augment_clip([saturation], [first, second], [[], []])
    assert len(np.unique(images[1].reshape(-1, 3), axis=0)) == 1


def test_lighting_shifts_all_pixels_of_the_clip_alike_and_by_more_than_rounding(cfg):
    frames = [np.full((12, 16, 3), 120, np.uint8), np.full((12, 16, 3), 90, np.uint8)]
    shifts = []
    for seed in range(40):
        images = jitter(cfg, frames, seed, LIGHTING=0.1)
        shift = images[0][0, 0].astype(int) - 120
        for frame, image in zip(frames, images, strict=True):
            np.testing.assert_array_equal(image, frame + shift)
        shifts.append(shift)
    # the largest eigenvalue alone: 255 x 0.1 x 0.2175 x 0.57 = 3.2 grey levels
    assert 2.0 < np.std(shifts) < 5.0


@pytest.mark.parametrize("key", STRENGTHS)
def test_the_order_of_the_channels_makes_no_difference(cfg, key):
    frames = [noise(1), noise(2)]
    as_rgb = jitter(cfg, frames, 5, "RGB", **{key: 0.5})
    as_bgr = jitter(cfg, [frame[..., ::-1] for frame in frames], 5, "BGR", **{key: 0.5})
    for rgb, bgr in zip(as_rgb, as_bgr, strict=True):
        np.testing.assert_allclose(rgb, bgr[..., ::-1].astype(float), atol=1)


def test_equal_pixels_stay_equal_through_all_four(cfg):
    """The second frame is the first with its pixels in another order."""
    frames = [noise(1), noise(1)[::-1, ::-1]]
    seen = set()
    for seed in range(5):
        images = jitter(cfg, frames, seed, **dict.fromkeys(STRENGTHS, 0.3))
        np.testing.assert_array_equal(images[1], images[0][::-1, ::-1])
        seen.add(images[0].tobytes())
    assert len(seen) == 5


def test_a_strength_of_zero_builds_nothing(cfg):
    assert build_color_jitter(cfg) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("BRIGHTNESS", 1.5), ("CONTRAST", -0.1), ("SATURATION", 2.0), ("LIGHTING", -1.0)],
)
def test_a_strength_out_of_range_is_named(cfg, key, value):
    cfg.INPUT.COLOR_JITTER[key] = value
    with pytest.raises(ValueError, match=rf"INPUT\.COLOR_JITTER\.{key} is {value}"):
        build_color_jitter(cfg)
