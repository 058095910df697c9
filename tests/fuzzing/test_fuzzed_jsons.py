"""The readers of jsons and of results: no exception but the documented one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rcf_vis.data.coco import load_coco_stills
from rcf_vis.data.convert import as_ytvis
from rcf_vis.data.json_forms import to_ytvis
from rcf_vis.data.json_rules import Faults, read_json
from rcf_vis.data.ytvis import load_ytvis_json, read_categories, read_videos
from rcf_vis.data.ytvis_tracks import read_annotations
from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_identity, evaluate_ytvis
from rcf_vis.evaluation.result_files import read_result_list
from rcf_vis.evaluation.submission_check import find_problems
from rcf_vis.evaluation.track_files import read_header
from tests.data.clip_data import make_content

from .mutations import anything, mutated

YTVIS = make_content(lengths=(2, 1), size=(12, 16), absent=((1, 0),))
YTVIS["annotations"][0]["segmentations"][0] = [[1, 1, 9, 1, 9, 9]]
YTVIS["annotations"][1]["segmentations"][1] = {"size": [12, 16], "counts": [20, 30, 142]}
YTVIS["annotations"][0].update(bboxes=[[0, 0, 4, 4], None], areas=[5, None])
YTVIS["videos"][0].update(fps=6, exhaustive=True)
IMAGES = [
    {"id": k, "width": 16, "height": 12, "file_name": f"{k}.png", "video_id": 1, "frame_id": k}
    for k in (1, 2)
]
MASKS = [
    {"id": 3, "image_id": 1, "category_id": 3, "instance_id": 5, "iscrowd": 0},
    {"id": 4, "image_id": 2, "category_id": 3, "instance_id": 5, "iscrowd": 0},
]
MASKS[0]["segmentation"] = [[1, 1, 9, 1, 9, 9]]
MASKS[1]["segmentation"] = {"size": [12, 16], "counts": [20, 30, 142]}
COCO_VID = {
    "categories": [{"id": 3, "name": "person"}],
    "videos": [{"id": 1, "name": "v"}],
    "images": IMAGES,
    "annotations": [{**mask, "bbox": [1, 1, 8, 8]} for mask in MASKS],
}
COCO = {
    **COCO_VID,
    "categories": [{"id": 1, "name": "person"}],
    "annotations": [{**mask, "category_id": 1} for mask in COCO_VID["annotations"]],
}
del COCO["videos"]
RESULTS = [
    {**{k: a[k] for k in ("video_id", "category_id", "segmentations")}, "score": 0.5}
    for a in YTVIS["annotations"]
]


def only_a_fault(function, *args, **kwargs):
    """What a reader gives, or the message of its refusal, which can be written into a log."""
    try:
        return function(*args, **kwargs)
    except DatasetError as fault:
        assert str(fault).encode()
        assert len(str(fault)) < 5000
        return str(fault)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed")


def check_all(content, folder) -> None:
    """As training, the check and the evaluation read it."""
    path = folder / "set.json"
    path.write_text(json.dumps(content))
    loaded = only_a_fault(load_ytvis_json, str(path), str(folder), audio_root=str(folder))
    evaluated = only_a_fault(evaluate_ytvis, str(path), [])
    only_a_fault(as_ytvis, str(path))
    if not isinstance(content, dict):
        assert isinstance(loaded, str)
        return
    faults = Faults()
    read = to_ytvis(content, "set.json", faults)
    classes = read_categories(read, "set.json", on_fault=faults)
    records = read_videos(read, "set.json", str(folder), faults, audio_root=str(folder))
    if read.get("annotations") is not None and records:
        read_annotations(read["annotations"], "set.json", records, classes, faults)
    if isinstance(loaded, str):  # what one refuses all refuse; files are looked for elsewhere
        assert faults.counts or "are not there" in loaded
    else:
        assert not set(faults.counts) - {"ids"}  # annotations of no video are left out, and said
        assert isinstance(evaluated, dict) or "annotations" not in loaded[0]


@given(mutated(YTVIS))
def test_the_form_of_youtube_vis(folder, content):
    check_all(content, folder)


@given(mutated(COCO_VID))
def test_the_form_of_coco_vid(folder, content):
    check_all(content, folder)


@given(mutated(COCO))
def test_coco(folder, content):
    for image in IMAGES:
        (folder / image["file_name"]).touch()
    check_all(content, folder)
    options = {"class_map": {"person": "person"}, "classes": ["person"]}
    path = str(folder / "set.json")
    loaded = only_a_fault(load_coco_stills, path, str(folder), **options)
    faults = Faults()
    collected = only_a_fault(load_coco_stills, path, str(folder), **options, on_fault=faults)
    refused = bool(faults.counts) or isinstance(collected, str)  # that it has no images, say
    assert isinstance(loaded, str) == refused


@given(st.one_of(st.binary(max_size=60), anything.map(lambda item: json.dumps(item).encode())))
def test_bytes(folder, content):
    (folder / "x.json").write_bytes(content)
    only_a_fault(read_json, str(folder / "x.json"), "a json")
    only_a_fault(read_result_list, folder / "x.json")


@given(mutated(RESULTS))
def test_results(folder, results):
    found = only_a_fault(evaluate_ytvis, YTVIS, results)
    assert isinstance(found, str) or all(-1 <= found[key] <= 1 for key in ("AP", "AR1"))
    only_a_fault(evaluate_identity, YTVIS, results)
    (folder / "results.json").write_text(json.dumps(results))
    problems = only_a_fault(find_problems, folder / "results.json", read_header(YTVIS))
    assert all(problem.encode() for problem in problems)
