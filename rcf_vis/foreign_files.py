"""Files of which nothing is known: opened only where they are files, and read within limits."""

from __future__ import annotations

import json
import os
import stat
from typing import Any, BinaryIO

from rcf_vis.errors import DatasetError
from rcf_vis.limits import check_limit

__all__ = ["check_regular", "open_regular", "parse_json", "read_json_bytes", "read_json_text"]

_CHUNK = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_regular(path: str | os.PathLike) -> None:
    """Raise unless there is a file: to open a pipe waits without end, and a device has no end.

    Raises:
        FileNotFoundError: there is nothing.
        OSError: it is a folder, a pipe, a device or a socket.
    """
    try:
        mode = os.stat(path).st_mode
    except ValueError as error:  # a NUL in the name
        raise FileNotFoundError(f"{os.fspath(path)!r}: no such file") from error
    _check_mode(path, mode)


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Open a file for reading, see :func:`check_regular`; it never waits."""
    check_regular(path)
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        _check_mode(path, os.fstat(file.fileno()).st_mode)
    except OSError:
        file.close()
        raise
    return file


def read_json_bytes(path: str | os.PathLike) -> bytes:
    """The bytes of a json.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is no regular file, larger than ``LIMITS.JSON_BYTES``, cannot be read, or
            has zero bytes, as a file with a hole or a binary one.
    """
    name = os.fspath(path)
    try:
        with open_regular(path) as file:
            check_limit("JSON_BYTES", os.fstat(file.fileno()).st_size, f"{name}: bytes of a json")
            return read_json_text(file, name)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DatasetError(_reason(name, error), "json") from error


def parse_json(content: bytes, name: str) -> Any:
    """What a json says; it may be in UTF-8, 16 or 32, with or without a byte order mark.

    Args:
        name: of the file, for messages.

    Raises:
        DatasetError: it is cut off, or no json.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{name}: not a complete json ({error})", "json") from error


def read_json_text(file: BinaryIO, name: str) -> bytes:
    """All of an open json, given up at zeros that no text has, before they fill the memory.

    Raises:
        DatasetError: there are such, or more bytes than ``LIMITS.JSON_BYTES``.
    """
    pieces, size, no_text = [], 0, b"\0"
    while piece := file.read(_CHUNK):
        if not pieces and not json.detect_encoding(piece).startswith("utf-8"):
            no_text = bytes(8)
        if no_text in piece:
            place = size + piece.index(no_text)
            raise DatasetError(f"{name}: not a complete json (zeros at byte {place})", "json")
        pieces.append(piece)
        size += len(piece)
        check_limit("JSON_BYTES", size, f"{name}: bytes of a json")
    return b"".join(pieces)


def _check_mode(path: str | os.PathLike, mode: int) -> None:
    kind = stat.S_IFMT(mode)
    if kind != stat.S_IFREG:
        raise OSError(f"{os.fspath(path)}: is {_KINDS.get(kind, 'no file')}, expected a file")


def _reason(name: str, error: OSError) -> str:
    return f"{name}: {error.strerror}" if error.strerror else str(error)
