"""The check of a file of ``torch.save``, of any version, before PyTorch reads it.

``torch.load(weights_only=True)`` calls no foreign code. But before PyTorch 2.10 a file could make
it write beyond its memory, and a small file can still ask for any amount of it: by compressed or
overlapping records, or by tensors larger than what they are a view of.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

from rcf_vis.errors import BrokenWeights, shown

from .plain_pickle import OrderedItems, PlainUnpickler, load_plain

__all__ = ["check_torch_file"]

_ITEM_BYTES = {
    **{f"{name}Storage": 1 for name in ("Bool", "Byte", "Char", "Untyped")},
    **{f"{name}Storage": 2 for name in ("BFloat16", "Half", "Short")},
    **{f"{name}Storage": 4 for name in ("Float", "Int")},
    **{f"{name}Storage": 8 for name in ("ComplexFloat", "Double", "Long")},
    "ComplexDoubleStorage": 16,
}
_LEGACY = 0x1950A86A20F9469CFC6C
_VIEW = 1 << 20  # elements of a tensor that may be more than those it is a view of
_TYPES = (
    *("bool", "uint8", "int8", "int16", "int32", "int64", "bfloat16", "float16", "float32"),
    *("float64", "complex64", "complex128"),
)


def check_torch_file(file: BinaryIO, name: str) -> None:
    """Raise unless PyTorch can read a file of ``torch.save`` without harm.

    Args:
        file: at its beginning.
        name: of the file, for messages.

    Raises:
        BrokenWeights: it is cut off or broken, its pickle names something else than tensors and
            plain values, or its records are not what it says.
    """
    is_zip = file.read(4) == b"PK\3\4"
    file.seek(0)
    try:
        if is_zip:
            _check_zip(file, name)
        else:
            _check_legacy(file, name)
    except BrokenWeights:
        raise
    except Exception as error:  # a broken zip makes zipfile raise of any kind
        raise BrokenWeights(f"{name}: could not be read as weights ({error})") from error


def _check_zip(file: BinaryIO, name: str) -> None:
    with zipfile.ZipFile(file) as archive:
        root = _check_records(archive, name)
        sizes = {info.filename: info.file_size for info in archive.infolist()}
        pickle = io.BytesIO(archive.read(f"{root}/data.pkl"))

    def check_storage(key: Any, size: int) -> None:
        found = sizes.get(f"{root}/data/{key}")
        if found != size:
            raise BrokenWeights(f"record {shown(key)} has {found} bytes, not {size}")

    load_plain(pickle, lambda file: _TensorUnpickler(file, check_storage), name)


def _check_legacy(file: BinaryIO, name: str) -> None:
    """The form of before PyTorch 1.6: five pickles, then the memory of all tensors."""
    sizes: dict[Any, int] = {}

    def make(file: BinaryIO) -> PlainUnpickler:
        return _TensorUnpickler(file, sizes.__setitem__)

    for part in range(5):
        found = load_plain(file, make, name)
        if part == 0 and found != _LEGACY:
            raise BrokenWeights(f"{name}: could not be read as weights (no file of torch.save)")
    if sum(sizes.values()) > file.seek(0, os.SEEK_END):
        raise BrokenWeights(f"{name}: {sum(sizes.values())} bytes of tensors in a smaller file")


def _check_records(archive: zipfile.ZipFile, name: str) -> str:
    """The folder of all records; they must be as PyTorch writes them, one beside the other."""
    infos = archive.infolist()
    if not infos or archive.comment or min(info.header_offset for info in infos):
        raise BrokenWeights(f"{name}: could not be read as weights (no zip of torch.save)")
    root = infos[0].filename.partition("/")[0]
    if not all(info.filename.startswith(f"{root}/") for info in infos):
        raise BrokenWeights(f"{name}: it has files beside the folder {shown(root)}")
    if len({info.filename for info in infos}) < len(infos):
        raise BrokenWeights(f"{name}: it has a record twice")
    if any(i.compress_type != zipfile.ZIP_STORED or i.file_size != i.compress_size for i in infos):
        raise BrokenWeights(f"{name}: its records are compressed, as torch.save writes none")
    if sum(info.file_size for info in infos) > archive.start_dir:
        raise BrokenWeights(f"{name}: its records overlap")
    return root


class _Storage:
    """In place of the memory of tensors."""

    def __init__(self, length: int) -> None:
        self.length = length


class _Opaque:
    """In place of what is no container: it has no items that could be set."""

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class _TensorUnpickler(PlainUnpickler):
    """Makes nothing of tensors, but checks their sizes.

    Args:
        check_storage: is called with the key and the size in bytes of each memory of tensors.
    """

    def __init__(self, file: BinaryIO, check_storage: Callable[[Any, int], None]) -> None:
        super().__init__(file, _KNOWN)
        self._check_storage = check_storage

    def persistent_load(self, pid: Any) -> _Storage:
        kind, item_bytes, key, _, length, *view = pid
        plain = type(item_bytes) is int and type(length) is int and length >= 0
        if kind != "storage" or not plain or any(part is not None for part in view):
            raise BrokenWeights(f"a record of the kind {shown(kind)}")
        self._check_storage(key, length * item_bytes)
        return _Storage(length)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Opaque:
    numbers = (offset, *size, *stride)
    if not isinstance(storage, _Storage) or len(size) != len(stride):
        raise BrokenWeights("a tensor without memory or shape")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise BrokenWeights(f"a tensor of the shape {shown(size)}")
    elements = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if elements and (last >= storage.length or elements > max(storage.length, _VIEW)):
        raise BrokenWeights(
            f"a tensor of the shape {shown(tuple(size))} in a memory of {storage.length} elements"
        )
    return _Opaque()


def _parameter(data: Any, *_: Any) -> Any:
    return data


def _from_type(function: Any, _: Any, arguments: Any, state: Any) -> Any:
    if function not in (_tensor, _parameter):
        raise BrokenWeights("a tensor of an unknown kind")
    return function(*arguments)


_KNOWN: dict[str, Any] = {
    "_codecs.encode": _Opaque,
    "__builtin__.set": set,
    "builtins.set": set,
    "collections.OrderedDict": OrderedItems,
    "torch.Size": _Opaque,
    "torch.device": _Opaque,
    "torch.nn.parameter.Parameter": _Opaque,
    "torch.Tensor": _Opaque,
    "torch._tensor._rebuild_from_type_v2": _from_type,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch.storage.UntypedStorage": 1,
    **{f"torch.{name}": size for name, size in _ITEM_BYTES.items()},
    **{f"torch.{name}": name for name in _TYPES},
}
