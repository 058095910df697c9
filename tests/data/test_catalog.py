"""Registration: names, laziness, own data sets with and without code."""

import importlib
import json
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis import synthvis
from rcf_vis.data import (
    DatasetError,
    catalog,
    dataset_paths,
    layouts,
    register_datasets_from_cfg,
    register_ytvis_instances,
    ytvis,
)
from rcf_vis.data.categories import YTVIS_2019_CATEGORIES

from .clip_data import make_content

PUBLIC = {
    **{f"ytvis_{year}_{split}": 40 for year in (2019, 2021) for split in ("train", "val", "test")},
    "ytvis_2022_val": 40,
    "synthvis_av_train": 10,
    "synthvis_av_val": 10,
    "synthvis_occ_train": 10,
    "synthvis_occ_val": 10,
    "synthvis_motion_train": 2,
    "synthvis_motion_val": 2,
    **{f"ovis_{split}": 25 for split in ("train", "val", "test")},
    **{f"coco2ytvis{year}{kind}_train": 40 for year in (2019, 2021) for kind in ("", "_strict")},
}


@pytest.fixture
def own_name():
    """A name that is free, and free again after the test."""
    name = "test_catalog_own"
    yield name
    for listing in (DatasetCatalog, MetadataCatalog):
        if name in listing.list():
            listing.remove(name)


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_have_metadata_before_there_is_data(name):
    assert name in DatasetCatalog.list()
    metadata = MetadataCatalog.get(name)
    assert len(metadata.thing_classes) == PUBLIC[name]
    ids = metadata.thing_dataset_id_to_contiguous_id
    assert ids == {index + 1: index for index in range(PUBLIC[name])}
    assert metadata.evaluator_type == "ytvis"


@pytest.mark.parametrize("name", ["synthvis_train", "synthvis_val"])
def test_synthvis_has_its_classes_before_it_is_made(name):
    assert len(MetadataCatalog.get(name).thing_classes) >= 6


def test_registration_looks_for_no_file(monkeypatch):
    def refuse(*args):
        raise AssertionError(f"{args} is looked for at registration")

    with monkeypatch.context() as patch:
        patch.setattr(layouts, "datasets_root", refuse)
        patch.setattr(layouts, "find_dataset", refuse)
        patch.setattr(ytvis, "load_ytvis_json", refuse)
        importlib.reload(catalog)
        with pytest.raises(AssertionError, match="looked for"):
            DatasetCatalog.get("ytvis_2019_val")
    importlib.reload(catalog)


def test_reload_registers_again_without_a_clash():
    before = DatasetCatalog["ytvis_2019_train"]
    reloaded = importlib.reload(catalog)
    after = DatasetCatalog["ytvis_2019_train"]
    assert reloaded.dataset_paths is not dataset_paths
    assert after is not before and after.layout.json_files == before.layout.json_files


def test_a_name_taken_by_another_project_is_left_alone():
    theirs = DatasetCatalog["ovis_test"]
    DatasetCatalog.remove("ovis_test")
    DatasetCatalog.register("ovis_test", list)
    try:
        importlib.reload(catalog)
        assert DatasetCatalog["ovis_test"] is list
    finally:
        DatasetCatalog.remove("ovis_test")
        DatasetCatalog.register("ovis_test", theirs)


def test_the_root_of_a_public_set_is_read_when_it_is_loaded(tmp_path, monkeypatch):
    content = {**make_content(), "categories": YTVIS_2019_CATEGORIES}
    for folder in ("one", "two"):
        root = tmp_path / folder / "ytvis_2019"
        (root / "train/JPEGImages").mkdir(parents=True)
        (root / "train.json").write_text(json.dumps(content))
        monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / folder))
        records = DatasetCatalog.get("ytvis_2019_train")
        assert records[0]["file_names"][0] == str(root / "train/JPEGImages/video1/00000.png")
        metadata = MetadataCatalog.get("ytvis_2019_train")
        assert metadata.json_file == str(root / "train.json")
        assert metadata.image_root == str(root / "train/JPEGImages")
        assert dataset_paths("ytvis_2019_train").json_file == str(root / "train.json")


def test_a_json_of_another_year_is_an_error_that_names_it(tmp_path, monkeypatch):
    root = tmp_path / "ytvis_2021"
    (root / "valid/JPEGImages").mkdir(parents=True)
    content = {**make_content(), "categories": YTVIS_2019_CATEGORIES}
    (root / "valid.json").write_text(json.dumps(content))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    with pytest.raises(DatasetError, match=r"ytvis_2021/valid\.json.*ytvis_2021_val"):
        DatasetCatalog.get("ytvis_2021_val")


