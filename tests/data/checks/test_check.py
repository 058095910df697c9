"""The check finds each fault, names it, and goes on to the next."""

import copy
import json
import re
import shutil

import pytest
from PIL import Image

from rcf_vis.data import get_video_dicts
from rcf_vis.data.categories import COCO_NAMES, YTVIS_2019_CATEGORIES
from rcf_vis.data.checks.datasets import examine, registered_names
from rcf_vis.errors import DatasetError
from tests.data.clip_data import make_content, write_frames
from tests.scripts import load_script

NAME = "ytvis_2019_train"


@pytest.fixture(scope="module")
def check():
    return load_script("datasets/check.py")


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path


def healthy(lengths=(3, 5)) -> dict:
    content = copy.deepcopy(make_content(lengths=lengths))
    return {**content, "categories": YTVIS_2019_CATEGORIES}


def write(root, content, frames=True) -> None:
    folder = root / "ytvis_2019" / "train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "instances.json").write_text(json.dumps(content))
    if frames:
        write_frames(healthy(), folder / "JPEGImages")


def test_a_audio_set(check, root, capsys):
    write(root, healthy())
    assert check.main([NAME]) == 0
    out = capsys.readouterr().out
    assert f"{NAME}: ok" in out
    assert f"json    {root}/ytvis_2019/train/instances.json" in out
    assert f"frames  {root}/ytvis_2019/train/JPEGImages" in out
    assert "2 videos, 4 tracks, 8 frames; 8 frames decoded" in out
    assert "1 of 1 data sets found; no fault" in out


def _set(part: str, position: int, **values):
    return lambda content: content[part][position].update(values)


def _set_mask(value):
    def change(content):
        content["annotations"][1]["segmentations"][2] = value

    return change


def _cut_mask(content):
    rle = content["annotations"][1]["segmentations"][2]
    rle["counts"] = rle["counts"][:-2]


def _name_twice(content):
    content["videos"][1]["id"] = 1
    del content["annotations"][2:]  # they were of the video that has lost its id


JSON_FAULTS = [
    (_name_twice, "ids", "video 1: this id is there twice"),
    (_set("videos", 1, length=9), "lengths", "video 2: 'length' is 9 but 'file_names' has 5"),
    (_set("videos", 1, width="wide"), "keys", r"videos[1] (id 2): 'width' is 'wide'"),
    (_set("annotations", 1, id=10), "ids", "annotation 10 of video 1: this id is there twice"),
    (_set("annotations", 1, video_id=7), "ids", "1 annotations of videos that are not in 'videos'"),
    (_set("annotations", 1, category_id=41), "category ids", "video 1: category_id 41 is not in"),
    (_set("annotations", 1, segmentations=[None]), "lengths", "video 1: 1 'segmentations'"),
    (_set("annotations", 1, bboxes=[[0, 0, 1, 1]]), "lengths", "video 1: 1 'bboxes' for a video"),
    (_set("annotations", 1, bboxes=7), "lengths", "video 1: 7 as 'bboxes'"),
    (_set("annotations", 1, areas=[1, 2]), "lengths", "video 1: 2 'areas' for a video of 3"),
    (_set("annotations", 1, areas="many"), "lengths", "video 1: 'many' as 'areas'"),
    (_set_mask({"size": [64, 48], "counts": "0"}), "masks", "video 1: segmentations[2]: mask size"),
    (_set_mask([[{}] * 6]), "masks", "video 1: segmentations[2]"),
    (_cut_mask, "masks", "video 1: segmentations[2]: 'counts' is cut off"),
    (lambda c: c.update(categories=YTVIS_2019_CATEGORIES[:-1]), "categories", "not those of"),
    (lambda c: c.update(categories=[]), "categories", "'categories' is empty"),
    (lambda c: c.pop("videos"), "keys", "key 'videos' is missing"),
    (lambda c: c.update(annotations={}), "keys", "'annotations' is neither"),
]


