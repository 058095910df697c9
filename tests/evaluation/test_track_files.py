import json
import re
import zipfile

import pytest

from rcf_vis.data import DatasetError
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.result_files import read_result_list

from .ytvis_cases import box, ground_truth, result, truth, video

MASK = box(2, 2, 8, 8)
CUT_OFF = {"size": [20, 30], "counts": MASK["counts"] + "o"}


def good():
    return ground_truth([truth(5, [MASK] * 3)]), [result([MASK] * 3)]


BAD_RESULTS = {
    "unknown video": (lambda r: r.update(video_id=8), r"results\[0\] \(video 8\).*ground truth"),
    "missing key": (lambda r: r.pop("score"), r"results\[0\]: key 'score'"),
    "score nan": (lambda r: r.update(score=float("nan")), r"\(video 1\): score nan"),
    "score infinite": (lambda r: r.update(score=float("inf")), "score inf is no finite number"),
    "score bool": (lambda r: r.update(score=True), "score True is no finite number"),
    "video a list": (lambda r: r.update(video_id=[1]), r"video_id \[1\] is not in ground truth"),
    "no list of masks": (lambda r: r.update(segmentations=None), "NoneType found, expected a list"),
    "no masks": (lambda r: r.update(segmentations=[]), "0 'segmentations' for a video of 3"),
    "score null": (lambda r: r.update(score=None), r"\(video 1\): score None"),
    "number of frames": (
        lambda r: r.update(segmentations=[MASK] * 2),
        r"\(video 1\): 2 'segmentations' for a video of 3",
    ),
    "size of a mask": (
        lambda r: r["segmentations"].__setitem__(1, box(0, 0, 2, 2, size=(30, 20))),
        r"\(video 1\): segmentations\[1\]: mask size \[30, 20\], expected .*\[20, 30\]",
    ),
    "no mask": (lambda r: r["segmentations"].__setitem__(2, "x"), r"segmentations\[2\]"),
    "no counts": (lambda r: r["segmentations"].__setitem__(2, {"size": [20, 30]}), "counts"),
    "cut off": (
        lambda r: r["segmentations"].__setitem__(0, CUT_OFF),
        r"segmentations\[0\].*cut off",
    ),
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_bad_results(case):
    spoil, message = BAD_RESULTS[case]
    gt, results = good()
    spoil(results[0])
    with pytest.raises(ValueError, match=message):
        evaluate_ytvis(gt, results)


BAD_TRUTHS = {
    "annotations missing": (lambda g: g.pop("annotations"), "no 'annotations'"),
    "annotations null": (lambda g: g.update(annotations=None), "no 'annotations'"),
    "categories missing": (lambda g: g.pop("categories"), "key 'categories'"),
    "videos no list": (lambda g: g.update(videos={}), "'videos' is {}, expected list"),
    "unknown category": (
        lambda g: g["annotations"][0].update(category_id=4),
        r"annotation 5 of video 1: category_id 4",
    ),
    "id twice": (
        lambda g: g["annotations"].append(g["annotations"][0]),
        r"annotation 5 of video 1: this id is there twice",
    ),
    "video without size": (
        lambda g: g["videos"][0].pop("height"),
        r"videos\[0\] \(id 1\): key 'height'",
    ),
    "number of frames": (
        lambda g: g["annotations"][0].update(segmentations=[]),
        "0 'segmentations'.* 3 frames",
    ),
    "areas": (
        lambda g: g["annotations"][0].update(areas=["a"]),
        r"annotation 5 .* 1 'areas' for a video of 3",
    ),
}


@pytest.mark.parametrize("case", BAD_TRUTHS)
def test_bad_ground_truth(case):
    spoil, message = BAD_TRUTHS[case]
    gt, results = good()
    gt["categories"] = list(gt["categories"])
    spoil(gt)
    with pytest.raises(DatasetError, match=message):
        evaluate_ytvis(gt, results)


def test_files_are_named(tmp_path):
    gt, results = good()
    gt_path, results_path = tmp_path / "gt.json", tmp_path / "results.json"
    gt_path.write_text(json.dumps(gt))
    with pytest.raises(FileNotFoundError, match=re.escape(str(results_path))):
        evaluate_ytvis(gt_path, results_path)
    results_path.write_text(json.dumps(results)[:-20])
    with pytest.raises(DatasetError, match=re.escape(str(results_path)) + ".*not a complete json"):
        evaluate_ytvis(gt_path, results_path)
    results_path.write_text(json.dumps({"results": results}))
    with pytest.raises(ValueError, match=re.escape(str(results_path)) + ".*expected a list"):
        evaluate_ytvis(gt_path, results_path)
    results_path.write_text(json.dumps([*results, dict(results[0], video_id=3)]))
    with pytest.raises(ValueError, match=re.escape(f"{results_path}[1] (video 3)")):
        evaluate_ytvis(gt_path, results_path)


def test_annotations_of_videos_that_are_not_there_are_left_out(caplog):
    gt, results = good()
    gt["annotations"].append(truth(6, [MASK] * 3, video_id=77))
    assert evaluate_ytvis(gt, results)["AP"] == 1
    assert "1 annotations of videos that are not in 'videos'" in caplog.text


def test_length_is_that_of_file_names_where_it_is_missing():
    gt, results = good()
    gt["videos"] = [{key: value for key, value in video().items() if key != "length"}]
    assert evaluate_ytvis(gt, results)["AP"] == 1
    gt["videos"][0]["file_names"].append("one more")
    with pytest.raises(DatasetError, match="4 frames"):
        evaluate_ytvis(gt, results)
    gt["videos"] = [{key: video()[key] for key in ("id", "height", "width", "length")}]
    assert evaluate_ytvis(gt, results)["AP"] == 1


def test_fields_that_do_not_enter_are_not_read():
    """As the official evaluator: ids may be there twice, boxes and areas be anything."""
    gt, results = good()
    more = {"id": 5, "bboxes": "x", "areas": None, "iscrowd": 3}
    results = [results[0] | more, result([box(9, 20, 12, 28)] * 3, 0.1) | more]
    assert evaluate_ytvis(gt, results)["AP"] == 1


def test_results_of_unknown_categories_are_ignored_and_counted(caplog):
    """The results of a full model, evaluated on a json of some categories."""
    gt, results = good()
    extra = [result([MASK] * 3, 0.99, category_id=c) for c in (2, 2, 40, [1], "1", True)]
    assert evaluate_ytvis(gt, [*extra, *results]) == evaluate_ytvis(gt, results)
    assert "results: 6 results are ignored, as their categories are not in ground" in caplog.text
    assert caplog.text.count("are ignored") == 1
    assert "'1', 2, 40, True, [1]" in caplog.text


def test_categories_of_the_same_name():
    gt, results = good()
    gt["categories"] = [*gt["categories"], {"id": 9, "name": "person"}]
    figures = evaluate_ytvis(gt, results)["per_category"]
    assert figures == {"person (id 1)": 1.0, "cat": -1.0, "unseen": -1.0, "person (id 9)": -1.0}


@pytest.mark.parametrize("text", ["", "[", "[{}", "[{},]", "[{}] {}", "x", b'["\xff"]'])
def test_incomplete_files(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError, match=re.escape(str(path)) + ": not a complete json"):
        read_result_list(path)


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_json", ".json"), content)


def test_zip(tmp_path):
    path = tmp_path / "results.ZIP"
    make_zip(path, results_json='[{"a": 1}, null]')
    assert read_result_list(path) == [{"a": 1}, None]


def test_bad_zips(tmp_path):
    path = tmp_path / "results.zip"
    with pytest.raises(FileNotFoundError, match="expected a zip"):
        read_result_list(path)
    make_zip(path, folder__results_json="[]")
    with pytest.raises(DatasetError, match=r"at the root of the zip.*found folder/results\.json"):
        read_result_list(path)
    make_zip(path, results_json="[]", other_json="[]")
    with pytest.raises(DatasetError, match=r"nothing else, found results\.json, other\.json"):
        read_result_list(path)
    make_zip(path)
    with pytest.raises(DatasetError, match="found nothing"):
        read_result_list(path)
    make_zip(path, results_json="[{}, ")
    with pytest.raises(DatasetError, match=r"zip: results\.json: not a complete json"):
        read_result_list(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match="not a complete zip"):
        read_result_list(path)


def test_an_empty_list_is_told(caplog):
    gt, _ = good()
    assert evaluate_ytvis(gt, [])["AP"] == 0
    assert "results: an empty list" in caplog.text
