"""What a json may hold: training, the check and the evaluation refuse and say the same."""

import copy
import json
import os

import pytest

from rcf_vis.config import read_config
from rcf_vis.data import build_train_loader, load_ytvis_json, register_datasets_from_cfg
from rcf_vis.data.json_rules import read_json
from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_ytvis
from tests.data.clip_data import make_content, write_frames
from tests.scripts import ROOT, load_script

NAN, INF, HUGE = float("nan"), float("inf"), 10**400
DEEP = []
for _ in range(600):
    DEEP = [DEEP]
CONFIG = str(ROOT / "configs/synthvis/rcf_tiny.yaml")


def of_video(**values):
    return lambda content: content["videos"][0].update(values)


def of_track(**values):
    return lambda content: content["annotations"][1].update(values)


def of_mask(value):
    return of_track(segmentations=[value, None, None])


def of_all(**values):
    return lambda content: [track.update(values) for track in content["annotations"]]


def box(*values):
    return of_track(bboxes=[list(values), None, None])


def polygon(value):
    return of_mask([[4, 4, 14, value, 14, 14, 4, 14]])


FAULTS = (
    (of_video(id=2**63), "'id' is 9223372036854775808, more than 64 bits hold"),
    (of_video(id=1.0), "'id' is 1.0, expected int"),
    (of_track(id=-(2**63) - 1), "more than 64 bits hold"),
    (of_track(id=HUGE), "more than 64 bits hold"),
    (of_track(id=None), "'id' is None, expected int"),
    (of_track(id=True), "'id' is True, expected int"),
    (of_track(category_id=2**64), "more than 64 bits hold"),
    (of_video(width=0), "0x48 is no size"),
    (of_video(height=-48), "64x-48 is no size"),
    (of_video(width=64.0), "'width' is 64.0, expected int"),
    (of_video(width=10**9), "1000000000x48 pixels: 48000000000 is over the limit of 50000000"),
    (of_video(height=2**62), "over the limit of 50000000; LIMITS.IMAGE_PIXELS"),
    (of_video(length=10**9), "'length' is 1000000000 but 'file_names' has 3"),
    (of_video(file_names=["a", "b", 3]), "'file_names' has an entry that is no string"),
    (of_video(file_names=["a\0", "b", "c"]), "'file_names' has an entry that is no string"),
    (of_video(file_names=["\ud800", "b", "c"]), "'file_names' has an entry that is no string"),
    (lambda c: c["categories"][0].update(name="\udfff"), r"'\udfff', which is no text"),
    (polygon(NAN), "not finite"),
    (polygon(INF), "not finite"),
    (polygon(None), "expected numbers"),
    (polygon(3e8), "over the limit of 2500000; LIMITS.OUTLINE_PIXELS"),
    (polygon(HUGE), "too large"),
    (of_mask({"size": [48, 64], "counts": "0"}), "expected runs that cover 48 x 64"),
    (of_mask({"size": [48, 64], "counts": [HUGE]}), "run lengths do not cover the mask"),
    (of_mask({"size": [10**9, 10**9], "counts": [10**18]}), "mask size"),
    (of_mask({"size": [NAN, 64], "counts": "0"}), "mask size"),
    (of_mask(7), "no mask that can be read"),
    (of_mask(False), "no mask that can be read"),
    (of_mask(""), "no mask that can be read"),
    (box(0, 0, NAN, 4), "the box [0, 0, nan, 4], expected four numbers"),
    (box(0, 0, 4), "expected four numbers"),
    (box(0, 0, HUGE, 4), "expected four numbers"),
    (box(0, 0, "4", 4), "expected four numbers"),
    (box(0, 0, 4, 1e10), "expected four numbers"),
    (of_track(areas=["1", "2", "3"]), "'areas' has '1', expected numbers and nulls"),
    (of_track(areas=[1, NAN, None]), "'areas' has nan, expected numbers and nulls"),
    (of_track(areas=[1, HUGE, None]), "'areas' has 1000"),
    (of_track(areas=[1, -5, None]), "'areas' has -5"),
    (of_track(areas=[True, None, None]), "'areas' has True"),
    (of_track(areas=5), "5 as 'areas'"),
    (of_track(iscrowd="0"), "'iscrowd' is '0', expected 0 or 1"),
    (of_track(iscrowd=[0, 0]), "'iscrowd' is [0, 0], expected 0 or 1"),
    (of_track(iscrowd=DEEP), "'iscrowd' is [[[[...]]]], expected 0 or 1"),
    (of_track(iscrowd=2), "'iscrowd' is 2, expected 0 or 1"),
    (of_all(iscrowd=1), "all 2 tracks are crowds ('iscrowd' 1), which are neither trained on nor"),
)


@pytest.fixture
def write(tmp_path):
    def write(change=None, encoding="utf-8", **options) -> str:
        content = copy.deepcopy(make_content(lengths=(3,)))
        if change is not None:
            change(content)
        write_frames(make_content(lengths=(3,)), tmp_path / "frames")
        text = json.dumps(content, **options)
        (tmp_path / "set.json").write_bytes(text.encode(encoding))
        (tmp_path / "results.json").write_text("[]")
        return str(tmp_path / "set.json")

    return write


def check(*register) -> int:
    return load_script("datasets/check.py").main(["--register", *register])


