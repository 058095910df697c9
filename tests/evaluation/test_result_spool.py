import json
import os

import pytest
from detectron2.utils import comm

from rcf_vis.evaluation.result_spool import ResultSpool


def record(*names):
    return {"results": [{"name": name} for name in names], "slots": [1, 2, 3]}


@pytest.fixture(params=["file", "nameless"])
def spool(request, tmp_path):
    return ResultSpool(tmp_path / "results.json" if request.param == "file" else None)


def test_records_come_back_by_video_and_once(spool, tmp_path):
    spool.add(7, record("a", "ä"))
    spool.add(3, record())
    spool.add(7, record("again"))
    assert len(spool) == 2
    assert list(spool) == [record(), record("a", "ä")]
    spool.add(5, record("b"))  # also after it was read
    assert [len(r["results"]) for r in spool] == [0, 1, 2]
    assert spool.write_results(tmp_path / "out.json") == 3
    spool.close()
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {"name": "b"},
        {"name": "a"},
        {"name": "ä"},
    ]
    assert os.listdir(tmp_path) == ["out.json"]


def test_no_results_are_an_empty_list(spool, tmp_path):
    assert spool.write_results(tmp_path / "out.json") == 0
    assert (tmp_path / "out.json").read_text() == "[]"


def test_what_a_killed_run_leaves(tmp_path):
    spool = ResultSpool(tmp_path / "results.json")
    spool.add(1, record("a"))
    spool.add(2, record("b"))
    # Nobody closes it: this is what is on the disk at that moment.
    assert os.listdir(tmp_path) == ["results.json.partial-rank0"]
    lines = (tmp_path / "results.json.partial-rank0").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [record("a"), record("b")]


def test_remains_of_older_runs_go_at_once(tmp_path):
    remains = (
        "results.json",
        "results.zip",
        "results.json.partial-rank1",
        "results.json.partial-rank0",
    )
    for name in (*remains, "other.json", "results.json.partial-rankx"):
        (tmp_path / name).write_text("old")
    spool = ResultSpool(tmp_path / "results.json")
    assert sorted(os.listdir(tmp_path)) == [
        "other.json",
        "results.json.partial-rank0",
        "results.json.partial-rankx",
    ]
    assert len(spool) == 0 and (tmp_path / "results.json.partial-rank0").read_text() == ""


def test_other_processes_remove_nothing_of_the_main_one(tmp_path, monkeypatch):
    (tmp_path / "results.json").write_text("old")
    monkeypatch.setattr(comm, "is_main_process", lambda: False)
    monkeypatch.setattr(comm, "get_rank", lambda: 3)
    ResultSpool(tmp_path / "results.json")
    assert sorted(os.listdir(tmp_path)) == ["results.json", "results.json.partial-rank3"]


def test_the_main_process_gets_the_videos_of_all(spool, monkeypatch):
    others = [
        (4, json.dumps(record("b")).encode()),
        (3, json.dumps(record("twice")).encode()),
        None,
    ]
    monkeypatch.setattr(comm, "all_gather", lambda count: [count, 2, 0])
    monkeypatch.setattr(comm, "gather", lambda item, dst: [item, others.pop(0), None])
    spool.add(3, record("a"))
    spool.gather()
    assert list(spool) == [record("a"), record("b")]
    assert others == [None]
