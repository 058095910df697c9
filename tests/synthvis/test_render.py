"""Frames and masks of a rendered video."""

import colorsys
import itertools

import cv2
import numpy as np
import pycocotools.mask as mask_utils
import pytest

from rcf_vis.synthvis import CATEGORIES, SynthVISSpec, render_video
from rcf_vis.synthvis.camera import motion_blur
from rcf_vis.synthvis.render import _Painter
from rcf_vis.synthvis.scene import Scene, Track
from rcf_vis.synthvis.shapes import draw_shape
from rcf_vis.synthvis.textures import object_sprite

SMALL = SynthVISSpec(width=96, height=64, length=10, train_videos=30, val_videos=30)


def _still(category, x, y, size, tilt=1.0):
    index = [c["name"] for c in CATEGORIES].index(category)
    one = np.ones(1)
    return Track(index, np.array([[x, y]], float), size * one, 0 * one, tilt * one)


def _radius(size):
    """Radius of a disc: 0.86 of half the square that it is drawn in, less the sprite's rim."""
    return 0.86 * size / 2 * (1 - 4 / (2 * size + 4))


def _paint(tracks, **kwargs):
    spec = SynthVISSpec(width=160, height=96, length=1, difficulty=0.0, **kwargs)
    scene = Scene(tracks, [], np.zeros((1, 2)), np.ones(1), np.zeros(1))
    return _Painter(spec, scene, np.random.default_rng(0)).paint(0)


def test_mask_of_a_disc_is_the_disc():
    _, (mask,) = _paint([_still("disc", 70.0, 40.0, 60.0, tilt=0.8)])
    y, x = np.mgrid[:96, :160] + 0.5
    radius = _radius(60)
    exact = ((x - 70) / radius) ** 2 + ((y - 40) / (0.8 * radius)) ** 2 < 1
    assert mask.sum() == pytest.approx(np.pi * 0.8 * radius**2, rel=0.02)
    assert (mask ^ exact).sum() < 0.04 * exact.sum()


def test_nearer_object_hides_the_farther_and_shows_through_a_hole():
    image, (far, near) = _paint([_still("square", 80, 48, 50), _still("gear", 80, 48, 60)])
    alone = _paint([_still("square", 80, 48, 50)])[1][0]
    assert not (far & near).any() and far[48, 80] and not near[48, 80]
    assert 0 < far.sum() < alone.sum() and (far <= alone).all()
    assert image.shape == (96, 160, 3) and image.dtype == np.uint8


def test_object_cut_by_the_border_and_outside():
    _, (half, none) = _paint([_still("disc", 0, 48, 60), _still("disc", 300, 48, 60)])
    assert half.sum() == pytest.approx(np.pi * _radius(60) ** 2 / 2, rel=0.03)
    assert not none.any()


def test_shapes_differ_under_any_rotation():
    areas = {c["name"]: (draw_shape(c["name"], 96) > 127) for c in CATEGORIES}
    assert len(areas) >= 8
    for a, shape_a in areas.items():
        for b, shape_b in areas.items():
            if a >= b:
                continue
            best = 0.0
            for angle in range(0, 360, 15):
                turn = cv2.getRotationMatrix2D((47.5, 47.5), angle, 1)
                turned = cv2.warpAffine(shape_b.astype(np.uint8), turn, (96, 96)) > 0
                best = max(best, (shape_a & turned).sum() / (shape_a | turned).sum())
            assert best < 0.95, (a, b)


def test_annotations_agree_with_their_masks():
    seen_null = False
    for index in range(12):
        frames, annotations = render_video(SMALL, "train", index)
        assert len(frames) == 10 and {f.shape for f in frames} == {(64, 96, 3)}
        assert [a["id"] for a in annotations] == list(range(1, len(annotations) + 1))
        total = np.zeros((10, 64, 96), int)
        for a in annotations:
            assert (a["video_id"], a["iscrowd"]) == (index + 1, 0)
            assert (a["height"], a["width"], a["length"]) == (64, 96, 10)
            assert any(s is not None for s in a["segmentations"])
            assert len(a["segmentations"]) == len(a["bboxes"]) == len(a["areas"]) == 10
            for t, (rle, box, area) in enumerate(
                zip(a["segmentations"], a["bboxes"], a["areas"], strict=True)
            ):
                if rle is None:
                    assert box is None and area is None
                    seen_null = True
                    continue
                assert isinstance(rle["counts"], str) and rle["size"] == [64, 96]
                mask = mask_utils.decode(rle)
                ys, xs = np.nonzero(mask)
                assert area == mask.sum() >= SMALL.min_pixels
                left, top = xs.min(), ys.min()
                assert box == [left, top, xs.max() + 1 - left, ys.max() + 1 - top]
                total[t] += mask
        assert total.max() <= 1
    assert seen_null


