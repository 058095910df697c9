"""A still image becomes a clip: geometry, alignment of image and masks, draws."""

import cv2
import numpy as np
import pytest
from detectron2.data import transforms as T

from rcf_vis.data.pseudo_clip import AffineTransform, RandomAffine, make_pseudo_clip


def still(**changes) -> RandomAffine:
    """No motion but what is asked for."""
    return RandomAffine(**{"rotation": 0, "scale": (1, 1), "shift": 0, "crop": 1, **changes})


def picture(height: int = 120, width: int = 160) -> tuple[np.ndarray, list[np.ndarray]]:
    """Three blobs, each 255 in a channel of its own, and their masks."""
    ys, xs = np.mgrid[:height, :width]
    circle = (ys - 50) ** 2 + (xs - 50) ** 2 < 30**2
    ellipse = ((ys - 70) / 35) ** 2 + ((xs - 100) / 20) ** 2 < 1
    box = (ys >= 80) & (ys < 115) & (xs >= 15) & (xs < 60)
    masks = [mask.astype(np.uint8) for mask in (circle, ellipse, box)]
    return np.stack(masks, axis=-1) * 255, masks


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return (one & other).sum() / (one | other).sum()


def test_no_motion_changes_nothing():
    image, masks = picture()
    frames, warped = make_pseudo_clip(still(), image, masks, num_frames=3, num_supervised=3)
    for frame, of in zip(frames, warped, strict=True):
        np.testing.assert_array_equal(frame, image)
        np.testing.assert_array_equal(of, masks)


def parameters(move: AffineTransform) -> tuple[float, float]:
    """Angle (degrees, counter-clockwise) and factor."""
    (a, b), (c, d) = move.matrix[:, :2]
    assert a == pytest.approx(d) and b == pytest.approx(-c)  # no shear, no mirror
    return np.degrees(np.arctan2(b, a)), np.hypot(a, b)


def test_rotation_is_that_of_detectron2():
    image, _ = picture()
    points = np.array([[0.0, 0.0], [80.0, 60.0], [13.5, 99.0]])
    np.random.seed(0)
    for _ in range(5):
        ours = still(rotation=180).get_transform(image)
        theirs = T.RotationTransform(120, 160, parameters(ours)[0], expand=False)
        np.testing.assert_allclose(ours.apply_coords(points), theirs.apply_coords(points))
        difference = ours.apply_image(image).astype(int) - theirs.apply_image(image)
        assert np.abs(difference).max() <= 1


def test_pixels_go_where_the_points_go():
    """Each output pixel is looked up at the place that it comes from."""
    image, masks = picture()
    rng = np.random.default_rng(0)
    for _ in range(3):
        linear = np.eye(2) + rng.uniform(-0.3, 0.3, (2, 2))
        move = AffineTransform(np.column_stack([linear, rng.uniform(-20, 20, 2)]))
        ys, xs = np.mgrid[:120, :160] + 0.5
        centres = np.stack([xs.ravel(), ys.ravel()], axis=1)
        sources = np.floor((centres - move.matrix[:, 2]) @ np.linalg.inv(linear).T).astype(int)
        inside = ((sources >= 0) & (sources < (160, 120))).all(axis=1)
        expected = np.zeros(120 * 160, dtype=np.uint8)
        expected[inside] = masks[1][sources[inside, 1], sources[inside, 0]]
        found = move.apply_segmentation(masks[1])
        assert iou(found == 1, expected.reshape(120, 160) == 1) > 0.98
        point = np.array([[100.5, 70.5]])
        dot = np.zeros((120, 160), dtype=np.uint8)
        cv2.circle(dot, (100, 70), 3, 255, -1)
        moved = move.apply_image(dot).astype(float)
        centroid = [(moved * xs).sum() / moved.sum(), (moved * ys).sum() / moved.sum()]
        np.testing.assert_allclose(centroid, move.apply_coords(point)[0], atol=0.15)


def test_image_and_masks_stay_together():
    image, masks = picture()
    np.random.seed(0)
    compared = 0
    for _ in range(15):
        frames, warped = make_pseudo_clip(
            RandomAffine(), image, masks, num_frames=3, num_supervised=3
        )
        for frame, of in zip(frames, warped, strict=True):
            assert frame.shape == image.shape and frame.dtype == np.uint8
            for channel, mask in enumerate(of):
                assert mask.dtype == np.uint8 and mask.shape == image.shape[:2]
                painted = frame[..., channel] > 127
                if painted.sum() > 200:  # a sliver at the border is all outline
                    assert iou(painted, mask == 1) > 0.95
                    compared += 1
    assert compared > 100


