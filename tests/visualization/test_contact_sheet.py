"""Layout of contact sheets, and results beside the ground truth."""

import itertools
import json
import wave

import cv2
import numpy as np
import pytest
from pycocotools import mask as mask_util

import rcf_vis.visualization.contact_sheet as module
from rcf_vis.visualization.contact_sheet import contact_sheet, draw_results_sheet


def test_contact_sheet_layout():
    rows = {
        name: [np.full((60, 100, 3), 10 * r + c, np.uint8) for c in range(4)]
        for r, name in enumerate(["input", "ground truth", "prediction"], start=1)
    }
    sheet = contact_sheet(
        rows, column_names=[f"frame {i}" for i in range(4)], cell_width=50, margin=20, gap=3
    )
    assert sheet.shape == (20 + 3 * (30 + 3), 20 + 4 * (50 + 3), 3)
    for r, c in itertools.product(range(3), range(4)):
        top, left = 20 + 33 * r, 20 + 53 * c
        assert (sheet[top : top + 30, left : left + 50] == 10 * (r + 1) + c).all()
        assert (sheet[top + 30 : top + 33, left : left + 53] == 255).all()
        assert (sheet[top : top + 30, left + 50 : left + 53] == 255).all()
    assert (sheet[:20, :20] == 255).all()
    assert all((sheet[:20, 20 + 53 * c : 70 + 53 * c] < 128).any() for c in range(4))
    assert all((sheet[20 + 33 * r : 50 + 33 * r, :20] < 128).any() for r in range(3))


def test_contact_sheet_refuses_a_grid_that_is_none():
    picture = np.zeros((6, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="'input': 1 pictures, 2 columns"):
        contact_sheet({"input": [picture]}, column_names=["0", "1"])
    with pytest.raises(ValueError, match="same size"):
        contact_sheet({"input": [picture, picture[:4]]}, column_names=["0", "1"])


LENGTH, HEIGHT, WIDTH = 4, 24, 40


def rle(x):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    mask[4:20, x : x + 10] = 1
    encoded = mask_util.encode(mask)
    return {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()}


@pytest.fixture
def dataset(tmp_path):
    """Two videos; an object of the second enters at frame 1, its identities are 31 and 30."""
    videos, names = [], {}
    for video in (5, 6):
        names[video] = [f"{video}/{t}.png" for t in range(LENGTH)]
        (tmp_path / str(video)).mkdir()
        for t, name in enumerate(names[video]):
            cv2.imwrite(str(tmp_path / name), np.full((HEIGHT, WIDTH, 3), 10 * t, np.uint8))
        size = {"height": HEIGHT, "width": WIDTH, "length": LENGTH}
        videos.append({"id": video, "file_names": names[video], **size})
    tracks = {31: [rle(0)] * LENGTH, 30: [None, *[rle(20)] * (LENGTH - 1)]}
    annotations = [
        {"id": i, "video_id": 6, "category_id": 9, "iscrowd": 0, "segmentations": s}
        for i, s in tracks.items()
    ]
    categories = [{"id": 9, "name": "star"}, {"id": 2, "name": "disc"}]
    content = {"videos": videos, "categories": categories, "annotations": annotations}
    path = tmp_path / "data.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def drawn(monkeypatch):
    """What is drawn into each picture but the input: [(id, class, score), ...]."""
    calls = []

    def record(frame, annotations, names):
        calls.append([(a["id"], names[a["category_id"]], a.get("score")) for a in annotations])
        return frame

    monkeypatch.setattr(module, "draw_ground_truth", record)
    return calls


def result(video_id, category_id, segmentations):
    return {"video_id": video_id, "category_id": category_id, "score": 0.75,
            "segmentations": segmentations}  # fmt: skip


def test_results_beside_the_ground_truth(dataset, drawn):
    results = [
        result(6, 2, [None, None, rle(20), rle(20)]),
        result(5, 2, [rle(0)] * LENGTH),
        result(6, 9, [rle(0)] * LENGTH),
    ]
    sheet = draw_results_sheet(
        dataset, dataset.parent, results, video_id=6, num_frames=3, cell_width=40
    )
    truths, predictions = drawn[::2], drawn[1::2]  # of the frames 0, 2 and 3
    assert truths == [[(0, "star", None)], *[[(0, "star", None), (1, "star", None)]] * 2]
    both = [(1, "disc", 0.75), (0, "star", 0.75)]
    assert predictions == [[(0, "star", 0.75)], both, both]
    assert sheet.shape == (28 + 3 * (24 + 4), 28 + 3 * (40 + 4), 3)
    inputs = [sheet[28:52, 28 + 44 * column : 68 + 44 * column] for column in range(3)]
    assert [int(cell.mean()) for cell in inputs] == [0, 20, 30]


def test_without_annotations_there_is_no_ground_truth(dataset, drawn):
    content = json.loads(dataset.read_text())
    content["annotations"] = None
    dataset.write_text(json.dumps(content))
    sheet = draw_results_sheet(dataset, dataset.parent, [], num_frames=9, cell_width=40)
    assert drawn == [[]] * LENGTH  # the predictions of all frames, more there are not
    assert sheet.shape == (28 + 2 * (24 + 4), 28 + LENGTH * (40 + 4), 3)


def test_what_does_not_fit_is_refused(dataset):
    with pytest.raises(ValueError, match=r"no video 7; there are \[5, 6\]"):
        draw_results_sheet(dataset, dataset.parent, [], video_id=7)
    with pytest.raises(ValueError, match="video 5 has 4 frames, but a result has 3"):
        draw_results_sheet(dataset, dataset.parent, [result(5, 2, [None] * 3)], video_id=5)


def test_a_row_of_audio(dataset, drawn):
    """A tone is a bright line at its pitch, from the frame on in which it begins."""
    rate = 16000
    t = np.arange(4 * rate) / rate
    tone = 0.5 * np.sin(2 * np.pi * 2000 * t) * (t >= 2)
    content = json.loads(dataset.read_text())
    for video in content["videos"]:
        video["fps"] = 1  # the tone is in frames 2 and 3
    dataset.write_text(json.dumps(content))
    folder = dataset.parent / "audio"
    folder.mkdir()
    with wave.open(str(folder / "5.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    sheet = draw_results_sheet(
        dataset, dataset.parent, [], video_id=5, cell_width=40, audio_root=folder
    )
    assert sheet.shape[0] == 28 + 4 * (24 + 4)  # input, audio, ground truth, prediction
    cells = [sheet[56:80, 28 + 44 * c : 68 + 44 * c].astype(int).sum(-1) for c in range(4)]
    assert all(cell.std() == 0 and cell.mean() < 30 for cell in cells[:2])
    for cell in cells[2:]:
        brightness = cell.mean(axis=1)
        assert brightness.max() > 200 > brightness.min()
        pitch = 1 - brightness.argmax() / 24
        mel = [np.log1p(f / 700) for f in (125, 2000, 7500)]
        assert pitch == pytest.approx((mel[1] - mel[0]) / (mel[2] - mel[0]), abs=0.08)


def test_silence_is_dark():
    pictures = module.log_mel_pictures(np.full((2, 96, 64), module.SILENCE), 30, 50)
    assert [picture.shape for picture in pictures] == [(30, 50, 3)] * 2
    assert max(picture.max() for picture in pictures) < 30
