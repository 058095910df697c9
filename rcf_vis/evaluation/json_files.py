"""Large json files, plain or in the zip of a submission."""

from __future__ import annotations

import gc
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, TextIO

from rcf_vis.data.json_rules import DatasetError

__all__ = ["RESULTS_JSON", "no_garbage_collection", "read_items", "read_json"]

RESULTS_JSON = "results.json"  # in the zip, at its root
_CHARACTERS_AT_ONCE = 1 << 20
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
    with open(path, "rb") as file, no_garbage_collection():
        try:
            return json.loads(file.read())
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
            with open(path, encoding="utf-8") as file:
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
            with TextIOWrapper(archive.open(RESULTS_JSON), encoding="utf-8") as file:
                yield from _items(file, f"{name}: {RESULTS_JSON}")
    except (zipfile.BadZipFile, EOFError) as error:
        raise DatasetError(f"{name}: not a complete zip ({error})") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise _incomplete(name, error) from error


def _items(file: TextIO, name: str) -> Iterator[Any]:
    text = ""
    while not text and (more := file.read(_CHARACTERS_AT_ONCE)):
        text = more.lstrip(_SPACE)
    if text[:1] != "[":
        found = "dict found" if text[:1] == "{" else "not a complete json"
        raise DatasetError(f"{name}: {found}; expected a list")
    decode = json.JSONDecoder().raw_decode
    position, separator = 1, ""
    while True:
        start = _next(text, position)
        if text[start : start + 1] == "]":
            break
        if separator and text[start : start + 1] not in ("", separator):
            raise _incomplete(name, f"{text[start]!r} found between two items")
        try:
            item, position = decode(text, _next(text, start + len(separator)))
        except ValueError as error:
            more = file.read(max(_CHARACTERS_AT_ONCE, len(text)))
            if not more:
                raise _incomplete(name, error) from error
            text, position = text[position:] + more, 0
            continue
        separator = ","
        yield item
    rest = text[start + 1 :] + file.read()
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
