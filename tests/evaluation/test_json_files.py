import gc
import json
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
    monkeypatch.setattr(json_files, "_CHARACTERS_AT_ONCE", at_once)
    path = tmp_path / "results.json"
    for items in (ITEMS, []):
        path.write_text(" \n" + json.dumps(items, **layout) + "\n", encoding="utf-8")
        assert list(read_items(path)) == items


@pytest.mark.parametrize("at_once", [1, 1 << 20])
@pytest.mark.parametrize(
    "text", ["", "[", "[{}", '[{"a": 1}, ', '[{"a": "x', "[{},]", "[{} {}]", "[{}] {}", "[{]", "x"]
)
def test_incomplete_files(tmp_path, monkeypatch, at_once, text):
    monkeypatch.setattr(json_files, "_CHARACTERS_AT_ONCE", at_once)
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
