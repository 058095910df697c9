"""Registration of data sets with audio: the public ones, SynthVIS and one's own."""

import json
import logging

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis import synthvis
from rcf_vis.data import dataset_paths, register_datasets_from_cfg, register_ytvis_instances

from .audio_data import noise, write_audio_dataset
from .clip_data import CATEGORIES, make_content


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path


@pytest.fixture
def forget():
    """Take the classes out of metadata that only a json brings, before and after the test."""

    def clear():
        for name in ("avis_train", "avis_val", "avis_test", "aviseg_train", "test_audio_own"):
            if name in MetadataCatalog.list():
                for key in ("thing_classes", "thing_dataset_id_to_contiguous_id"):
                    vars(MetadataCatalog.get(name)).pop(key, None)
        if "test_audio_own" in DatasetCatalog.list():
            DatasetCatalog.remove("test_audio_own")
            MetadataCatalog.remove("test_audio_own")

    clear()
    yield
    clear()


def put(root, folder, split, audio="audio"):
    frames = root / folder / split / "JPEGImages"
    frames.mkdir(parents=True)
    (root / folder / f"{split}.json").write_text(json.dumps(make_content(lengths=(3, 2))))
    if audio:
        (root / folder / split / audio).mkdir()
        (root / folder / split / audio / "video1.wav").touch()


@pytest.mark.parametrize(
    ("name", "folder", "split", "audio"),
    [
        ("avis_train", "avis", "train", "audio"),
        ("avis_val", "avis", "valid", "audio"),
        ("avis_test", "avis", "test", "videos"),
        ("aviseg_train", "aviseg", "train", "WAVAudios"),
    ],
)
def test_audio_and_classes_of_a_public_set(root, forget, name, folder, split, audio):
    assert MetadataCatalog.get(name).get("thing_classes") is None
    assert MetadataCatalog.get(name).evaluator_type == "ytvis"
    put(root, folder, split, audio)
    records = DatasetCatalog.get(name)
    expected = str(root / folder / split / audio)
    assert [record["audio_file"] for record in records] == [f"{expected}/video1.wav", None]
    assert [record["frame_rate"] for record in records] == [6.0, 6.0]
    metadata = MetadataCatalog.get(name)
    assert metadata.thing_classes == [category["name"] for category in CATEGORIES]
    assert metadata.audio_root == dataset_paths(name).audio_root == expected


def test_all_splits_are_there():
    names = [f"{folder}_{split}" for folder in ("avis", "aviseg") for split in ("val", "test")]
    assert set(names) <= set(DatasetCatalog.list())


def test_a_set_without_its_folder_of_audio_is_silent_and_says_so(root, forget, caplog):
    put(root, "avis", "train", audio=None)
    with caplog.at_level(logging.WARNING, "rcf_vis.data.catalog"):
        records = DatasetCatalog.get("avis_train")
    assert "'avis_train' is silent" in caplog.text and "avis/train/audio" in caplog.text
    assert "audio_file" not in records[0]


def test_a_set_of_ones_own_with_audio(tmp_path, forget, cfg):
    paths = write_audio_dataset(tmp_path, {"video2": noise(0.1)}, lengths=(1, 1), frame_rate=12)
    cfg.DATASETS.REGISTER = [["test_audio_own", *paths]]
    register_datasets_from_cfg(cfg)
    register_ytvis_instances("test_audio_own", {}, *paths)  # the same set again is fine
    records = DatasetCatalog.get("test_audio_own")
    assert [record["audio_file"] for record in records] == [None, f"{paths[2]}/video2.wav"]
    assert records[0]["frame_rate"] == 12.0
    with pytest.raises(ValueError, match="'test_audio_own' is taken"):
        register_ytvis_instances("test_audio_own", {}, *paths[:2])


def test_a_folder_of_audio_that_is_not_there_is_named(write_dataset, forget):
    register_ytvis_instances("test_audio_own", {}, *write_dataset(), "no/such/folder")
    with pytest.raises(FileNotFoundError, match="'test_audio_own': no/such/folder is not there"):
        DatasetCatalog.get("test_audio_own")


def test_synthvis_with_audio_is_made_where_it_is_not_there(root, monkeypatch):
    spec = synthvis.SynthVISAudioSpec(
        width=64, height=48, length=3, train_videos=1, val_videos=1, objects_per_video=(1, 1)
    )
    ensure = synthvis.ensure_synthvis

    def tiny(root, splits, spec_class):
        assert spec_class is synthvis.SynthVISAudioSpec
        ensure(root, splits, spec, workers=1)

    monkeypatch.setattr(synthvis, "ensure_synthvis", tiny)
    (record,) = DatasetCatalog.get("synthvis_av_val")
    assert record["audio_file"] == str(root / "synthvis_av/val/audio/00000.wav")
    assert record["frame_rate"] == spec.frame_rate
    classes = MetadataCatalog.get("synthvis_av_val").thing_classes
    assert classes == [category["name"] for category in synthvis.AUDIO_CATEGORIES]
