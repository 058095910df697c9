import json
import zipfile

import pytest

from rcf_vis.data import DatasetError
from rcf_vis.evaluation import write_submission
from rcf_vis.evaluation.submission import main
from rcf_vis.evaluation.submission_check import find_problems
from rcf_vis.evaluation.track_files import read_header

from .ytvis_cases import CATEGORIES, box, ground_truth, result, video

MASK = box(2, 2, 8, 8)
HEADER = {"videos": [video(1), video(4, length=2)], "categories": CATEGORIES}


@pytest.fixture
def files(tmp_path):
    """Write results; give their path and the zip's."""

    def write(results):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(results))
        return path, tmp_path / "out" / "results.zip"

    return write


def test_what_is_right_is_packed_as_it_is(files):
    results = [result([MASK, None, MASK], 0.5), result([None, MASK], -3, 4, 7)]
    path, out = files(results)
    before = path.read_bytes()
    write_submission(path, ground_truth([], HEADER["videos"]) | {"annotations": None}, out)
    with zipfile.ZipFile(out) as archive:
        assert archive.namelist() == ["results.json"]
        assert archive.read("results.json") == before


def test_every_problem_is_listed(files):
    wrong_size = box(2, 2, 8, 8, size=(30, 20))
    results = [
        result([MASK] * 3),
        result([MASK] * 3, float("nan"), video_id=9, category_id=2),
        result([MASK, wrong_size], float("inf"), category_id="1"),
        result([{}, {**MASK, "counts": [600]}, {**MASK, "counts": MASK["counts"] + "o"}]),
        {"video_id": 1, "segmentations": []},
        "entry",
        result({"0": MASK}, "0.5", video_id=[1]),
        result([MASK, {**MASK, "counts": MASK["counts"] + "0"}], True, video_id=4),
    ]
    path, out = files(results)
    problems = find_problems(path, read_header(HEADER))
    expected = [
        (1, "category_id 2 is unknown; expected one of [1, 3, 7]"),
        (1, "score nan, expected a finite number"),
        (1, "video_id 9 is not in ground truth"),
        (2, "category_id '1' is unknown; expected one of [1, 3, 7]"),
        (2, "score inf, expected a finite number"),
        (2, "2 'segmentations' for the 3 frames of video 1; expected one entry a frame"),
        (2, "segmentations[1]: mask size [30, 20], expected [height, width] = [20, 30]"),
        (3, "segmentations[0]: expected null, or a mask with 'size' and 'counts'"),
        (3, "segmentations[1]: 'counts' is a list, expected a str"),
        (3, "segmentations[2]: 'counts' is cut off or broken; expected runs that cover 20 x 30"),
        (4, "key 'category_id' is missing"),
        (4, "key 'score' is missing"),
        (5, "str found, expected a dict with video_id, category_id, score, segmentations"),
        (6, "score '0.5', expected a finite number"),
        (6, "'segmentations' is a dict, expected a list"),
        (6, "video_id [1] is not in ground truth"),
        (7, "score True, expected a finite number"),
        (7, "segmentations[1]: 'counts' is cut off or broken; expected runs that cover 20 x 30"),
    ]
    assert len(problems) == len(expected)
    for problem, (index, message) in zip(problems, expected, strict=True):
        assert problem.startswith(f"{path}[{index}]: {message}")
    with pytest.raises(DatasetError) as error:
        write_submission(path, HEADER, out)
    assert str(error.value).splitlines() == problems
    assert not out.exists()


def test_no_results(files):
    path, out = files([])
    with pytest.raises(DatasetError, match="an empty list"):
        write_submission(path, HEADER, out)
    assert not out.exists()


def test_command_line(files, tmp_path, capsys):
    gt = tmp_path / "valid.json"
    gt.write_text(json.dumps(HEADER))
    path, out = files([result([MASK] * 3)])
    main([str(path), "--gt", str(gt), "--output", str(out)])
    assert capsys.readouterr().out.strip() == str(out)
    assert zipfile.is_zipfile(out)
    path, _ = files([result([MASK] * 2)])
    with pytest.raises(SystemExit, match=r"results\.json\[0\]: 2 'segmentations'.*\nNo submission"):
        main([str(path), "--gt", str(gt), "--output", str(out)])
