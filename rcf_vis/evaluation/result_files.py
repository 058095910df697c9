"""Results as files: a json with a list, or the one in the zip of a submission."""

from __future__ import annotations

import os
import zipfile

from rcf_vis.errors import DatasetError
from rcf_vis.foreign_files import open_regular, parse_json, read_json_bytes, read_json_text
from rcf_vis.limits import check_limit

__all__ = ["RESULTS_JSON", "read_result_list"]

RESULTS_JSON = "results.json"  # in the zip of a submission, at its root
_SMALL = 1 << 24  # bytes that may be packed as well as one likes


def read_result_list(path: str | os.PathLike) -> list:
    """The list in a json, or in the ``results.json`` at the root of a ``.zip``.

    Raises:
        FileNotFoundError: it is not there.
        DatasetError: it is no complete json or zip, the zip has something else in it, or the json
            has no list at the top; or it is larger than ``LIMITS.JSON_BYTES``.
    """
    name = os.fspath(path)
    is_zip = name.lower().endswith(".zip")
    try:
        content = _read_zip(name) if is_zip else read_json_bytes(name)
    except FileNotFoundError as error:
        kind = "zip" if is_zip else "json"
        raise FileNotFoundError(f"{name}: no such file; expected a {kind}") from error
    name = f"{name}: {RESULTS_JSON}" if is_zip else name
    items = parse_json(content, name)
    if not isinstance(items, list):
        raise DatasetError(f"{name}: {type(items).__name__} found; expected a list")
    return items


def _read_zip(name: str) -> bytes:
    try:
        with open_regular(name) as file, zipfile.ZipFile(file) as archive:
            return _read_member(archive, name)
    except (DatasetError, FileNotFoundError):
        raise
    except Exception as error:  # a broken zip makes zipfile raise of any kind
        raise DatasetError(f"{name}: not a complete zip ({error})") from error


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.namelist() != [RESULTS_JSON]:
        found = ", ".join(archive.namelist()[:10]) or "nothing"
        raise DatasetError(
            f"{name}: expected {RESULTS_JSON} at the root of the zip and nothing else, "
            f"found {found:.200}"
        )
    (info,) = archive.infolist()
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DatasetError(f"{name}: packed by method {info.compress_type}, expected deflate")
    where = f"{name}: {RESULTS_JSON}"
    check_limit("JSON_BYTES", info.file_size, f"{where}: bytes")
    if info.file_size > _SMALL:
        ratio = info.file_size // max(info.compress_size, 1)
        check_limit("ZIP_RATIO", ratio, f"{where}: times as large as it is packed")
    with archive.open(info) as member:
        return read_json_text(member, where)
