"""COCO's and CocoVID's form, read as YouTube-VIS."""

import copy
import json
import logging

import cv2
import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from pycocotools import mask as mask_util

from rcf_vis.data import (
    ClipDatasetMapper,
    DatasetError,
    load_ytvis_json,
    register_datasets_from_cfg,
    register_ytvis_instances,
)
from rcf_vis.data.build import get_video_dicts
from rcf_vis.data.checks.datasets import examine
from rcf_vis.data.json_forms import to_ytvis
from rcf_vis.data.json_rules import Faults
from rcf_vis.data.pseudo_clip import RandomAffine
from rcf_vis.data.ytvis import read_videos
from rcf_vis.evaluation import YTVISEvaluator, evaluate_ytvis

NAME = "json_forms"
H, W = 12, 16
SQUARE = [2, 2, 8, 2, 8, 6, 2, 6]  # 6 × 4 pixels
CATEGORIES = [{"id": 3, "name": "cow"}, {"id": 7, "name": "duck"}]


def rle(x0, y0, x1, y1):
    mask = np.zeros((H, W), np.uint8, order="F")
    mask[y0:y1, x0:x1] = 1
    code = mask_util.encode(mask)
    return {"size": [H, W], "counts": code["counts"].decode()}


def image(number, **more):
    return {"id": number, "width": W, "height": H, "file_name": f"{number}.png", **more}


def coco():
    return {
        "images": [image(5), image(2), image(9)],
        "categories": copy.deepcopy(CATEGORIES),
        "annotations": [
            {"id": 1, "image_id": 2, "category_id": 7, "segmentation": [SQUARE]},
            {"id": 2, "image_id": 5, "category_id": 3, "segmentation": rle(0, 0, 3, 3)},
            {
                "id": 3,
                "image_id": 5,
                "category_id": 3,
                "segmentation": rle(0, 0, 9, 9),
                "iscrowd": 1,
            },
            {"id": 4, "image_id": 2, "category_id": 3, "segmentation": []},
            {"id": 5, "image_id": 2, "category_id": 3, "segmentation": [[1, 1, 4, 4]]},
        ],
    }


def coco_vid():
    """Two videos, whose images stand in no order and whose instances are numbered anew."""
    annotations = [
        (1, 11, 3, 1, (0, 0, 3, 3)),
        (2, 10, 3, 1, (1, 0, 4, 3)),
        (3, 12, 3, 1, (3, 0, 6, 3)),
        (4, 10, 7, 2, (6, 6, 9, 9)),
        (5, 20, 7, 1, (2, 2, 9, 9)),
    ]
    return {
        "videos": [{"id": 1, "name": "field"}, {"id": 2, "name": "pond", "fps": 25}],
        "images": [
            image(11, video_id=1, frame_id=1),
            image(20, video_id=2, frame_id=0),
            image(10, video_id=1, frame_id=0),
            image(12, video_id=1, frame_id=2),
        ],
        "categories": copy.deepcopy(CATEGORIES),
        "annotations": [
            {"id": i, "image_id": im, "category_id": c, "instance_id": n, "segmentation": rle(*box)}
            for i, im, c, n, box in annotations
        ],
    }


def write(folder, content):
    (folder / "images").mkdir()
    for item in content["images"]:
        cv2.imwrite(str(folder / "images" / item["file_name"]), np.zeros((H, W, 3), np.uint8))
    (folder / "set.json").write_text(json.dumps(content))
    return str(folder / "set.json"), str(folder / "images")


def test_images_are_videos_of_one_frame(tmp_path, caplog):
    json_file, image_root = write(tmp_path, coco())
    with caplog.at_level(logging.WARNING, "rcf_vis"):
        records = load_ytvis_json(json_file, image_root)
    assert "left out 2 objects without a mask" in caplog.text
    assert "1 of 3 tracks are crowds, neither trained on nor looked for" in caplog.text
    assert [record["video_id"] for record in records] == [5, 2, 9]
    assert all(record["still_image"] and record["length"] == 1 for record in records)
    assert records[1]["file_names"] == [f"{image_root}/2.png"]
    (objects,) = records[1]["annotations"]
    assert [(item["id"], item["category_id"], item["iscrowd"]) for item in objects] == [(1, 1, 0)]
    expected = np.zeros((H, W))
    expected[2:6, 2:8] = 1
    np.testing.assert_array_equal(mask_util.decode(objects[0]["segmentation"]), expected)
    assert [item["iscrowd"] for item in records[0]["annotations"][0]] == [0, 1]
    assert records[0]["annotations"][0][0]["segmentation"] == rle(0, 0, 3, 3)
    assert records[2]["annotations"] == [[]]