@pytest.mark.parametrize(("change", "kind", "message"), JSON_FAULTS)
def test_a_fault_of_the_json_is_named_alone(root, change, kind, message):
    content = healthy()
    change(content)
    write(root, content)
    faults = examine(NAME).faults
    assert faults.counts == {kind: 1}
    assert f"{root}/ytvis_2019/train/instances.json: " in faults.messages[kind][0]
    assert message in faults.messages[kind][0]


def test_it_goes_on_after_a_fault_and_lists_all(check, root, capsys):
    content = healthy()
    for change in (
        _cut_mask,
        _set("annotations", 0, areas=[1]),
        _set("annotations", 2, category_id=99),
        _set("annotations", 3, bboxes=[None]),
    ):
        change(content)
    write(root, content)
    frames = root / "ytvis_2019/train/JPEGImages"
    (frames / "video1/00001.png").unlink()
    (frames / "video2/00000.png").write_bytes((frames / "video2/00000.png").read_bytes()[:60])
    Image.new("RGB", (64, 40)).save(frames / "video2/00004.png")
    assert check.main([]) == 1
    out = capsys.readouterr().out
    assert f"{NAME}: 7 faults" in out
    for line in (
        "video 1: segmentations[2]: 'counts' is cut off",
        "annotation 10 of video 1: 1 'areas'",
        "annotation 20 of video 2: category_id 99",
        "annotation 21 of video 2: 1 'bboxes'",
        f"video 1: 1 of 3 frames are not there, the first of them is {frames}/video1/00001.png",
        f"video 2, frame {frames}/video2/00000.png: the image cannot be read",
        f"video 2, frame {frames}/video2/00004.png: the image has 64x40 pixels",
    ):
        assert line in out
    assert "2 videos, 4 tracks, 8 frames; 7 frames decoded" in out
    assert "1 of " in out and "not all is well" in out


def test_of_each_kind_some_are_listed_and_all_counted(check, root, capsys):
    content = healthy()
    for annotation in content["annotations"]:
        annotation["category_id"] = 50
    write(root, content)
    shutil.rmtree(root / "ytvis_2019/train/JPEGImages/video2")
    assert check.main([NAME, "--limit", "3"]) == 1
    out = capsys.readouterr().out
    assert "category ids: 4" in out and out.count("category_id 50") == 3
    assert "… and 1 more" in out
    assert "video 2: 5 of 5 frames are not there" in out


def test_images_are_drawn_by_seed_evenly_from_the_videos(root, monkeypatch):
    write(root, healthy())

    def opened(**arguments) -> list[str]:
        paths = []
        monkeypatch.setattr(
            "rcf_vis.data.checks.frames.read_frame", lambda path, **_: paths.append(path)
        )
        assert examine(NAME, **arguments).decoded == len(paths)
        return paths

    for seed in range(5):
        paths = opened(num_images=4, seed=seed)
        assert sum("video1" in path for path in paths) == 2 and len(set(paths)) == 4
        assert paths == opened(num_images=4, seed=seed)
    assert len({tuple(sorted(opened(num_images=2, seed=seed))) for seed in range(10)}) > 3
    assert len(set(opened(num_images=None))) == len(set(opened(num_images=99))) == 8
    assert opened(num_images=0) == []


@pytest.mark.parametrize("annotations", [None, "missing"])
def test_no_annotations_are_said_and_no_fault(check, root, capsys, annotations):
    content = healthy()
    content["annotations"] = None
    if annotations == "missing":
        del content["annotations"]
    write(root, content)
    assert check.main([NAME]) == 0
    out = capsys.readouterr().out
    assert "note: no annotations: can be tested on" in out and "2 videos, 0 tracks" in out


def test_videos_without_objects_are_said(root):
    content = healthy()
    content["annotations"] = content["annotations"][:2]
    write(root, content)
    diagnosis = examine(NAME)
    assert diagnosis.notes == ["1 videos without an object"] and not diagnosis.faults.counts


def test_what_is_not_there_is_a_fault_only_where_it_is_named(check, root, capsys):
    assert check.main([]) == 0
    out = capsys.readouterr().out
    assert f"0 of {len(registered_names())} data sets found; no fault" in out
    assert f"{root}/ovis/annotations/annotations_train.json" in out  # where it looked
    assert {"synthvis_train", "ytvis_2022_val", "coco2ytvis2019_train"} <= set(registered_names())
    assert out.count(": not found") == len(registered_names())
    assert check.main(["synthvis_val"]) == 1
    assert "synthvis_val: not found" in capsys.readouterr().out
    assert list(root.iterdir()) == []  # looking for it does not make it


