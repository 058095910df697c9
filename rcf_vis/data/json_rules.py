"""What the readers of the data sets' jsons share: checks, and what follows from a fault."""

from __future__ import annotations

import logging
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from rcf_vis.errors import DatasetError, shown
from rcf_vis.foreign_files import parse_json, read_json_bytes
from rcf_vis.limits import check_limit

__all__ = [
    "Faults",
    "OnFault",
    "check_box",
    "check_keys",
    "check_size",
    "id_of",
    "is_number",
    "is_text",
    "note",
    "raise_fault",
    "read_crowd",
    "read_json",
    "with_fault",
]

logger = logging.getLogger(__name__)

_IDS = range(-(2**63), 2**63)  # of the arrays and tensors that hold them
_FARTHEST = 1e9  # pixels

OnFault = Callable[[DatasetError], None]
"""Is called with each fault; what is at fault is left out where it returns."""


def raise_fault(fault: DatasetError) -> None:
    """The first fault ends the reading: an :data:`OnFault` for all but the check of a data set."""
    raise fault


@dataclass
class Faults:
    """An :data:`OnFault`: counts all faults by kind and keeps the messages of the first ones.

    Args:
        limit: messages that are kept of each kind.
        notes: what one should know, but is not wrong.
    """

    limit: int = 10
    counts: Counter[str] = field(default_factory=Counter)
    messages: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    notes: list[str] = field(default_factory=list)

    def __call__(self, fault: DatasetError) -> None:
        self.counts[fault.kind] += 1
        if self.counts[fault.kind] <= self.limit:
            self.messages[fault.kind].append(str(fault))


def with_fault(on_fault: OnFault, function: Callable[..., None], *args: Any) -> None:
    """Call a function, and ``on_fault`` with the DatasetError that it raises."""
    try:
        function(*args)
    except DatasetError as fault:
        on_fault(fault)


def note(on_fault: OnFault, json_file: str, message: str) -> None:
    """Say what is no fault: among the notes of a check, else in the log."""
    if isinstance(on_fault, Faults):
        on_fault.notes.append(message)
    else:
        logger.warning("%s: %s", json_file, message)


def read_json(json_file: str, expected: str) -> dict[str, Any]:
    """The content of a json that has a dict at the top; UTF-8 or UTF-16, see :func:`parse_json`.

    Args:
        json_file: its path.
        expected: what it should have been, for the error message.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: it is cut off, no json, too large, or has something else at the top.
    """
    try:
        content = parse_json(read_json_bytes(json_file), json_file)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{json_file}: no such file; expected {expected}") from error
    if not isinstance(content, dict):
        raise DatasetError(
            f"{json_file}: a {type(content).__name__} at the top; expected a dict, {expected}",
            "json",
        )
    return content


def check_keys(item: Any, keys: Mapping[str, type], where: str) -> None:
    """Raise a DatasetError unless ``item`` is a dict that has each key, with a value of its type.

    ``where`` begins the message: the file and the place in it.
    """
    if not isinstance(item, dict):
        raise DatasetError(f"{where}: {type(item).__name__} found, expected a dict", "keys")
    for key, kind in keys.items():
        if key not in item:
            raise DatasetError(
                f"{where}: key '{key}' is missing; expected {', '.join(keys)}", "keys"
            )
        value = item[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DatasetError(
                f"{where}: '{key}' is {shown(value)}, expected {kind.__name__}", "keys"
            )
        if kind is int and value not in _IDS:
            raise DatasetError(
                f"{where}: '{key}' is {shown(value)}, more than 64 bits hold", "keys"
            )
        if kind is str and not is_text(value):
            raise DatasetError(f"{where}: '{key}' is {shown(value)}, which is no text", "keys")


def check_size(item: Mapping[str, Any], where: str) -> None:
    """Raise a DatasetError unless ``width`` and ``height`` are a size, and one within the limit."""
    width, height = item["width"], item["height"]
    if min(width, height) < 1:
        raise DatasetError(f"{where}: {width}x{height} is no size", "videos")
    check_limit("IMAGE_PIXELS", width * height, f"{where}: {width}x{height} pixels")


def is_number(value: Any) -> bool:
    """True for a number that is neither nan nor infinite, also as a float; a bool is none."""
    if type(value) is not float and (not isinstance(value, Real) or isinstance(value, bool)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int of 400 digits
        return False


def check_box(box: Any, where: str) -> None:
    """Raise a DatasetError unless a box is four numbers that can be pixels."""
    if (
        not isinstance(box, list)
        or len(box) != 4
        or not all(is_number(value) and abs(value) <= _FARTHEST for value in box)
    ):
        raise DatasetError(f"{where}: the box {shown(box)}, expected four numbers", "boxes")


def read_crowd(annotation: Mapping[str, Any], where: str) -> bool:
    """Whether an annotation is a crowd, which is neither trained on nor looked for."""
    value = annotation.get("iscrowd")
    if value is None:
        return False
    if not isinstance(value, (bool, int, float)) or value not in (0, 1):
        raise DatasetError(f"{where}: 'iscrowd' is {shown(value)}, expected 0 or 1", "crowds")
    return bool(value)


def is_text(value: Any) -> bool:
    """Whether it can be a name, also of a file: with a NUL, or half a surrogate pair, it cannot."""
    if not isinstance(value, str) or "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def id_of(item: Any) -> str:
    """`` (id 7)`` where the item says so: a help to find it in the file."""
    return f" (id {shown(item['id'])})" if isinstance(item, dict) and "id" in item else ""
