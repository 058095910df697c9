"""What the readers of the data sets' jsons share: checks, and what follows from a fault."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rcf_vis.errors import DatasetError

__all__ = [
    "Faults",
    "OnFault",
    "check_keys",
    "id_of",
    "raise_fault",
    "read_json",
]

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
    """

    limit: int = 10
    counts: Counter[str] = field(default_factory=Counter)
    messages: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __call__(self, fault: DatasetError) -> None:
        self.counts[fault.kind] += 1
        if self.counts[fault.kind] <= self.limit:
            self.messages[fault.kind].append(str(fault))


def read_json(json_file: str, expected: str) -> dict[str, Any]:
    """The content of a json that has a dict at the top.

    Args:
        json_file: its path.
        expected: what it should have been, for the error message.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: it is cut off, no json, or has something else at the top.
    """
    if not os.path.isfile(json_file):
        raise FileNotFoundError(f"{json_file}: no such file; expected {expected}")
    try:
        with open(json_file, encoding="utf-8") as file:
            content = json.load(file)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{json_file}: not a complete json ({error})", "json") from error
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
        if not isinstance(item[key], kind) or isinstance(item[key], bool):
            raise DatasetError(
                f"{where}: '{key}' is {item[key]!r:.80}, expected {kind.__name__}", "keys"
            )


def id_of(item: Any) -> str:
    """`` (id 7)`` where the item says so: a help to find it in the file."""
    return f" (id {item['id']})" if isinstance(item, dict) and "id" in item else ""
