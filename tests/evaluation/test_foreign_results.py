"""Results that nobody has vouched for."""

import copy
import json
import os
import zipfile

import pytest

from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.__main__ import main as evaluate
from rcf_vis.evaluation.result_files import RESULTS_JSON, read_result_list
from rcf_vis.evaluation.submission import main as submit
from tests.data.clip_data import make_content

NAN, INF, HUGE = float("nan"), float("inf"), 10**400


def good() -> tuple[dict, list[dict]]:
    content = copy.deepcopy(make_content(lengths=(3,)))
    keys = ("video_id", "category_id", "segmentations")
    results = [{**{k: a[k] for k in keys}, "score": 0.9} for a in content["annotations"]]
    return content, results


def of_mask(mask):
    return {"segmentations": [mask, None, None]}


def with_one_run_more():
    masks = good()[1][1]["segmentations"]
    masks[0]["counts"] += "4"
    return {"segmentations": masks}


FAULTS = (
    ({"score": NAN}, "score nan is no finite number"),
    ({"score": INF}, "score inf is no finite number"),
    ({"score": HUGE}, "is no finite number"),
    ({"score": "0.9"}, "score '0.9' is no finite number"),
    ({"score": True}, "score True is no finite number"),
    ({"score": None}, "score None is no finite number"),
    ({"video_id": 2**63}, "video_id 9223372036854775808 is not in"),
    ({"video_id": [1]}, "video_id [1] is not in"),
    ({"video_id": NAN}, "video_id nan is not in"),
    ({"segmentations": {"0": None}}, "'segmentations': dict found, expected a list"),
    ({"segmentations": []}, "0 'segmentations' for a video of 3 frames"),
    (with_one_run_more(), "expected runs that cover 48 x 64"),
    (of_mask({"size": [48, 64], "counts": ""}), "expected runs that cover 48 x 64"),
    (of_mask({"size": [2**31, 2**31], "counts": "0"}), "mask size"),
    (of_mask({"size": [48, 64], "counts": [50, -50, 3072]}), "run lengths do not cover"),
    (of_mask({"size": [48, 64], "counts": [HUGE]}), "run lengths do not cover"),
    (of_mask([[4, 4, 14, NAN, 14, 14]]), "not finite"),
    (of_mask([[4, 4, 14, 3e8, 14, 14]]), "LIMITS.OUTLINE_PIXELS"),
    (of_mask([[0, 0, 1e5, 1e5] * 50]), "LIMITS.OUTLINE_PIXELS"),
    (of_mask("7"), "no mask that can be read"),
)


@pytest.fixture
def write(tmp_path):
    def write(changes) -> list[str]:
        content, results = good()
        results[1].update(changes)
        (tmp_path / "gt.json").write_text(json.dumps(content))
        (tmp_path / "results.json").write_text(json.dumps(results))
        return [str(tmp_path / name) for name in ("gt.json", "results.json")]

    return write


@pytest.mark.parametrize(("changes", "message"), FAULTS)
def test_a_fault_ends_the_evaluation_with_its_place(write, tmp_path, changes, message):
    gt, results = write(changes)
    with pytest.raises(DatasetError) as found:
        evaluate_ytvis(gt, results)
    assert message in str(found.value) and f"{results}[1]" in str(found.value)
    with pytest.raises(SystemExit, match=r"^error: .*results\.json\[1\]"):
        evaluate(["--gt", gt, "--results", results])
    with pytest.raises(SystemExit, match=r"results\.json\[1\].*\nNo submission is written"):
        submit([results, "--gt", gt, "--output", str(tmp_path / "out.zip")])
    assert not (tmp_path / "out.zip").exists()


def packed(path, content, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as archive, archive.open(RESULTS_JSON, "w") as file:
        for piece in content:
            file.write(piece)
    return str(path)


def test_a_zip_that_unpacks_without_end(tmp_path):
    spaces = [b" " * 2**20] * 40
    path = packed(tmp_path / "x.zip", spaces)
    with pytest.raises(DatasetError, match="as large as it is packed: 10.. is over the limit"):
        read_result_list(path)
    path = packed(tmp_path / "x.zip", [b"[", *spaces, b"]"], zipfile.ZIP_STORED)
    assert read_result_list(path) == []  # what is there in full may be read
    path = packed(tmp_path / "x.zip", [b"[]"], zipfile.ZIP_LZMA)
    with pytest.raises(DatasetError, match="packed by method 14, expected deflate"):
        read_result_list(path)
    path = packed(tmp_path / "x.zip", [b"[1, ", bytes(20)])
    with pytest.raises(DatasetError, match=r"x.zip: results.json: .* \(zeros at byte 4\)"):
        read_result_list(path)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    place = data.index(b"PK\1\2")
    data[place + 24 : place + 28] = b"\xff\xff\xff\xf0"  # the size, in its directory
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(DatasetError, match="bytes: 4043309055 is over the limit of 2147483648"):
        read_result_list(path)


def test_what_is_no_file(tmp_path):
    for name in ("x.json", "x.zip"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(DatasetError, match="is a named pipe, expected a file"):
            read_result_list(tmp_path / name)
    (tmp_path / "y.json").write_text("[1]", encoding="utf-16")
    assert read_result_list(tmp_path / "y.json") == [1]


@pytest.mark.parametrize(
    ("name", "message"),
    [("", "is a folder"), ("gt.json", "is the input"), ("gt.json/x.json", "gt.json")],
)
def test_an_output_that_cannot_be_is_found_before_the_work(write, tmp_path, name, message):
    gt, results = write({"score": "what the evaluation would find"})
    before = (tmp_path / "gt.json").read_bytes()
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        evaluate(["--gt", gt, "--results", results, "--json", str(tmp_path / name)])
    with pytest.raises(SystemExit, match=message):
        submit([results, "--gt", gt, "--output", str(tmp_path / name)])
    assert (tmp_path / "gt.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gt.json", "results.json"]
