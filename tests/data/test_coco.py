"""COCO's images under the classes of YouTube-VIS."""

import numpy as np
import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import BoxMode

from rcf_vis.data import ClipDatasetMapper, DatasetError, load_ytvis_json, masks
from rcf_vis.data.pseudo_clip import RandomAffine

from .clip_data import encode
from .coco_data import CATEGORIES, COCO_IDS, make_annotation, make_image, write_coco

BOX = (10, 8, 40, 30)


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Write a COCO and load it under a name."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))

    def make(images, annotations, name="coco2ytvis2019_train", changes=None) -> list[dict]:
        write_coco(tmp_path, images, annotations, changes)
        return DatasetCatalog.get(name)

    return make


@pytest.mark.parametrize("year", [2019, 2021])
@pytest.mark.parametrize("strict", [False, True])
def test_each_of_the_80_classes_goes_where_it_belongs(load, year, strict):
    images = [make_image(100 + category["id"]) for category in CATEGORIES]
    annotations = [make_annotation(c["id"], 100 + c["id"], c["id"], BOX) for c in CATEGORIES]
    name = f"coco2ytvis{year}{'_strict' if strict else ''}_train"
    records = load(images, annotations, name)
    index = MetadataCatalog.get(name).thing_dataset_id_to_contiguous_id
    expected = {k: v for k, v in COCO_IDS[year].items() if not (strict and k in (2, 35))}
    found = {r["video_id"] - 100: r["annotations"][0][0]["category_id"] for r in records}
    assert found == {coco: index[ytvis] for coco, ytvis in expected.items()}
    assert 74 not in found  # the computer's mouse


def test_a_record_is_that_of_a_one_frame_video(load, tmp_path, write_dataset):
    video = load_ytvis_json(*write_dataset(lengths=(1,)))[0]
    records = load([make_image(7)], [make_annotation(5, 7, 18, BOX)])
    assert len(records) == 1
    record = records[0]
    assert set(record) == {*video, "still_image"} and record["still_image"] is True
    assert (record["video_id"], record["height"], record["width"], record["length"]) == (
        7,
        48,
        64,
        1,
    )
    assert record["file_names"] == [str(tmp_path / "coco/train2017/000000000007.png")]
    item = record["annotations"][0][0]
    assert set(item) == set(video["annotations"][0][0])
    assert (item["id"], item["iscrowd"], item["bbox"]) == (5, 0, [10, 8, 30, 22])
    assert item["bbox_mode"] == BoxMode.XYWH_ABS
    metadata = MetadataCatalog.get("coco2ytvis2019_train")
    assert metadata.json_file == str(tmp_path / "coco/annotations/instances_train2017.json")


def test_crowds_other_classes_and_empty_images_are_left_out(load):
    crowd = {"counts": [48 * 64], "size": [48, 64]}
    annotations = [
        make_annotation(1, 1, 1, BOX),
        make_annotation(2, 1, 1, BOX, iscrowd=1, segmentation=crowd),
        make_annotation(3, 1, 62, BOX),  # a chair
        make_annotation(4, 2, 1, BOX, iscrowd=1, segmentation=crowd),
        make_annotation(5, 3, 74, BOX),  # a computer's mouse
    ]
    records = load([make_image(number) for number in (1, 2, 3, 4)], annotations)
    assert [record["video_id"] for record in records] == [1]
    assert [item["id"] for item in records[0]["annotations"][0]] == [1]


def test_polygons_and_rles_become_the_same_mask(load):
    left, top, right, bottom = BOX
    mask = np.zeros((48, 64), dtype=np.uint8)
    mask[top:bottom, left:right] = 1
    runs, last = [0], 0
    for value in mask.ravel(order="F"):
        if value != last:
            runs.append(0)
            last = value
        runs[-1] += 1
    halves = [(left, top, 25, bottom), (25, top, right, bottom)]
    forms = [
        make_annotation(0, 1, 1, BOX)["segmentation"],
        [make_annotation(0, 1, 1, half)["segmentation"][0] for half in halves],
        {"size": [48, 64], "counts": runs},
        encode(mask),
    ]
    images = [make_image(number) for number in range(len(forms))]
    annotations = [make_annotation(n, n, 1, BOX, segmentation=form) for n, form in enumerate(forms)]
    still = RandomAffine(rotation=0, scale=(1, 1), shift=0, crop=1)
    mapper = ClipDatasetMapper(is_train=True, augmentations=[], still_motion=still)
    for record in load(images, annotations):
        sample = mapper(record)
        instances = sample["instances"][0]
        assert len(sample["image"]) == 2 and instances.gt_ids.tolist() == [record["video_id"]]
        np.testing.assert_array_equal(instances.gt_masks.tensor[0].numpy(), mask.astype(bool))
        for image in sample["image"]:
            channel = image[record["video_id"] % 3]
            assert torch.equal(channel == 255, instances.gt_masks.tensor[0])