def test_the_target_is_last_and_alone_has_masks():
    image, masks = picture()
    np.random.seed(1)
    frames, warped = make_pseudo_clip(RandomAffine(), image, masks, num_frames=4)
    assert [len(of) for of in warped] == [0, 0, 0, 3]
    for channel, mask in enumerate(warped[-1]):
        assert iou(frames[-1][..., channel] > 127, mask == 1) > 0.95
    assert iou(frames[0][..., 0] > 127, warped[-1][0] == 1) < 0.95  # others are drawn differently


def test_frames_are_drawn_one_by_one_and_by_the_seed():
    image, masks = picture()
    clips = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        clips.append(make_pseudo_clip(RandomAffine(), image, masks, num_frames=3)[0])
    np.testing.assert_array_equal(clips[0], clips[1])
    distinct = {frame.tobytes() for clip in clips for frame in clip}
    assert len(distinct) == 6


@pytest.mark.parametrize(
    ("changes", "angles", "factors"),
    [
        ({"rotation": 20}, (-20, 20), (1, 1)),
        ({"scale": (0.5, 2)}, (0, 0), (0.5, 2)),
        ({"crop": 0.5}, (0, 0), (1, 2)),
    ],
)
def test_draws_fill_their_ranges(changes, angles, factors):
    image, _ = picture()
    np.random.seed(0)
    drawn = [parameters(still(**changes).get_transform(image)) for _ in range(400)]
    for values, (low, high) in zip(np.transpose(drawn), (angles, factors), strict=True):
        slack = 0.05 * (high - low) + 1e-9
        assert low - 1e-9 <= values.min() <= low + slack
        assert high - slack <= values.max() <= high + 1e-9


def test_the_window_lies_inside_and_the_shift_is_a_share_of_the_sides():
    image, _ = picture()
    np.random.seed(0)
    corners = np.array([[0.0, 0.0], [160.0, 120.0]])
    sides = []
    for _ in range(200):
        move = still(crop=0.6).get_transform(image)
        window = (corners - move.matrix[:, 2]) / move.matrix[0, 0]
        assert (window > -1e-9).all() and (window < corners[1] + 1e-9).all()
        sides.append(window[1] - window[0])
    np.testing.assert_allclose(np.min(sides, axis=0), [0.6 * 160, 0.6 * 120], rtol=0.02)
    shifts = np.array([still(shift=0.25).get_transform(image).matrix[:, 2] for _ in range(400)])
    np.testing.assert_allclose(shifts.max(axis=0), [40, 30], rtol=0.05)
    np.testing.assert_allclose(shifts.min(axis=0), [-40, -30], rtol=0.05)


def test_what_comes_from_outside_is_black_and_without_objects():
    move = AffineTransform(np.array([[1.0, 0, 30], [0, 1, 0]]))
    image, masks = picture()
    assert (move.apply_image(image + 1)[:, :30] == 0).all()
    ones = np.ones_like(masks[0])
    np.testing.assert_array_equal(
        move.apply_segmentation(ones).sum(axis=0)[28:32], [0, 0, 120, 120]
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ROTATION", -1.0),
        ("ROTATION", 181.0),
        ("SCALE", [0.0, 1.0]),
        ("SCALE", [1.2, 0.8]),
        ("SCALE", [1.0]),
        ("SHIFT", -0.1),
        ("SHIFT", 1.0),
        ("CROP", 0.0),
        ("CROP", 1.1),
        ("CROP", float("nan")),
    ],
)
def test_a_bad_value_names_its_key(cfg, key, value):
    cfg.INPUT.PSEUDO_CLIP[key] = value
    with pytest.raises(ValueError, match=rf"INPUT\.PSEUDO_CLIP\.{key} is .*, expected"):
        RandomAffine(cfg)


def test_the_config_is_what_the_constructor_does(cfg):
    default, from_cfg = RandomAffine(), RandomAffine(cfg)
    for name in ("rotation", "shift", "crop"):
        assert getattr(default, name) == getattr(from_cfg, name)
    assert list(default.scale) == list(from_cfg.scale)
    cfg.INPUT.PSEUDO_CLIP.ROTATION = 30.0
    assert repr(RandomAffine(cfg)).startswith("RandomAffine(rotation=30.0")
