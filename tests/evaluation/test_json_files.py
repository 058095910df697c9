import gc
import json
import math
import re
import zipfile

import pytest

from rcf_vis.data import DatasetError
from rcf_vis.evaluation import json_files
from rcf_vis.evaluation.json_files import no_garbage_collection, read_items, read_json

ITEMS = [{"a": [1, None, {"b": "x\\y"}], "n": 0.25}, {}, {"ü": "]},{"}, {"long": "z" * 100}]


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_items_are_those_of_json(tmp_path, monkeypatch, at_once, layout):
    monkeypatch.setattr(json_files, "_BYTES_AT_ONCE", at_once)
    path = tmp_path / "results.json"
    for items in (ITEMS, []):
        path.write_text(" \n" + json.dumps(items, **layout) + "\n", encoding="utf-8")
        assert list(read_items(path)) == items


@pytest.mark.parametrize("at_once", [1, 40, 1 << 20])
def test_items_that_look_like_one_another(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(json_files, "_BYTES_AT_ONCE", at_once)
    path = tmp_path / "results.json"
    inner = [{"id": 3}, {"id": [{"id": 4}, {"id": 5}]}]
    items = [{"id": 1, "x": inner}, {"x": inner, "id": 2}, {"id": 3, "x": '{"id": 9}, {"id": 8}'}]
    for some in (items, items[::-1], 5 * items):
        path.write_text(json.dumps(some))
        assert list(read_items(path)) == some


@pytest.mark.parametrize("at_once", [1, 40, 1 << 20])
def test_what_only_python_reads(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(json_files, "_BYTES_AT_ONCE", at_once)
    path = tmp_path / "results.json"
    path.write_text('[{"a": 1}, {"a": 2}, {"a": -Infinity}, {"a": "\\ud800"}, {"a": 5}, {"a": 6}]')
    assert [item["a"] for item in read_items(path)] == [1, 2, -math.inf, "\ud800", 5, 6]


@pytest.mark.parametrize("at_once", [1, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "[{}",
        '[{"a": 1}, ',
        '[{"a": "x',
        "[{},]",
        "[{} {}]",
        "[{}] {}",
        "[{]",
        "x",
        '[{"a":1},{"a":2},]',
        '[{"a":1},{"a":2} {"a":3},{"a":4}]',
    ],
)
def test_incomplete_files(tmp_path, monkeypatch, at_once, text):
    monkeypatch.setattr(json_files, "_BYTES_AT_ONCE", at_once)
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=re.escape(str(path)) + ": not a complete json"):
        list(read_items(path))


def test_no_list(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"results": []}')
    with pytest.raises(DatasetError, match="dict found; expected a list"):
        list(read_items(path))
    assert read_json(path) == {"results": []}


def test_no_text(tmp_path):
    path = tmp_path / "results.json"
    path.write_bytes(b'[{"a": "\xff\xfe"}]')
    with pytest.raises(DatasetError, match="not a complete json"):
        list(read_items(path))
    with pytest.raises(DatasetError, match="not a complete json"):
        read_json(path)


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_json", ".json"), content)


def test_zip(tmp_path):
    path = tmp_path / "results.ZIP"
    make_zip(path, results_json=json.dumps(ITEMS))
    assert list(read_items(path)) == ITEMS


def test_bad_zips(tmp_path):
    path = tmp_path / "results.zip"
    with pytest.raises(FileNotFoundError, match="expected a zip"):
        list(read_items(path))
    make_zip(path, folder__results_json="[]")
    with pytest.raises(DatasetError, match=r"at the root of the zip.*found folder/results\.json"):
        list(read_items(path))
    make_zip(path, results_json="[]", other_json="[]")
    with pytest.raises(DatasetError, match=r"nothing else, found results\.json, other\.json"):
        list(read_items(path))
    make_zip(path)
    with pytest.raises(DatasetError, match="found nothing"):
        list(read_items(path))
    make_zip(path, results_json="[{}, ")
    with pytest.raises(DatasetError, match=r"zip: results\.json: not a complete json"):
        list(read_items(path))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DatasetError, match="not a complete zip"):
        list(read_items(path))


def test_garbage_collection_is_as_before():
    assert gc.isenabled()
    with pytest.raises(KeyError), no_garbage_collection():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.disable()
    try:
        with no_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