def test_images_in_which_not_every_object_is_annotated(register, cfg):
    content = coco()
    content["images"][0]["exhaustive"] = False
    content["images"][1]["exhaustive"] = True
    register(content)
    mapper = ClipDatasetMapper(cfg, is_train=True)
    samples = {r["video_id"]: mapper(r) for r in get_video_dicts([NAME])}
    assert samples[5]["exhaustive"] is False and "exhaustive" not in samples[2]
    content["images"][0]["exhaustive"] = 0
    with pytest.raises(DatasetError, match="'exhaustive' is 0, expected a bool"):
        read_videos(to_ytvis(content, "x"), "x", "")


def test_classes_that_are_ignored(tmp_path, cfg, request):
    """No class, no ground truth, and in training a place of its own."""
    json_file, image_root = write(tmp_path, coco())
    request.addfinalizer(lambda: (DatasetCatalog.remove(NAME), MetadataCatalog.remove(NAME)))
    cfg.DATASETS.REGISTER = [[NAME, json_file, image_root]]
    cfg.DATASETS.IGNORE_CLASSES = ["duck", "no such"]
    cfg.INPUT.MIN_SIZE_TRAIN = (0,)
    register_datasets_from_cfg(cfg)
    records = {r["video_id"]: r for r in get_video_dicts([NAME], filter_empty=False)}
    assert MetadataCatalog.get(NAME).thing_classes == ["cow"]
    (duck,) = records[2]["annotations"][0]
    assert (duck["category_id"], duck["iscrowd"], duck["ignore"]) == (-1, 1, True)
    still = RandomAffine(rotation=0, scale=(1, 1), shift=0, crop=1)
    mapper = ClipDatasetMapper(
        is_train=True, augmentations=[], still_motion=still, supervise_all_frames=True
    )
    sample = mapper(records[2])
    assert [len(instances) for instances in sample["instances"]] == [0, 0]
    expected = np.zeros((H, W))
    expected[2:6, 2:8] = 1
    assert len(sample["ignored"]) == 2
    np.testing.assert_array_equal(sample["ignored"][1], expected)
    assert "ignored" not in mapper(records[5])
    evaluator = YTVISEvaluator(NAME)
    assert list(evaluator.evaluate()["segm"])[-1] == "AP-cow"
    assert not examine(NAME).faults.counts


def test_frames_of_cocovid_are_put_in_order():
    content = to_ytvis(coco_vid(), "x.json")
    assert content["videos"] == [
        {
            **{"id": 1, "name": "field", "width": W, "height": H, "length": 3},
            "file_names": ["10.png", "11.png", "12.png"],
        },
        {
            **{"id": 2, "name": "pond", "fps": 25, "width": W, "height": H, "length": 1},
            "file_names": ["20.png"],
        },
    ]
    tracks = [
        (t["id"], t["video_id"], t["category_id"], t["segmentations"])
        for t in content["annotations"]
    ]
    assert tracks == [
        (1, 1, 3, [rle(1, 0, 4, 3), rle(0, 0, 3, 3), rle(3, 0, 6, 3)]),
        (2, 1, 7, [rle(6, 6, 9, 9), None, None]),
        (3, 2, 7, [rle(2, 2, 9, 9)]),
    ]
    assert "images" not in content


def test_instances_of_unique_ids_keep_them():
    content = coco_vid()
    content["annotations"][-1]["instance_id"] = 40
    assert [t["id"] for t in to_ytvis(content, "x")["annotations"]] == [1, 2, 40]
    for annotation in content["annotations"]:  # TAO's word
        annotation["track_id"] = annotation.pop("instance_id")
    assert [t["id"] for t in to_ytvis(content, "x")["annotations"]] == [1, 2, 40]
    content["annotations"][-1]["track_id"] = 0  # which the evaluator would never find
    assert [t["id"] for t in to_ytvis(content, "x")["annotations"]] == [1, 2, 3]


def test_youtube_vis_stays_as_it_is():
    content = {"videos": [], "categories": [], "annotations": None}
    assert to_ytvis(content, "x") is content
    # Some jsons of videos have a list of images beside it, which says nothing of videos.
    content["images"] = [image(1)]
    assert to_ytvis(content, "x") is content


@pytest.fixture
def register(tmp_path):
    def make(content):
        register_ytvis_instances(NAME, {}, *write(tmp_path, content))

    yield make
    DatasetCatalog.remove(NAME)
    MetadataCatalog.pop(NAME)


