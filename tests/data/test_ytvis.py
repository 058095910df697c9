"""The YouTube-VIS json: what a record holds, and what each broken json is told."""

import copy
import json
from pathlib import Path

import numpy as np
import pycocotools.mask as mask_util
import pytest
from detectron2.data import MetadataCatalog
from detectron2.structures import BoxMode

from rcf_vis.data import DatasetError, load_ytvis_json

from .clip_data import make_content, object_mask


def write(tmp_path: Path, content: dict | list | str) -> str:
    path = tmp_path / "the.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_a_record_holds_the_video_frame_by_frame(tmp_path):
    content = make_content(lengths=(4, 1), absent=((1, 0), (1, 2)))
    records = load_ytvis_json(write(tmp_path, content), str(tmp_path / "frames"))
    assert [record["video_id"] for record in records] == [1, 2]
    first = records[0]
    assert (first["height"], first["width"], first["length"]) == (48, 64, 4)
    assert first["file_names"][3] == str(tmp_path / "frames/video1/00003.png")
    assert [[item["id"] for item in frame] for frame in first["annotations"]] == [
        [10],
        [10, 11],
        [10],
        [10, 11],
    ]
    item = first["annotations"][1][1]
    assert item["category_id"] == 1  # data set id 7 is the second class
    assert item["iscrowd"] == 0
    np.testing.assert_array_equal(mask_util.decode(item["segmentation"]), object_mask(48, 64, 1, 1))
    assert item["bbox"] == [18.0, 9.0, 12.0, 13.0]  # from the mask: the json has no bboxes
    assert item["bbox_mode"] == BoxMode.XYWH_ABS


def test_bboxes_of_the_json_are_kept_and_missing_ones_filled_in(tmp_path):
    content = make_content(lengths=(2,), objects=1)
    content["annotations"][0]["bboxes"] = [[1.5, 2.5, 3.5, 4.5], None]
    record = load_ytvis_json(write(tmp_path, content), "frames")[0]
    assert record["annotations"][0][0]["bbox"] == [1.5, 2.5, 3.5, 4.5]
    assert record["annotations"][1][0]["bbox"] == [9.0, 6.0, 14.0, 12.0]


@pytest.mark.parametrize("annotations", ["missing", None])
def test_without_annotations_the_records_have_none(tmp_path, annotations):
    content = make_content()
    if annotations == "missing":
        del content["annotations"]
    else:
        content["annotations"] = None
    records = load_ytvis_json(write(tmp_path, content), "frames")
    assert len(records) == 1 and "annotations" not in records[0]


def test_an_empty_list_of_annotations_is_a_video_without_objects(tmp_path):
    content = {**make_content(lengths=(3,)), "annotations": []}
    assert load_ytvis_json(write(tmp_path, content), "frames")[0]["annotations"] == [[], [], []]


def test_crowds_are_marked(tmp_path):
    content = make_content(lengths=(1,))
    content["annotations"][1]["iscrowd"] = 1
    frame = load_ytvis_json(write(tmp_path, content), "frames")[0]["annotations"][0]
    assert [item["iscrowd"] for item in frame] == [0, 1]


def test_the_metadata_gets_the_classes_by_id(tmp_path):
    content = make_content()
    content["categories"] = content["categories"][::-1]
    load_ytvis_json(write(tmp_path, content), "frames", "test_ytvis_metadata")
    metadata = MetadataCatalog.get("test_ytvis_metadata")
    assert metadata.thing_classes == ["ball", "box"]
    assert metadata.thing_dataset_id_to_contiguous_id == {3: 0, 7: 1}


def test_classes_other_than_those_of_the_metadata_are_an_error(tmp_path):
    MetadataCatalog.get("test_ytvis_other").set(thing_classes=["ball", "cone"])
    with pytest.raises(DatasetError, match=r"the\.json.*test_ytvis_other.*cone.*box"):
        load_ytvis_json(write(tmp_path, make_content()), "frames", "test_ytvis_other")


def test_a_missing_json_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        load_ytvis_json(str(tmp_path / "nowhere.json"), "frames")


@pytest.mark.parametrize("text", ["", '{"videos": [{"id": 1', "[1, 2]", "\0\1"])
def test_a_broken_file_is_named(tmp_path, text):
    with pytest.raises(DatasetError, match=r"the\.json: (not a complete json|a list at the top)"):
        load_ytvis_json(write(tmp_path, text), "frames")