def test_a_json_without_its_frames_is_a_fault(check, root, capsys):
    write(root, healthy(), frames=False)
    assert check.main([]) == 1
    out = capsys.readouterr().out
    assert f"{NAME}: 1 fault\n" in out and "no folder of frames" in out


@pytest.mark.parametrize("text", ["", '{"videos": [', "[1]"])
def test_a_broken_json(root, text):
    write(root, healthy())
    (root / "ytvis_2019/train/instances.json").write_text(text)
    assert examine(NAME).faults.counts == {"json": 1}


def test_a_set_of_ones_own(check, root, capsys, write_dataset):
    json_file, image_root = write_dataset(lengths=(2, 2))
    own = ["--register", "test_check_own", json_file]
    assert check.main([*own, image_root, "--images", "all"]) == 0
    out = capsys.readouterr().out
    assert "test_check_own: ok" in out and "4 frames decoded" in out
    assert check.main(["--register", "test_check_own2", json_file, "nowhere"]) == 1
    assert "nowhere is not there" in capsys.readouterr().out


def test_still_images_of_coco(root):
    (root / "coco/annotations").mkdir(parents=True)
    (root / "coco/train2017").mkdir()
    categories = [{"id": key, "name": name} for key, name in COCO_NAMES.items()]
    images = [{"id": k, "file_name": f"{k}.jpg", "width": 8, "height": 6} for k in (1, 2, 3)]
    person = {
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [0, 0, 4, 4],
        "segmentation": [[0, 0, 4, 0, 4, 4]],
    }
    annotations = [{**person, "id": k, "image_id": k} for k in (1, 2, 3)]
    annotations[2]["segmentation"] = {"size": [6, 9], "counts": [54]}
    content = {"images": images, "categories": categories, "annotations": annotations}
    json_file = root / "coco/annotations/instances_train2017.json"
    json_file.write_text(json.dumps(content))
    for k in (1, 3):
        Image.new("RGB", (8, 6)).save(root / f"coco/train2017/{k}.jpg")
    diagnosis = examine("coco2ytvis2019_train")
    assert (diagnosis.videos, diagnosis.tracks, diagnosis.frames, diagnosis.decoded) == (2, 2, 2, 1)
    assert diagnosis.faults.counts == {"missing frames": 1, "masks": 1}
    assert "annotations[2]: mask size [6, 9]" in diagnosis.faults.messages["masks"][0]
    annotations[0]["image_id"] = 9
    json_file.write_text(json.dumps(content))
    faults = examine("coco2ytvis2019_train").faults  # all of them, not the first alone
    assert "'images' has no image 9" in str(faults.messages) and faults.counts["masks"] == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_set"], "argument NAME: no data set 'no_such_set'; there are .*ovis_train"),
        (["coco_2017_train"], "argument NAME"),  # Detectron2's own, no video data set
        (["--images", "-1"], "argument --images"),
        (["--images", "some"], "argument --images: expected a number or 'all'"),
        (["--register", NAME, "a.json", "b"], "argument --register: the name .* is taken"),
    ],
)
def test_a_bad_argument_is_named(check, root, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_info:
        check.main(arguments)
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert re.search(message, error)


@pytest.mark.parametrize(
    "change", [lambda c: c.update(annotations=[]), lambda c: c["annotations"][0].update(iscrowd=1)]
)
def test_a_set_without_an_object_is_one_that_training_refuses(check, root, capsys, change):
    content = healthy(lengths=(3, 5))
    del content["annotations"][2:]
    content["annotations"][1]["segmentations"] = [None] * 3
    change(content)
    write(root, content)
    assert check.main([NAME]) == 1
    assert "objects: 1\n    " in capsys.readouterr().out
    with pytest.raises(DatasetError, match="no video with an annotated object"):
        get_video_dicts([NAME])