def test_training_and_evaluation_on_images(register, tmp_path):
    content = coco()
    register(content)
    records = get_video_dicts([NAME])
    assert [record["video_id"] for record in records] == [5, 2]
    diagnosis = examine(NAME)
    assert not diagnosis.faults.counts and (diagnosis.videos, diagnosis.decoded) == (3, 3)
    assert "still images: each counts as a video of one frame" in diagnosis.notes
    results = [
        {"video_id": 2, "category_id": 7, "score": 0.9, "segmentations": [rle(2, 2, 8, 6)]},
        {"video_id": 5, "category_id": 3, "score": 0.8, "segmentations": [rle(0, 0, 3, 2)]},
    ]
    figures = evaluate_ytvis(tmp_path / "set.json", results)
    # IoU 1 counts at all ten thresholds, 2/3 at 0.5, 0.55, 0.6 and 0.65.
    assert figures["AP"] == pytest.approx((1.0 + 0.4) / 2)
    assert figures == evaluate_ytvis(content, results)


def test_a_class_that_no_image_has_is_counted(register, caplog):
    content = coco()
    content["categories"].append({"id": 9, "name": "goose"})
    register(content)
    with caplog.at_level(logging.WARNING, "rcf_vis"):
        get_video_dicts([NAME])
    assert "1 classes without an object: goose" in caplog.text


def broken(change, make=coco):
    content = make()
    change(content)
    return content


@pytest.mark.parametrize(
    "content, kind, message",
    [
        (broken(lambda c: c["images"].append(image(5))), "ids", r"images\[3\] \(id 5\): .*twice"),
        (broken(lambda c: c["images"][0].pop("width")), "keys", "'width' is missing"),
        (broken(lambda c: c["annotations"][0].update(image_id=4)), "ids", "no image 4"),
        (broken(lambda c: c["annotations"][0].update(id=2)), "ids", "twice"),
        (
            broken(lambda c: [a.pop("segmentation") for a in c["annotations"]]),
            "masks",
            "none of 5 annotations has a 'segmentation'; boxes alone",
        ),
        (
            broken(lambda c: c["annotations"][0].update(segmentation=[1, 2, 3])),
            "masks",
            r"annotations\[0\] \(id 1\): 'segmentation' is \[1, 2, 3\]",
        ),
        (
            broken(lambda c: c["annotations"][1]["segmentation"].update(size=[3, 3])),
            "masks",
            r"mask size \[3, 3\]",
        ),
        (broken(lambda c: c["videos"].append({"id": 4}), coco_vid), "lengths", "no image has"),
        (
            broken(lambda c: c["images"][1].update(frame_id="0"), coco_vid),
            "keys",
            r"images\[1\] \(id 20\): 'frame_id' is '0', expected int",
        ),
        (broken(lambda c: c["videos"].pop(), coco_vid), "ids", "video 2, which is not in 'videos'"),
        (broken(lambda c: c["images"][0].update(width=9), coco_vid), "videos", "different sizes"),
        (
            broken(lambda c: c["annotations"][0].pop("instance_id"), coco_vid),
            "keys",
            "'instance_id' is missing",
        ),
        (
            broken(lambda c: c["annotations"][1].update(category_id=7), coco_vid),
            "category ids",
            "category_id 7 of a track of category 3",
        ),
        (
            broken(lambda c: c["annotations"][1].update(image_id=11), coco_vid),
            "ids",
            "a second mask of track 1",
        ),
    ],
)
def test_faults_have_a_name_and_a_place(content, kind, message):
    with pytest.raises(DatasetError, match=message) as info:
        to_ytvis(content, "set.json")
    assert info.value.kind == kind and "set.json" in str(info.value)
    faults = Faults()
    assert to_ytvis(content, "set.json", faults)["videos"]  # what is right is read
    assert faults.counts[kind] == 1


def test_videos_that_are_no_list():
    for videos in (None, {"id": 1}, 3):
        content = broken(lambda c: c.update(videos=videos), coco_vid)  # noqa: B023
        with pytest.raises(DatasetError, match="set.json: 'videos' is no list"):
            to_ytvis(content, "set.json")


def test_no_image(tmp_path):
    json_file, image_root = write(tmp_path, broken(lambda c: c.update(images=[], annotations=[])))
    with pytest.raises(DatasetError, match=r"set.json: 'videos' is empty .or 'images'"):
        load_ytvis_json(json_file, image_root)


def test_an_image_that_is_not_there(tmp_path):
    json_file, image_root = write(tmp_path, coco())
    (tmp_path / "images" / "9.png").unlink()
    with pytest.raises(DatasetError, match=r"1 of 3 images are not there, the first: .*9\.png"):
        load_ytvis_json(json_file, image_root)
