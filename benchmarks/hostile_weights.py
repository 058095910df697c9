"""Hostile files of weights and configs, for benchmarks/hostile_files.py."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_cases import Case, configure, load, load_part, pipe, publish

__all__ = ["CONFIGS", "WEIGHTS"]


class _MakesADirectory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


class _AsMany:
    """A numpy array of a shape that is not there."""

    def __reduce__(self) -> tuple:
        build = np.zeros(0).__reduce__()[0]
        return build, (np.ndarray, (0,), b"b"), (1, (2**40,), np.dtype("f4"), False, b"1234")


def _with_code(name: str, folder: Path, legacy: bool = False) -> Path:
    code = _MakesADirectory(folder / "mark")
    content = {"model": {"weight": code}, "__author__": "x", "model_state": {"weight": code}}
    path = folder / name
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path


def _bytes(name: str, content: bytes, folder: Path) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _pickle(content: bytes) -> Callable[[Path], Path]:
    return partial(_bytes, "w.pkl", content)


def _saved(content: Any, folder: Path) -> Path:
    torch.save(content, folder / "w.pth")
    return folder / "w.pth"


def _changed(change: Callable[[bytes], bytes], folder: Path) -> Path:
    """A file of torch.save, with another pickle."""
    path = _saved({"a": torch.zeros(3, 7)}, folder)
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, change(record) if name.endswith("data.pkl") else record)
    return path


def _packed(folder: Path) -> Path:
    """A gigabyte of zeros in a megabyte."""
    path = folder / "w.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w/data.pkl", pickle.dumps({}, protocol=2))
        with archive.open("w/data/0", "w", force_zip64=True) as record:
            for _ in range(64):
                record.write(bytes(1 << 24))
    return path


def _overlapping(folder: Path) -> Path:
    """Ten thousand records of the same ten megabytes."""
    path = folder / "w.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w/data.pkl", bytes(10_000_000))
        (first,) = archive.infolist()
        for key in range(10_000):
            other = zipfile.ZipInfo(f"w/data/{key}")
            other.header_offset, other.CRC = first.header_offset, first.CRC
            other.file_size = other.compress_size = first.file_size
            archive.filelist.append(other)
    return path


def _numbers(change: bytes, to: bytes) -> Callable[[Path], Path]:
    return partial(_changed, lambda pickled: pickled.replace(change, to))


def _safetensors(header: bytes, length: int | None = None) -> Callable[[Path], Path]:
    size = struct.pack("<Q", len(header) if length is None else length)
    return partial(_bytes, "w.safetensors", size + header)


_WHERE = b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4398046511104]}}'
_STRING = b"\x8e" + struct.pack("<Q", 1 << 40)
WEIGHTS = (
    Case("pickle with code (.pkl)", partial(_with_code, "evil.pkl"), load),
    Case("pickle with code (.pth)", partial(_with_code, "evil.pth"), load),
    Case("pickle with code (.pyth)", partial(_with_code, "evil.pyth"), load),
    Case(
        "pickle with code, before PyTorch 1.6", partial(_with_code, "evil.pth", legacy=True), load
    ),
    Case("pickle with code, a backbone (.bin)", partial(_with_code, "evil.bin"), load_part),
    Case("pickle with code, to be published", partial(_with_code, "evil.pth"), publish),
    Case(
        "pickle with a memo of 16 GB", partial(_bytes, "w.pkl", b"\x80\2r\xff\xff\xff\x7f."), load
    ),
    Case("pickle with a string of 1 TB", _pickle(b"\x80\4" + _STRING), load),
    Case("pickle of an array of 4 TB", _pickle(pickle.dumps(_AsMany())), load),
    Case(
        "pickle of a million brackets", partial(_bytes, "w.pkl", b"(" * 10**6 + b"t" * 10**6), load
    ),
    Case("weights of 1 GB packed into 1 MB", _packed, load),
    Case("weights of 100 GB that overlap", _overlapping, load),
    Case("weights in a view of 1 TB", partial(_saved, {"a": torch.zeros(1).expand(1 << 38)}), load),
    Case("weights beyond their memory", _numbers(b"K\3K\7", b"K\3J\0\0\0\1"), load),
    Case("weights that are not there", _numbers(b"K\x15", b"J\0\0\0\1"), load_part),
    Case("items set in a tensor", _numbers(b"s.", b"K\0K\1ss."), publish),
    Case("safetensors with a header of 4 EB", _safetensors(b"{}", 1 << 62), load),
    Case("safetensors of 4 TB", _safetensors(_WHERE), load),
    Case("safetensors of brackets", _safetensors(b"[" * 10**6), load_part),
    Case("a pipe as weights", lambda folder: pipe(folder / "w.pth"), load_part),
)


def _config(text: str, name: str = "c.yaml") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        base = "SEED: !!python/object/apply:os.mkdir [{}]".format(folder / "mark")
        (folder / f"{name}.base").write_text(base)
        return _bytes(name, text.replace("MARK", str(folder / "mark")).encode(), folder)

    return make


_PAIRS = tuple(zip("abcdefgh", "bcdefghi", strict=True))
_LAUGHS = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 10}]\n" for a, b in _PAIRS)
_MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{f'*{a}, ' * 10}]}}\n" for a, b in _PAIRS)
CONFIGS = (
    Case("yaml that calls", _config("SEED: !!python/object/apply:os.mkdir [MARK]"), configure),
    Case("yaml that makes", _config("SEED: !!python/object/new:os.mkdir [MARK]"), configure),
    Case("yaml whose base calls", _config("_BASE_: c.yaml.base"), configure),
    Case("yaml of a billion values", _config(_LAUGHS), configure),
    Case("yaml of a billion merged keys", _config(_MERGES), configure),
    Case("yaml that is part of itself", _config("a: &a [*a]"), configure),
    Case("yaml that is its own base", _config("_BASE_: c.yaml"), configure),
    Case("yaml of brackets", _config("[" * 40_000), configure),
    Case("yaml of 10 MB", _config("a: 1\n" * 2 * 10**6), configure),
    Case("a pipe as a config", lambda folder: pipe(folder / "c.yaml"), configure),
)