def test_a_public_set_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"(?s)'ovis_val'.*ovis/annotations_valid\.json"):
        DatasetCatalog.get("ovis_val")


def test_synthvis_is_made_where_it_is_not_there(tmp_path, monkeypatch):
    """The very data set, but tiny; loading one split makes this split alone."""
    spec = synthvis.SynthVISSpec(
        width=64, height=48, length=3, train_videos=2, val_videos=1, objects_per_video=(1, 2)
    )
    ensure = synthvis.ensure_synthvis
    monkeypatch.setattr(
        synthvis,
        "ensure_synthvis",
        lambda root, splits, spec_class: ensure(root, splits, spec, workers=1),
    )
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    for _ in range(2):
        records = DatasetCatalog.get("synthvis_val")
    assert [(r["length"], r["height"], r["width"]) for r in records] == [(3, 48, 64)]
    for name in records[0]["file_names"]:
        assert Path(name).is_file() and name.startswith(str(tmp_path / "synthvis/val/JPEGImages"))
    assert not (tmp_path / "synthvis/train.json").exists()
    assert len(DatasetCatalog.get("synthvis_train")) == 2
    assert dataset_paths("synthvis_train").json_file == str(tmp_path / "synthvis/train.json")


def test_own_set_takes_its_classes_from_the_json(write_dataset, own_name):
    json_file, image_root = write_dataset()
    register_ytvis_instances(own_name, {"note": "mine"}, json_file, image_root)
    metadata = MetadataCatalog.get(own_name)
    assert metadata.get("thing_classes") is None  # nothing was read yet
    assert (metadata.json_file, metadata.note) == (json_file, "mine")
    assert len(DatasetCatalog.get(own_name)) == 1
    assert metadata.thing_classes == ["ball", "box"]
    assert dataset_paths(own_name).image_root == image_root


def test_own_set_with_wrong_classes_is_an_error(write_dataset, own_name):
    json_file, image_root = write_dataset()
    register_ytvis_instances(own_name, {"thing_classes": ["cat"]}, json_file, image_root)
    with pytest.raises(DatasetError, match=r"instances\.json.*\['cat'\].*\['ball', 'box'\]"):
        DatasetCatalog.get(own_name)


def test_registering_twice_is_fine_and_another_set_is_not(own_name):
    register_ytvis_instances(own_name, {}, "a.json", "a")
    register_ytvis_instances(own_name, {}, "a.json", "a")
    with pytest.raises(ValueError, match=rf"'{own_name}' is taken.*b\.json"):
        register_ytvis_instances(own_name, {}, "b.json", "a")
    with pytest.raises(ValueError, match="'ytvis_2019_train' is taken"):
        register_ytvis_instances("ytvis_2019_train", {}, "a.json", "a")


def test_own_set_from_the_config_alone(write_dataset, own_name, cfg):
    json_file, image_root = write_dataset()
    cfg.merge_from_list(["DATASETS.REGISTER", f"[['{own_name}', '{json_file}', '{image_root}']]"])
    register_datasets_from_cfg(cfg)
    register_datasets_from_cfg(cfg)
    assert DatasetCatalog.get(own_name)[0]["length"] == 6


@pytest.mark.parametrize(
    "entry",
    [
        "abc",
        ["name", "a.json"],
        ["name", "a.json", 3],
        ["name", "a.json", ""],
        ["name", "a.json", "a", None],
        ["name", "a.json", "a", "b", "c"],
        5,
    ],
)
def test_a_malformed_entry_is_shown(cfg, entry):
    cfg.DATASETS.REGISTER = [entry]
    with pytest.raises(ValueError, match=r"DATASETS\.REGISTER has the entry.*three strings"):
        register_datasets_from_cfg(cfg)


def test_paths_of_an_unknown_name():
    with pytest.raises(KeyError, match="no data set 'nothing'"):
        dataset_paths("nothing")


@pytest.mark.parametrize("year", [2019, 2021])
def test_coco_has_the_classes_of_the_videos_that_it_is_joined_with(year):
    videos = MetadataCatalog.get(f"ytvis_{year}_train")
    for kind in ("", "_strict"):
        stills = MetadataCatalog.get(f"coco2ytvis{year}{kind}_train")
        assert stills.thing_classes == videos.thing_classes


def test_coco_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    expected = r"(?s)'coco2ytvis2021_train'.*coco/annotations/instances_train2017\.json"
    with pytest.raises(FileNotFoundError, match=expected):
        DatasetCatalog.get("coco2ytvis2021_train")
