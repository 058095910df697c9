"""datasets/convert.py: between YouTube-VIS and CocoVID, and back without a loss."""

import json

import pytest

from rcf_vis.data import load_ytvis_json
from tests.scripts import load_script

from .clip_data import make_content
from .test_json_forms import H, W, coco, coco_vid, rle


@pytest.fixture(scope="module")
def convert():
    return load_script("datasets/convert.py")


def run(convert, folder, content, form, name="out.json"):
    (folder / "in.json").write_text(json.dumps(content))
    arguments = ["--json", str(folder / "in.json"), "--to", form, "--output", str(folder / name)]
    assert convert.main(arguments) == 0
    return json.loads((folder / name).read_text())


def test_cocovid_to_ytvis(convert, tmp_path, capsys):
    content = run(convert, tmp_path, coco_vid(), "ytvis")
    assert "2 videos, 3 annotations" in capsys.readouterr().out
    track = content["annotations"][1]
    assert track["segmentations"] == [rle(6, 6, 9, 9), None, None]
    assert track["bboxes"] == [[6, 6, 3, 3], None, None]
    assert track["areas"] == [9, None, None]
    assert content["categories"] == coco_vid()["categories"]


def test_ytvis_to_cocovid(convert, tmp_path):
    ytvis = run(convert, tmp_path, coco_vid(), "ytvis", "ytvis.json")
    content = run(convert, tmp_path, ytvis, "cocovid")
    assert content["videos"][1] == {"id": 2, "name": "pond", "fps": 25, "width": W, "height": H}
    assert content["images"][1] == {
        **{"id": 2, "file_name": "11.png", "width": W, "height": H},
        **{"video_id": 1, "frame_id": 1},
    }
    assert [a["image_id"] for a in content["annotations"]] == [1, 2, 3, 1, 4]
    assert content["annotations"][3] == {
        **{"id": 4, "image_id": 1, "video_id": 1, "category_id": 7, "instance_id": 2},
        **{"iscrowd": 0, "segmentation": rle(6, 6, 9, 9), "bbox": [6, 6, 3, 3], "area": 9},
    }


@pytest.mark.parametrize("annotated", [True, False])
def test_there_and_back(convert, tmp_path, annotated):
    content = make_content(lengths=(3, 5))
    if not annotated:
        content["annotations"] = None
    there = run(convert, tmp_path, content, "cocovid", "there.json")
    run(convert, tmp_path, there, "ytvis", "back.json")
    (tmp_path / "in.json").write_text(json.dumps(content))
    before, after = (load_ytvis_json(str(tmp_path / f), "x") for f in ("in.json", "back.json"))
    assert len(before) == 2 and before == after
    assert ("annotations" in before[0]) == annotated


def test_images_become_videos(convert, tmp_path):
    content = run(convert, tmp_path, coco(), "ytvis")
    assert [video["still_image"] for video in content["videos"]] == [True] * 3
    assert len(content["annotations"]) == 3


def test_nothing_is_replaced_or_left(convert, tmp_path, capsys):
    source, there = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text(json.dumps(coco_vid()))
    there.write_text("mine")
    arguments = ["--json", str(source), "--to", "ytvis", "--output"]
    assert convert.main([*arguments, str(there)]) == 1
    assert "--force replaces it" in capsys.readouterr().err and there.read_text() == "mine"
    assert convert.main([*arguments, str(source), "--force"]) == 1
    assert "is the json that is to be converted" in capsys.readouterr().err
    assert convert.main([*arguments, str(there), "--force"]) == 0
    source.write_text("{}")
    assert convert.main([*arguments, str(tmp_path / "new.json")]) == 1
    assert "in.json: key 'categories' is missing" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.json", "out.json"]
