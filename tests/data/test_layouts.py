"""Each layout in circulation is found; where none is there, all that was tried is listed."""

import os
from pathlib import Path

import pytest

from rcf_vis.data.layouts import (
    audio_layout,
    coco_layout,
    datasets_root,
    find_dataset,
    ovis_layout,
    synthvis_layout,
    ytvis_layout,
)


def put(root: Path, json_file: str, image_root: str) -> None:
    (root / image_root).mkdir(parents=True, exist_ok=True)
    (root / json_file).parent.mkdir(parents=True, exist_ok=True)
    (root / json_file).write_text("{}")


YTVIS = [
    ("train", "train.json", "train/JPEGImages"),
    ("train", "train/instances.json", "train/JPEGImages"),
    ("train", "annotations/instances_train_sub.json", "train/JPEGImages"),
    ("val", "valid.json", "valid/JPEGImages"),
    ("val", "val.json", "val/JPEGImages"),
    ("val", "valid.json", "val/JPEGImages"),
    ("val", "valid/instances.json", "valid/JPEGImages"),
    ("val", "annotations/instances_val_sub.json", "val/JPEGImages"),
    ("test", "test.json", "test/JPEGImages"),
    ("test", "test/instances.json", "test/JPEGImages"),
]


@pytest.mark.parametrize(("split", "json_file", "image_root"), YTVIS)
def test_layouts_of_youtube_vis(tmp_path, split, json_file, image_root):
    put(tmp_path / "ytvis_2021", json_file, image_root)
    paths = find_dataset("x", ytvis_layout("ytvis_2021", split), str(tmp_path))
    assert paths.json_file == str(tmp_path / "ytvis_2021" / json_file)
    assert paths.image_root == str(tmp_path / "ytvis_2021" / image_root)


def test_a_folder_of_one_split_may_have_its_json_at_its_top(tmp_path):
    put(tmp_path / "ytvis_2022", "instances.json", "val/JPEGImages")
    paths = find_dataset("x", ytvis_layout("ytvis_2022", "val", only_split=True), str(tmp_path))
    assert paths.json_file == str(tmp_path / "ytvis_2022/instances.json")
    with pytest.raises(FileNotFoundError, match="no json"):
        find_dataset("x", ytvis_layout("ytvis_2022", "val"), str(tmp_path))


def test_layout_of_coco(tmp_path):
    put(tmp_path / "coco", "annotations/instances_train2017.json", "train2017")
    paths = find_dataset("x", coco_layout(), str(tmp_path))
    assert paths.json_file == str(tmp_path / "coco/annotations/instances_train2017.json")
    assert paths.image_root == str(tmp_path / "coco/train2017")


@pytest.mark.parametrize("prefix", ["annotations/annotations_", "annotations_", "annotations/", ""])
@pytest.mark.parametrize(
    ("split", "name"), [("train", "train"), ("val", "valid"), ("test", "test")]
)
def test_layouts_of_ovis(tmp_path, prefix, split, name):
    put(tmp_path / "ovis", f"{prefix}{name}.json", name)
    paths = find_dataset("x", ovis_layout(split), str(tmp_path))
    assert paths.json_file == str(tmp_path / "ovis" / f"{prefix}{name}.json")
    assert paths.image_root == str(tmp_path / "ovis" / name)


@pytest.mark.parametrize("audio", ["audio", "WAVAudios", "videos"])
@pytest.mark.parametrize(
    ("split", "json_file", "folder"),
    [("train", "train.json", "train"), ("val", "valid.json", "valid"), ("val", "val.json", "val")],
)
def test_layouts_with_audio(tmp_path, audio, split, json_file, folder):
    put(tmp_path / "avis", json_file, f"{folder}/JPEGImages")
    layout = audio_layout("avis", split)
    paths = find_dataset("x", layout, str(tmp_path))
    assert paths.json_file == str(tmp_path / "avis" / json_file)
    assert paths.image_root == str(tmp_path / "avis" / folder / "JPEGImages")
    assert paths.audio_root is None
    (tmp_path / "avis" / folder / audio).mkdir()
    paths = find_dataset("x", layout, str(tmp_path))
    assert paths.audio_root == str(tmp_path / "avis" / folder / audio)


def test_layout_of_synthvis_with_audio(tmp_path):
    for folder in ("synthvis", "synthvis_av"):
        put(tmp_path / folder, "val.json", "val/JPEGImages")
        (tmp_path / folder / "val/audio").mkdir()
    paths = find_dataset("x", synthvis_layout("synthvis_av", "val", with_audio=True), str(tmp_path))
    assert paths.json_file == str(tmp_path / "synthvis_av/val.json")
    assert paths.audio_root == str(tmp_path / "synthvis_av/val/audio")
    assert find_dataset("x", synthvis_layout("synthvis", "val"), str(tmp_path)).audio_root is None


def test_the_first_layout_wins(tmp_path):
    for split, json_file, image_root in YTVIS:
        if split == "val":
            put(tmp_path / "ytvis_2019", json_file, image_root)
    paths = find_dataset("x", ytvis_layout("ytvis_2019", "val"), str(tmp_path))
    assert paths.json_file.endswith(os.path.join("ytvis_2019", "valid.json"))
    assert paths.image_root.endswith(os.path.join("ytvis_2019", "valid/JPEGImages"))


def test_what_is_missing_is_listed(tmp_path):
    layout = ytvis_layout("ytvis_2019", "val")
    with pytest.raises(FileNotFoundError) as caught:
        find_dataset("ytvis_2019_val", layout, str(tmp_path))
    message = str(caught.value)
    assert "'ytvis_2019_val': no json" in message and str(tmp_path) in message
    for path in layout.json_files:
        assert str(tmp_path / path) in message
    (tmp_path / "ytvis_2019").mkdir()
    (tmp_path / "ytvis_2019/valid.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="no folder of frames") as caught:
        find_dataset("ytvis_2019_val", layout, str(tmp_path))
    for path in layout.image_roots:
        assert str(tmp_path / path) in str(caught.value)


def test_the_root_is_read_when_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("DETECTRON2_DATASETS", raising=False)
    assert datasets_root() == "datasets"
    monkeypatch.setenv("DETECTRON2_DATASETS", "/somewhere")
    assert datasets_root() == "/somewhere"