@pytest.mark.parametrize(("change", "message"), FAULTS)
def test_a_fault_is_one_for_all(write, tmp_path, capsys, change, message):
    json_file, frames = write(change), str(tmp_path / "frames")
    with pytest.raises(DatasetError) as of_loader:
        load_ytvis_json(json_file, frames)
    assert message in str(of_loader.value) and json_file in str(of_loader.value)
    assert check(tmp_path.name, json_file, frames) == 1
    report = capsys.readouterr().out
    assert f"{of_loader.value.kind}: 1\n    {of_loader.value}\n" in report
    if "file_names" not in message:  # no frame is read
        with pytest.raises(DatasetError) as of_evaluator:
            evaluate_ytvis(json_file, str(tmp_path / "results.json"))
        assert str(of_evaluator.value) == str(of_loader.value)


def test_the_fault_is_found_before_the_first_step(write, tmp_path):
    entry = [["refused", write(of_track(areas=["1", "2", "3"])), str(tmp_path / "frames")]]
    cfg = read_config(CONFIG, ["DATASETS.REGISTER", str(entry), "DATASETS.TRAIN", "('refused',)"])
    register_datasets_from_cfg(cfg)
    with pytest.raises(DatasetError, match="'areas' has '1'"):
        build_train_loader(cfg)


NOTES = (
    (of_track(iscrowd=True), "1 of 2 tracks are crowds, neither trained on nor looked for"),
    (of_track(segmentations=[None, None, []]), "1 of 2 tracks have no mask in any frame"),
    (of_track(id=0), "the official evaluator never counts an annotation with the id of 0"),
    (lambda c: c["categories"][0].update(name="box"), "categories of the same name, told apart"),
)


@pytest.mark.parametrize(("change", "message"), NOTES)
def test_what_is_not_used_is_said(write, tmp_path, capsys, caplog, change, message):
    json_file, frames = write(change), str(tmp_path / "frames")
    load_ytvis_json(json_file, frames)
    assert f"{json_file}: {message}" in caplog.text
    caplog.clear()
    evaluate_ytvis(json_file, str(tmp_path / "results.json"))
    assert f"{json_file}: {message}" in caplog.text
    assert check(tmp_path.name, json_file, frames) == 0
    assert f"note: {message}" in capsys.readouterr().out


@pytest.mark.parametrize("value", [0, 1, False, True, 0.0, None])
def test_crowds_that_are_said(write, tmp_path, value):
    (record,) = load_ytvis_json(write(of_track(iscrowd=value)), str(tmp_path))
    assert [item["iscrowd"] for item in record["annotations"][0]] == [0, int(value or 0)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings(write, tmp_path, capsys, encoding):
    def change(content):
        content["categories"][0]["name"] = "Bällchen 球"

    json_file = write(change, encoding, ensure_ascii=False)
    load_ytvis_json(json_file, str(tmp_path / "frames"))
    figures = evaluate_ytvis(json_file, str(tmp_path / "results.json"))
    assert "Bällchen 球" in figures["per_category"]
    assert check(tmp_path.name, json_file, str(tmp_path / "frames")) == 0
    assert f"{tmp_path.name}: ok" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a complete json"),
        (b'{"a": ', "not a complete json"),
        (b"[" * 100_000, "not a complete json"),
        (b'{"a":' * 100_000, "not a complete json"),
        (b'{"a": ' + b"9" * 5000 + b"}", ""),
        (b"\xff\xfe{\0\xd8", "not a complete json"),
        (b"\x80abc", "not a complete json"),
        (b'{"a"\0: 1}', "zeros at byte 4"),
        (bytes(100), "zeros at byte 0"),
        ("{".encode("utf-16") + bytes(100), "zeros at byte"),
        (b"[]", "a list at the top; expected a dict"),
        (b"NaN", "a float at the top"),
    ],
)
def test_what_is_no_json(tmp_path, content, message):
    (tmp_path / "x.json").write_bytes(content)
    try:
        found = read_json(str(tmp_path / "x.json"), "a json")
    except DatasetError as fault:
        assert message in str(fault) and "x.json" in str(fault)
    else:
        assert not message and found  # Python reads integers of any length, or says that it won't


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, kind in {"pipe": "named pipe", "": "folder", "/dev/zero": "device"}.items():
        with pytest.raises(DatasetError, match=f"is a {kind}, expected a file"):
            read_json(str(tmp_path / name), "a json")
    with pytest.raises(FileNotFoundError, match="no such file; expected a json"):
        read_json(str(tmp_path / "none"), "a json")


def test_files_that_are_too_large(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    with open(path, "wb") as file:
        file.write(b'{"a": 1')
        file.truncate(2**40)  # a hole
    with pytest.raises(DatasetError, match="1099511627776 is over the limit of 2147483648; LIMITS"):
        read_json(str(path), "a json")
    monkeypatch.setenv("RCF_LIMIT_JSON_BYTES", str(2**50))
    with pytest.raises(DatasetError, match="zeros at byte 7"):
        read_json(str(path), "a json")


def test_limits_of_a_config_hold_everywhere(write, tmp_path, monkeypatch):
    for name in ("VIDEO_FRAMES", "IMAGE_PIXELS"):
        monkeypatch.setenv(f"RCF_LIMIT_{name}", "1000000")  # whatever sets it, it is gone then
    json_file = write()
    load_ytvis_json(json_file, str(tmp_path))
    register_datasets_from_cfg(read_config(CONFIG, ["LIMITS.VIDEO_FRAMES", "2"]))
    with pytest.raises(DatasetError, match="frames of a video: 3 is over the limit of 2; LIMITS.V"):
        load_ytvis_json(json_file, str(tmp_path))
    with pytest.raises(ValueError, match="LIMITS.IMAGE_PIXELS is 0, expected a whole number over"):
        register_datasets_from_cfg(read_config(CONFIG, ["LIMITS.IMAGE_PIXELS", "0"]))