@pytest.mark.parametrize("key", ["videos", "categories"])
def test_a_missing_part_is_named(tmp_path, key):
    content = make_content()
    del content[key]
    with pytest.raises(DatasetError, match=rf"the\.json: key '{key}' is missing"):
        load_ytvis_json(write(tmp_path, content), "frames")


@pytest.mark.parametrize(
    ("part", "key", "where"),
    [
        *(("videos", key, r"videos\[1\]") for key in ("id", "width", "height", "length")),
        ("videos", "file_names", r"videos\[1\] \(id 2\)"),
        *(("annotations", key, r"annotations\[1\]") for key in ("id", "category_id")),
        ("annotations", "video_id", r"annotations\[1\] \(id 11\)"),
        ("annotations", "segmentations", r"annotations\[1\] \(id 11\)"),
        *(("categories", key, r"categories\[1\]") for key in ("id", "name")),
    ],
)
def test_a_missing_key_and_its_owner_are_named(tmp_path, part, key, where):
    content = copy.deepcopy(make_content(lengths=(2, 3)))
    del content[part][1][key]
    with pytest.raises(DatasetError, match=rf"the\.json: {where}.*key '{key}' is missing"):
        load_ytvis_json(write(tmp_path, content), "frames")
    content[part][1][key] = {"wrong": "kind"}
    with pytest.raises(DatasetError, match=rf"the\.json: {where}.*'{key}' is .*expected"):
        load_ytvis_json(write(tmp_path, content), "frames")


def _set(part: str, key: str, value):
    def change(content: dict) -> None:
        content[part][1][key] = value

    return change


def _set_mask(value):
    def change(content: dict) -> None:
        content["annotations"][1]["segmentations"][2] = value

    return change


def _cut_mask(content: dict) -> None:
    rle = content["annotations"][1]["segmentations"][2]
    rle["counts"] = rle["counts"][:-2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("videos", "id", 1), "video 1: this id is there twice"),
        (_set("videos", "length", 9), "video 2: 'length' is 9 but 'file_names' has 5"),
        (_set("videos", "width", 0), "video 2: 0x48 is no size"),
        (_set("videos", "file_names", [1, 2, 3, 4, 5]), "video 2: 'file_names'.* no string"),
        (_set("annotations", "id", 10), "annotation 10 of video 1: this id is there twice"),
        (_set("annotations", "category_id", 4), r"annotation 11 of video 1: .* 4 .*\[3, 7\]"),
        (_set("annotations", "segmentations", [None]), "annotation 11 .*: 1 'segmentations'.* 3 "),
        (_set("annotations", "bboxes", [[0, 0, 1, 1]]), "annotation 11 .*: 1 'bboxes'.* 3 "),
        (_set("categories", "id", 3), "'categories' is empty or has an id twice"),
        (_set_mask({"size": [64, 48], "counts": "0"}), r"annotation 11 .*segm.*\[2\].*\[48, 64\]"),
        (_set_mask({"size": [48, 64], "counts": [7]}), r"annotation 11 .*segm.*\[2\].*add up to"),
        (_set_mask("mask"), r"annotation 11 .*segm.*\[2\].*expected a dict"),
        (_cut_mask, r"annotation 11 .*segm.*\[2\].*cut off"),
        (lambda content: content.update(videos=[]), "'videos' is empty"),
        (lambda content: content.update(categories=[]), "'categories' is empty"),
        (lambda content: content.update(annotations={}), "'annotations' is neither"),
        (lambda content: content["annotations"].insert(0, 5), r"annotations\[0\]: int found"),
    ],
)
def test_a_contradiction_is_named(tmp_path, change, message):
    content = copy.deepcopy(make_content(lengths=(3, 5)))
    change(content)
    with pytest.raises(DatasetError, match=rf"the\.json: {message}"):
        load_ytvis_json(write(tmp_path, content), "frames")


def test_annotations_of_videos_that_are_not_there_are_left_out(tmp_path, caplog):
    """As the official evaluator does: the same rule for training and evaluation."""
    content = make_content(lengths=(2, 3))
    expected = load_ytvis_json(write(tmp_path, content), "frames")
    strays = [{**content["annotations"][0], "id": k, "video_id": 77} for k in (98, 99)]
    content["annotations"] += strays
    assert load_ytvis_json(write(tmp_path, content), "frames") == expected
    assert "2 annotations of videos that are not in 'videos' are left out" in caplog.text
    assert "the first: annotation 98 of video 77" in caplog.text
