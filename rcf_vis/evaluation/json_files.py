"""Large json files, plain or in the zip of a submission."""

from __future__ import annotations

import codecs
import gc
import json
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from rcf_vis.errors import DatasetError

__all__ = ["RESULTS_JSON", "no_garbage_collection", "read_items", "read_json"]

RESULTS_JSON = "results.json"  # in the zip, at its root
_BYTES_AT_ONCE = 1 << 20
_SPACE = " \t\n\r"


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Python looks for no reference cycles meanwhile.

    A json makes containers by the million and not one cycle: to look through them again and again
    takes as long as to read them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_json(path: str | os.PathLike) -> Any:
    """Content of a json file.

    Raises:
        FileNotFoundError: it is not there.
        DatasetError: it is no complete json.
    """
    _check_there(path, "a json")
    content = Path(path).read_bytes()
    with no_garbage_collection():
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass  # Python's own reader takes more (NaN, for one), and says better what is wrong
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise _incomplete(os.fspath(path), error) from error


def read_items(path: str | os.PathLike) -> Iterator[Any]:
    """Items of the list in a json, or in the ``results.json`` at the root of a ``.zip``.

    One after the other: the file is never in memory as a whole.

    Raises:
        FileNotFoundError: it is not there.
        DatasetError: it is no complete json or zip, the zip has something else in it, or the json
            has no list at the top.
    """
    name = os.fspath(path)
    try:
        if not name.lower().endswith(".zip"):
            _check_there(path, "a json")
            with open(path, "rb") as file:
                yield from _items(file, name)
            return
        _check_there(path, "a zip")
        with zipfile.ZipFile(path) as archive:
            if archive.namelist() != [RESULTS_JSON]:
                found = ", ".join(archive.namelist()[:10]) or "nothing"
                raise DatasetError(
                    f"{name}: expected {RESULTS_JSON} at the root of the zip and nothing else, "
                    f"found {found}"
                )
            with archive.open(RESULTS_JSON) as file:
                yield from _items(file, f"{name}: {RESULTS_JSON}")
    except (zipfile.BadZipFile, EOFError) as error:
        raise DatasetError(f"{name}: not a complete zip ({error})") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise _incomplete(name, error) from error


def _items(file: BinaryIO, name: str) -> Iterator[Any]:
    """All items: many at once where that can be, else one by one.

    Where an item begins like the first one, all before it are complete, if they are a json at all.
    """
    data = b""
    while not data and (more := file.read(_BYTES_AT_ONCE)):
        data = more.lstrip(_SPACE.encode())
    if data[:1] != b"[":
        found = "dict found" if data[:1] == b"{" else "not a complete json"
        raise DatasetError(f"{name}: {found}; expected a list")
    opening = None
    while True:
        opening = opening or re.match(rb"\[\s*(\{[^:]*:)", data)
        end = data.rfind(opening[1], len(opening[0])) if opening else -1
        comma = data.rfind(b",", 1, max(end, 1))
        if comma > 0:
            try:
                items = orjson.loads(b"[" + data[1:comma] + b"]")
            except orjson.JSONDecodeError:
                break
            yield from items
            data = data[comma:]
        more = file.read(max(_BYTES_AT_ONCE, len(data)))
        if not more:
            break
        data += more
    is_first = data[:1] == b"["
    yield from _items_one_by_one(data[is_first:], "" if is_first else ",", file, name)


def _items_one_by_one(data: bytes, separator: str, file: BinaryIO, name: str) -> Iterator[Any]:
    """Items of ``data`` and of the rest of the file; the separator comes before the next one."""
    to_text = codecs.getincrementaldecoder("utf-8")().decode
    text, position = to_text(data), 0
    decode = json.JSONDecoder().raw_decode
    while True:
        start = _next(text, position)
        if text[start : start + 1] == "]":
            break
        if separator and text[start : start + 1] not in ("", separator):
            raise _incomplete(name, f"{text[start]!r} found between two items")
        try:
            item, position = decode(text, _next(text, start + len(separator)))
        except json.JSONDecodeError as error:
            more = file.read(max(_BYTES_AT_ONCE, len(text)))
            if not more:  # its position is one in the text that is left
                raise _incomplete(name, error.msg) from error
            text, position = text[position:] + to_text(more), 0
            continue
        separator = ","
        yield item
    rest = text[start + 1 :] + to_text(file.read(), final=True)
    if rest.strip(_SPACE):
        raise _incomplete(name, "the list is followed by something else")


def _next(text: str, position: int) -> int:
    """First place from ``position`` on that is no space."""
    while text[position : position + 1] in _SPACE and position < len(text):
        position += 1
    return position


def _incomplete(name: str, reason: object) -> DatasetError:
    return DatasetError(f"{name}: not a complete json ({reason})")


def _check_there(path: str | os.PathLike, expected: str) -> None:
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{os.fspath(path)}: no such file; expected {expected}")
