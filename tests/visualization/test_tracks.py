"""Colours of identities, stable labels, what is drawn where, contact sheets."""

import colorsys
import itertools

import cv2
import numpy as np
import pytest
import torch
from detectron2.structures import Instances
from pycocotools import mask as mask_util

import rcf_vis.visualization.tracks as visualization
from rcf_vis.visualization.tracks import TrackVisualizer, draw_ground_truth, save_image, track_color

NAMES = ["disc", "star", "cross"]


def make_instances(track_ids, boxes, probs, size=(96, 160)):
    instances = Instances(size)
    masks = torch.zeros((len(boxes), *size), dtype=torch.bool)
    for mask, (y0, y1, x0, x1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    instances.pred_masks = masks
    instances.track_ids = torch.tensor(track_ids, dtype=torch.int64)
    instances.class_probs = torch.tensor(probs, dtype=torch.float32).reshape(-1, len(NAMES))
    instances.scores, instances.pred_classes = instances.class_probs.max(-1)
    return instances


def inside(color, alpha=0.45, ground=100):
    """BGR of a mask of this colour over a ground of one grey."""
    return np.rint((1 - alpha) * ground + alpha * 255 * np.array(color[::-1])).astype(int)


@pytest.fixture
def labels(monkeypatch):
    drawn = []
    monkeypatch.setattr(visualization, "_draw_label", lambda *words: drawn.append(words[3]))
    return drawn


def grey(size=(96, 160)):
    return np.full((*size, 3), 100, np.uint8)


def test_colours_differ_and_do_not_depend_on_anything_but_the_id():
    colors = np.array([track_color(i) for i in range(60)], np.float32)
    assert ((colors >= 0) & (colors <= 1)).all()
    lab = cv2.cvtColor(colors[None], cv2.COLOR_RGB2LAB)[0]
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(60)
    assert distance[:20, :20].min() > 30  # the first twenty are far apart in CIE Lab
    assert distance.min() > 4
    hues = [colorsys.rgb_to_hsv(*map(float, c))[0] for c in colors[:3]]
    for one, other in itertools.combinations(hues, 2):
        assert min(abs(one - other), 1 - abs(one - other)) > 0.25
    assert track_color(0) == pytest.approx((1.0, 43 / 255, 0.0))  # and so in each run


def test_mask_has_the_colour_of_its_identity(labels):
    probs = [[1, 0, 0], [0, 1, 0]]
    boxes = [(10, 50, 10, 60), (40, 90, 100, 150)]
    picture = TrackVisualizer(NAMES).draw(grey(), make_instances([7, 3], boxes, probs))
    assert picture.shape == (96, 160, 3) and picture.dtype == np.uint8
    assert abs(picture[15:45, 15:55].reshape(-1, 3) - inside(track_color(7))).max() <= 1
    assert abs(picture[45:85, 105:145].reshape(-1, 3) - inside(track_color(3))).max() <= 1
    assert (picture[:36, 70:] == 100).all()  # what is not covered is as it was
    other_slots = TrackVisualizer(NAMES).draw(
        grey(), make_instances([3, 7], boxes[::-1], probs[::-1])
    )
    assert (picture == other_slots).all()  # the order of the slots plays no part


def test_contour_and_hole(labels):
    instances = make_instances([0], [(20, 80, 20, 120)], [[1, 0, 0]])
    instances.pred_masks[0, 40:60, 50:90] = False
    picture = TrackVisualizer(NAMES).draw(grey(), instances)
    assert (picture[45:55, 55:85] == 100).all()  # the hole is no part of the mask
    red = track_color(0)[0] * 255
    for y, x in [(20, 70), (79, 70), (50, 20), (50, 119), (50, 49), (50, 90)]:
        assert picture[y - 1 : y + 2, x - 1 : x + 2, 2].max() > 0.9 * red
    assert picture[30, 35, 2] < 0.75 * red


def test_smaller_masks_lie_on_top(labels):
    instances = make_instances([1, 0], [(30, 60, 40, 80), (0, 96, 0, 160)], [[1, 0, 0]] * 2)
    picture = TrackVisualizer(NAMES).draw(grey(), instances)
    below = inside(track_color(0))
    shade = np.rint(0.55 * below + 0.45 * 255 * np.array(track_color(1)[::-1]))
    assert abs(picture[40:50, 50:70].reshape(-1, 3) - shade).max() <= 1


def test_label_is_the_mean_class_and_the_score_of_the_frame(labels):
    visualizer = TrackVisualizer(NAMES)
    boxes = [(10, 50, 10, 60)]
    for probs in ([0.9, 0.1, 0.0], [0.3, 0.5, 0.2], [0.0, 0.95, 0.05]):
        visualizer.draw(grey(), make_instances([4], boxes, [probs]))
    # means: disc 0.9 | disc 0.6, star 0.3 | disc 0.4, star 0.52
    assert labels == ["4 disc 90%", "4 disc 50%", "4 star 95%"]
    visualizer.reset()
    visualizer.draw(grey(), make_instances([4], boxes, [[0.6, 0.4, 0.0]]))
    assert labels[-1] == "4 disc 60%"


def test_label_text_is_drawn_on_the_mask():
    instances = make_instances([0], [(10, 90, 10, 150)], [[1, 0, 0]])
    with_text = TrackVisualizer(NAMES).draw(grey(), instances)
    changed = np.argwhere((with_text[15:85, 15:145] != inside(track_color(0))).any(-1))
    assert len(changed) > 200
    assert (changed.mean(0) + 15) == pytest.approx([56, 80], abs=8)  # below the mask's middle


def test_no_instances_and_empty_masks(labels):
    picture = TrackVisualizer(NAMES).draw(grey(), make_instances([], [], []))
    assert (picture == grey()).all()
    empty = make_instances([0], [(5, 5, 0, 0)], [[1, 0, 0]])
    assert (TrackVisualizer(NAMES).draw(grey(), empty) == grey()).all()
    assert labels == []


@pytest.mark.parametrize("size", [(31, 47), (1, 40), (33, 200)])
def test_any_frame_size(size):
    instances = make_instances([0], [(0, size[0], 0, size[1] // 2)], [[1, 0, 0]], size)
    assert TrackVisualizer(NAMES).draw(grey(size), instances).shape == (*size, 3)


def test_the_frame_is_not_changed():
    frame = grey()
    TrackVisualizer(NAMES).draw(frame, make_instances([0], [(10, 50, 10, 60)], [[1, 0, 0]]))
    assert (frame == 100).all()


def test_what_does_not_fit_is_refused():
    instances = make_instances([0], [(10, 50, 10, 60)], [[1, 0, 0]])
    with pytest.raises(ValueError, match=r"\(96, 160\) for a frame of \(96, 162\)"):
        TrackVisualizer(NAMES).draw(grey((96, 162)), instances)
    with pytest.raises(ValueError, match="3 classes predicted, 2 named"):
        TrackVisualizer(NAMES[:2]).draw(grey(), instances)


def test_ground_truth(labels):
    mask = np.zeros((96, 160), np.uint8, order="F")
    mask[10:50, 10:60] = 1
    rle = mask_util.encode(mask)
    annotations = [
        {"id": 12, "category_id": 2, "segmentation": rle},
        {"id": 2, "category_id": 0, "segmentation": rle, "score": 0.5},
    ]
    picture = draw_ground_truth(grey(), annotations[:1], NAMES)
    assert abs(picture[15:45, 15:55].reshape(-1, 3) - inside(track_color(12))).max() <= 1
    draw_ground_truth(grey(), annotations, NAMES)
    assert labels == ["12 cross", "12 cross", "2 disc 50%"]


def test_label_stays_inside_the_picture():
    instances = make_instances([0], [(80, 96, 0, 12)], [[1, 0, 0]])  # in the lower left corner
    picture = TrackVisualizer(NAMES).draw(grey(), instances)
    dark = np.argwhere((picture < 60).all(-1))  # the ground of the text
    assert len(dark) > 300
    assert dark[:, 1].min() <= 8 and 60 < dark[:, 1].max() < 120  # "0 disc 100%" is whole
    assert dark[:, 0].min() < 84


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_save_image(tmp_path, name):
    save_image(grey(), tmp_path / "new" / name)
    assert [file.name for file in (tmp_path / "new").iterdir()] == [name]
    assert cv2.imread(str(tmp_path / "new" / name)).mean() == pytest.approx(100, abs=1)
    with pytest.raises(ValueError, match=r"a\.doc: expected \.png"):
        save_image(grey(), tmp_path / "a.doc")
