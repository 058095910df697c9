"""What a json names lies in the data set's folders, or nothing of it is read."""

import json
import os

import cv2
import numpy as np
import pytest

from rcf_vis.config import read_config
from rcf_vis.data import load_ytvis_json, register_datasets_from_cfg
from rcf_vis.data.coco import load_coco_stills
from rcf_vis.data.convert import as_coco_vid
from rcf_vis.data.roots import Root
from rcf_vis.data.split import load_annotated_json
from rcf_vis.errors import DatasetError
from tests.data.clip_data import make_content, write_frames
from tests.scripts import ROOT, load_script

OUTSIDE = r"leads out of .*/set; expected a file in it, or DATASETS.ALLOW_OUTSIDE_ROOT True"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """The folder of a data set, and one beside it with a picture."""
    monkeypatch.delenv("RCF_ALLOW_OUTSIDE_ROOT", raising=False)
    monkeypatch.setenv("RCF_ALLOW_OUTSIDE_ROOT", "")  # whatever sets it, it is gone afterwards
    (tmp_path / "set" / "sub").mkdir(parents=True)
    (tmp_path / "set2").mkdir()
    cv2.imwrite(str(tmp_path / "set2" / "x.png"), np.zeros((48, 64, 3), np.uint8))
    return tmp_path / "set", tmp_path / "set2"


def names_outside(inside, outside):
    os.symlink(outside / "x.png", inside / "link.png")
    os.symlink(outside, inside / "folder")
    os.symlink("folder", inside / "chain")
    return [
        "../set2/x.png",
        "sub/../../set2/x.png",
        str(outside / "x.png"),
        "link.png",
        "folder/x.png",
        "chain/x.png",
        "folder/not_there.png",
        "..",
        "sub/..",
        ".",
        "",
        "/etc/hostname",
        "/dev/stdin",
    ]


def test_names_that_lead_out(folders):
    inside, outside = folders
    for name in names_outside(inside, outside):
        with pytest.raises(DatasetError, match=OUTSIDE) as found:
            Root(str(inside)).place(name, "video 7")
        assert found.value.kind == "outside" and str(found.value).startswith("video 7: ")


def test_names_that_stay(folders):
    inside, _ = folders
    (inside / "a.png").write_bytes(b"")
    os.symlink("a.png", inside / "b.png")
    os.symlink("sub", inside / "other")
    os.symlink(inside, inside.parent / "named")
    for root in (inside, inside.parent / "named"):
        place = Root(str(root)).place
        for name in ("a.png", "b.png", "other/c.png", "sub/../a.png", "no/such.png", "...png"):
            assert place(name, "") == os.path.join(root, name)
        assert place(str(root / "a.png"), "") == str(root / "a.png")
    assert Root("/").place("etc/x", "") == "/etc/x"


def write(inside, name):
    content = make_content(lengths=(1,))
    write_frames(content, inside)
    content["videos"][0]["file_names"] = [name]
    (inside.parent / "set.json").write_text(json.dumps(content))
    return str(inside.parent / "set.json")


def test_loader_doctor_and_sheets_refuse_them(folders, capsys):
    inside, outside = folders
    check, sheets = load_script("datasets/check.py"), load_script("tools/visualize_data.py")
    for number, name in enumerate(names_outside(inside, outside)[:6]):
        json_file = write(inside, name)
        with pytest.raises(DatasetError, match=f"set.json: video 1: .*{OUTSIDE}"):
            load_ytvis_json(json_file, str(inside))
        assert check.main(["--register", f"s{number}", json_file, str(inside)]) == 1
        assert "outside: 1\n" in capsys.readouterr().out
    entry = [["outside_sheet", json_file, str(inside)]]
    opts = ["DATASETS.REGISTER", str(entry), "DATASETS.TRAIN", "('outside_sheet',)"]
    config = str(ROOT / "configs/synthvis/rcf_tiny.yaml")
    out = inside.parent / "sheets"
    with pytest.raises(DatasetError, match=OUTSIDE):
        sheets.main(["--config-file", config, "--output", str(out), "--opts", *opts])
    assert not list(out.glob("*"))


@pytest.mark.parametrize("how", ["variable", "config", "option"])
def test_who_keeps_them_so_can_say_it(folders, monkeypatch, how):
    inside, _ = folders
    json_file = write(inside, "../set2/x.png")
    if how == "variable":
        monkeypatch.setenv("RCF_ALLOW_OUTSIDE_ROOT", "1")
    elif how == "config":
        config = str(ROOT / "configs/synthvis/rcf_tiny.yaml")
        register_datasets_from_cfg(read_config(config, ["DATASETS.ALLOW_OUTSIDE_ROOT", "True"]))
    else:
        register = ["--register", "allowed", json_file, str(inside)]
        assert load_script("datasets/check.py").main(["--allow-outside-root", *register]) == 0
    (record,) = load_ytvis_json(json_file, str(inside))
    assert record["file_names"] == [f"{inside}/../set2/x.png"]


def test_audio_and_images_of_coco(folders):
    inside, outside = folders
    content = make_content(lengths=(1,))
    (inside.parent / "set.json").write_text(json.dumps(content))
    (inside / "audio").mkdir()
    (outside / "a.wav").write_bytes(b"")
    os.symlink(outside / "a.wav", inside / "audio" / "video1.wav")
    with pytest.raises(DatasetError, match=r"video 1: .*video1\.wav' leads out of .*/audio"):
        load_ytvis_json(
            str(inside.parent / "set.json"), str(inside), audio_root=str(inside / "audio")
        )
    image = {"id": 3, "width": 9, "height": 9, "file_name": "../set2/x.png"}
    stills = {"images": [image], "categories": [{"id": 1, "name": "person"}], "annotations": []}
    (inside.parent / "coco.json").write_text(json.dumps(stills))
    with pytest.raises(DatasetError, match=f"image 3: .*{OUTSIDE}"):
        load_coco_stills(
            str(inside.parent / "coco.json"), str(inside), class_map={}, classes=["person"]
        )


def test_what_reads_no_frame_has_no_root(folders):
    """datasets/split.py and convert.py keep names as they are."""
    inside, _ = folders
    json_file = write(inside, "/elsewhere/0.png")
    assert load_annotated_json(json_file)["videos"][0]["file_names"] == ["/elsewhere/0.png"]
    assert as_coco_vid(json_file)["images"][0]["file_name"] == "/elsewhere/0.png"
