"""Strips of annotated videos and of training samples: what is drawn where."""

import json

import numpy as np
import pytest
import torch
from detectron2.structures import BitMasks, Instances

from rcf_vis.data import load_ytvis_json
from rcf_vis.visualization.clip_strips import record_strip, sample_strip
from rcf_vis.visualization.tracks import track_color
from tests.data.clip_data import make_content, object_mask, write_frames

HEIGHT, WIDTH = 192, 320  # a cell of the sheet: what is drawn is not resized
MARGIN, GAP = 28, 4


def cell(strip, column, row=0):
    top, left = MARGIN + row * (HEIGHT + GAP), MARGIN + column * (WIDTH + GAP)
    return strip[top : top + HEIGHT, left : left + WIDTH].astype(int)


def painted(ground, track_id, alpha=0.45):
    """BGR of a mask over a pixel."""
    color = 255 * np.array(track_color(track_id)[::-1])
    return np.rint((1 - alpha) * np.array(ground) + alpha * color).astype(int)


@pytest.fixture
def sample():
    """A reference and a target, RGB (10, 20, 30); an object of identity 3 in the target."""
    image = torch.tensor([10, 20, 30], dtype=torch.uint8)[:, None, None].expand(3, HEIGHT, WIDTH)
    instances = Instances((HEIGHT, WIDTH))
    masks = torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    masks[0, 40:160, 60:260] = True
    instances.gt_masks = BitMasks(masks)
    instances.gt_classes, instances.gt_ids = torch.tensor([1]), torch.tensor([3])
    names = ["a/00004.png", "a/00005.png"]
    return {"video_id": 8, "image": [image, image], "instances": [instances], "file_names": names}


@pytest.mark.parametrize(("image_format", "ground"), [("RGB", (30, 20, 10)), ("BGR", (10, 20, 30))])
def test_a_sample_as_the_model_gets_it(sample, image_format, ground):
    strip = sample_strip(sample, ["ball", "box"], image_format=image_format)
    assert strip.shape == (MARGIN + HEIGHT + GAP, MARGIN + 2 * (WIDTH + GAP), 3)
    reference, target = cell(strip, 0), cell(strip, 1)
    assert (reference == ground).all()  # nothing is told about it, nothing is drawn
    assert (target[:30] == ground).all()
    np.testing.assert_allclose(target[60, 80], painted(ground, 3), atol=1)
    assert (strip[:MARGIN, MARGIN:] < 128).any()


def test_all_supervised_frames_are_drawn(sample):
    sample["instances"] = sample["instances"] * 2
    strip = sample_strip(sample, ["ball", "box"], image_format="RGB")
    for column in range(2):
        np.testing.assert_allclose(cell(strip, column)[60, 80], painted((30, 20, 10), 3), atol=1)


def test_a_small_frame_is_drawn_pixel_by_pixel(sample):
    half = [image[:, ::2, ::2].clone() for image in sample["image"]]
    half[0][:, 20, 30] = 255
    masks = BitMasks(sample["instances"][0].gt_masks.tensor[:, ::2, ::2])
    instances = Instances((HEIGHT // 2, WIDTH // 2), gt_masks=masks)
    instances.gt_classes, instances.gt_ids = torch.tensor([1]), torch.tensor([3])
    small = {**sample, "image": half, "instances": [instances]}
    strip = sample_strip(small, ["ball", "box"], image_format="RGB")
    reference = cell(strip, 0)
    assert (reference[40:42, 60:62] == 255).all() and (reference == 255).all(-1).sum() == 4
    np.testing.assert_allclose(cell(strip, 1)[60, 80], painted((30, 20, 10), 3), atol=1)


def test_audio_stands_below_its_frame(sample):
    silence = torch.full((2, 96, 64), float(np.log(0.01)))
    loud = silence.clone()
    loud[1, :, :16] = 2.0  # low notes, all the time
    strip = sample_strip({**sample, "audio": loud}, ["ball", "box"], image_format="RGB")
    assert strip.shape[0] == MARGIN + 2 * (HEIGHT + GAP)
    quiet, low = cell(strip, 0, row=1), cell(strip, 1, row=1)
    assert (quiet == quiet[0, 0]).all()
    assert (low[: HEIGHT * 3 // 4 - 2] == quiet[0, 0]).all()
    assert (low[HEIGHT * 3 // 4 + 2 :].mean(-1) > quiet[0, 0].mean() + 50).all()


@pytest.fixture
def record(tmp_path):
    content = make_content(lengths=(5,), size=(HEIGHT, WIDTH), objects=1, absent=((0, 4),))
    write_frames(content, tmp_path)
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(content))
    return load_ytvis_json(str(path), str(tmp_path))[0]


def test_an_annotated_video(record):
    strip = record_strip(record, ["ball", "box"], num_frames=3)  # frames 0, 2, 4
    assert strip.shape == (MARGIN + HEIGHT + GAP, MARGIN + 3 * (WIDTH + GAP), 3)
    for column, frame in ((0, 0), (1, 2)):
        inside = object_mask(HEIGHT, WIDTH, 0, frame)
        top, left = np.argwhere(inside).min(0)
        ground = (255, 0, 0)  # the object owns the channel of blue
        picture = cell(strip, column)
        np.testing.assert_allclose(picture[top + 2, left + 2], painted(ground, 10), atol=8)
    assert (cell(strip, 2) == 0).all()  # it has left


def test_a_short_video_without_annotations(record):
    del record["annotations"]
    strip = record_strip(record, ["ball", "box"], num_frames=9)
    assert strip.shape[1] == MARGIN + 5 * (WIDTH + GAP)
    assert set(map(tuple, cell(strip, 0).reshape(-1, 3).tolist())) == {(0, 0, 0), (255, 0, 0)}