def test_objects_leave_and_return_under_one_id():
    spec = SynthVISSpec(
        width=96, height=64, return_share=1.0, crossing_share=0.0, occlusion=0.0, train_videos=6
    )
    for index in range(6):
        gaps = 0
        for a in render_video(spec, "train", index)[1]:
            there = np.array([area is not None for area in a["areas"]])
            first, last = np.flatnonzero(there)[[0, -1]]
            gaps += not there[first : last + 1].all()
        assert gaps >= 1, index


@pytest.mark.parametrize("knob", ["noise", "blur", "flicker", "contrast"])
def test_pixel_knobs_change_pixels_and_no_annotation(knob):
    low = SynthVISSpec(width=96, height=64, length=6, difficulty=0.3, **{knob: 0.0})
    high = SynthVISSpec(width=96, height=64, length=6, difficulty=0.3, **{knob: 1.0})
    for index in range(3):
        (frames_a, a), (frames_b, b) = (render_video(s, "val", index) for s in (low, high))
        assert a == b
        change = np.abs(np.array(frames_a, float) - np.array(frames_b, float)).mean()
        assert change > 0.3


def test_occlusion_knob_hides_more():
    shown = []
    for occlusion in (0.0, 1.0):
        spec = SynthVISSpec(width=96, height=64, length=10, occlusion=occlusion, crossing_share=0)
        areas = [
            sum(filter(None, a["areas"]))
            for i in range(12)
            for a in render_video(spec, "train", i)[1]
        ]
        shown.append(np.mean(areas))
    assert shown[1] < 0.9 * shown[0]


def test_splits_seeds_and_videos_differ_and_repeat():
    def first(spec, split, index):
        return np.array(render_video(spec, split, index)[0])

    other = SynthVISSpec(width=96, height=64, length=10, seed=1)
    base = first(SMALL, "train", 0)
    assert (base == first(SMALL, "train", 0)).all()
    others = [(SMALL, "val", 0), (SMALL, "test", 0), (SMALL, "train", 1), (other, "train", 0)]
    for frames in itertools.starmap(first, others):
        assert (base != frames).mean() > 0.5


def test_bad_index_and_split():
    with pytest.raises(ValueError, match="train has videos 0 to 29, got 30"):
        render_video(SMALL, "train", 30)
    with pytest.raises(ValueError, match="unknown SynthVIS split 'dev'"):
        render_video(SMALL, "dev", 0)


def test_motion_blur_keeps_the_sum_and_spreads_along_the_velocity():
    image = np.zeros((21, 21, 1), np.uint8)
    image[10, 10] = 250
    blurred = motion_blur(image, np.array([8.0, 0.0]), 1.0).reshape(21, 21).astype(int)
    assert blurred.sum() == pytest.approx(250, abs=8)
    assert blurred[10].sum() == blurred.sum() and np.flatnonzero(blurred[10])[[0, -1]] == (
        pytest.approx([6, 14])
    )
    assert (motion_blur(image, np.array([8.0, 0.0]), 0.0) == image).all()


def test_a_category_has_a_colour():
    """The light shade of an object is near its category's hue, whatever the background is."""
    categories = [category["name"] for category in CATEGORIES]
    for number, name in enumerate(categories):
        rng = np.random.default_rng(number)
        near = 0
        for _ in range(10):
            sprite = object_sprite(rng, name, 64, np.zeros(3, np.float32), 0.0)
            opaque = sprite[sprite[..., 3] == 255][:, :3]
            value = opaque.max(axis=1)
            r, g, b = opaque[value >= np.percentile(value, 98)].mean(axis=0) / 255
            hue = colorsys.rgb_to_hsv(r, g, b)[0]
            near += abs((hue - number / len(categories) + 0.5) % 1 - 0.5) < 0.1
        assert near >= 9, name
