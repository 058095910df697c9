"""Weights as a pickle of numpy arrays: the files ``.pkl`` of the model zoos of Detectron(2).

Of numpy nothing is called: types, shapes and bytes are checked and made into arrays here.
"""

from __future__ import annotations

import math
import os
import pickle
import re
from typing import Any, BinaryIO

import numpy as np

from rcf_vis.errors import BrokenWeights, shown
from rcf_vis.foreign_files import open_regular

from .plain_pickle import OrderedItems, PlainUnpickler, load_plain
from .trust import is_trusted

__all__ = ["read_zoo_pickle"]

_TYPE = re.compile(r"[biuf][1248]")


def read_zoo_pickle(path: str | os.PathLike) -> Any:
    """What a pickle of dicts, lists, strings, numbers and numpy arrays of numbers holds.

    After :func:`~rcf_vis.weight_files.trust_weights` any pickle, and whatever it does.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        BrokenWeights: it is broken, or has anything else in it.
    """
    with open_regular(path) as file:
        if is_trusted():
            return pickle.load(file, encoding="latin1")
        return _unwrapped(load_plain(file, _unpickler, os.fspath(path)))


class _Type:
    """In place of ``numpy.dtype``."""

    def __init__(self, name: str, *_: Any) -> None:
        if not isinstance(name, str) or not _TYPE.fullmatch(name):
            raise BrokenWeights(f"an array of {shown(name)}, expected one of numbers")
        self.name, self.order = name, "="

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1] if state[1] in ("<", ">", "=", "|") else "="

    def array(self, content: Any) -> np.ndarray:
        content = content.encode("latin1") if isinstance(content, str) else content
        array = np.frombuffer(content, np.dtype(self.order + self.name))
        return array.astype(self.name)  # a copy that may be written, in this machine's order


class _Array:
    """In place of ``numpy.ndarray``: made empty, then given its state."""

    value: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, is_fortran, content = state
        self.value = _shaped(content, kind, shape, "F" if is_fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(content: Any, kind: _Type, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.value = _shaped(content, kind, shape, "F" if order == "F" else "C")
    return array


def _scalar(kind: _Type, content: Any) -> Any:
    return _shaped(content, kind, (), "C").item()


def _shaped(content: Any, kind: Any, shape: Any, order: str) -> np.ndarray:
    if not isinstance(kind, _Type) or not all(type(n) is int and n >= 0 for n in shape):
        raise BrokenWeights("an array without type and shape")
    flat = kind.array(content)
    if flat.size != math.prod(shape):
        raise BrokenWeights(f"an array of shape {shape} of {flat.size} numbers")
    return flat.reshape(shape, order=order)


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1":
        raise BrokenWeights(f"bytes in {shown(encoding)}")
    return text.encode("latin1")


_KNOWN: dict[str, Any] = {
    "_codecs.encode": _encode,
    "collections.OrderedDict": OrderedItems,
    "numpy.dtype": _Type,
    "numpy.ndarray": _Array,
}
for _module in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_module}.multiarray._reconstruct"] = _reconstruct
    _KNOWN[f"{_module}.multiarray.scalar"] = _scalar
    _KNOWN[f"{_module}.numeric._frombuffer"] = _from_buffer


def _unpickler(file: BinaryIO) -> PlainUnpickler:
    return PlainUnpickler(file, _KNOWN)


def _unwrapped(item: Any, depth: int = 3) -> Any:
    """Arrays in place of what stood for them; a zoo's are at most two dicts deep."""
    if isinstance(item, _Array):
        return item.value
    if isinstance(item, dict) and depth:
        return {key: _unwrapped(value, depth - 1) for key, value in item.items()}
    return item