def test_masks_are_not_drawn_when_the_json_is_loaded(load, monkeypatch):
    def refuse(*args):
        raise AssertionError("a mask is drawn")

    monkeypatch.setattr(mask_util, "frPyObjects", refuse)
    monkeypatch.setattr(masks, "to_compressed_rle", refuse)
    record = load([make_image(1)], [make_annotation(1, 1, 1, BOX)])[0]
    with pytest.raises(AssertionError, match="a mask is drawn"):
        ClipDatasetMapper(is_train=True, augmentations=[])(record)


def test_polygons_that_enclose_nothing_are_left_out(load):
    whole = make_annotation(0, 1, 1, BOX)["segmentation"][0]
    annotations = [
        make_annotation(1, 1, 1, BOX, segmentation=[[1, 1, 2, 2], whole]),
        make_annotation(2, 1, 1, BOX, segmentation=[[1, 1, 2, 2]]),
        make_annotation(3, 1, 1, BOX, segmentation=[]),
    ]
    items = load([make_image(1)], annotations)[0]["annotations"][0]
    assert [(item["id"], item["segmentation"]) for item in items] == [(1, [whole])]


@pytest.mark.parametrize(
    ("segmentation", "message"),
    [
        ({"size": [40, 64], "counts": [40 * 64]}, r"mask size \[40, 64\], expected"),
        ({"size": [48, 64], "counts": "0"}, "run lengths that do not cover"),
        ([[0, 0, 4, 0, 4, float("nan")]], "not finite"),
        ([[0, 0, 4, 0, 4, 1e9]], "LIMITS.OUTLINE_PIXELS"),
    ],
)
def test_a_broken_mask_is_named_when_it_is_loaded(load, segmentation, message):
    objects = [make_annotation(3, 9, 1, BOX, segmentation=segmentation)]
    with pytest.raises(DatasetError, match=rf"annotations\[0\]: .*{message}"):
        load([make_image(9)], objects)


IMAGE, OBJECT = make_image(1), make_annotation(4, 1, 1, BOX)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"categories": [{"id": 1, "name": "dog"}]},
            r"categories\[0\]: id 1 is 'dog', expected 'person' as in COCO",
        ),
        ({"categories": [{"id": 12, "name": "sign"}]}, "id 12 is 'sign', expected an id of COCO"),
        ({"categories": []}, r"annotations\[0\]: category_id 1 is not in 'categories'"),
        ({"images": [IMAGE, IMAGE]}, "image 1: this id is there twice"),
        ({"images": [{**IMAGE, "width": 0}]}, "image 1: 0x48 is no size"),
        ({"images": [{"id": 1}]}, r"images\[0\]: key 'width' is missing"),
        ({"images": []}, r"annotations\[0\]: 'images' has no image 1"),
        ({"annotations": [OBJECT, OBJECT]}, r"annotations\[1\]: id 4 is there twice"),
        ({"annotations": [{"id": 4}]}, r"annotations\[0\]: key 'image_id' is missing"),
        ({"annotations": [{**OBJECT, "segmentation": None}]}, "'segmentation' is None, expected"),
        ({"annotations": [{**OBJECT, "segmentation": [1, 2]}]}, r"is \[1, 2\], expected polygons"),
        ({"annotations": [{**OBJECT, "bbox": None}]}, "'bbox' is None, expected list"),
        ({"annotations": None}, "'annotations' is None, expected list"),
    ],
)
def test_what_is_wrong_is_named(load, changes, message):
    with pytest.raises(DatasetError, match=rf"instances_train2017\.json.*{message}"):
        load([IMAGE], [OBJECT], changes=changes)


def test_a_json_that_was_cut_off(load, tmp_path):
    load([IMAGE], [OBJECT])
    path = tmp_path / "coco/annotations/instances_train2017.json"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(DatasetError, match=r"instances_train2017\.json: not a complete json"):
        DatasetCatalog.get("coco2ytvis2019_train")
