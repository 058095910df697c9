"""An unpickler that calls nothing but what it was given."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from rcf_vis.errors import BrokenWeights

from .trust import ADVICE

__all__ = ["OrderedItems", "PlainUnpickler", "load_plain"]

_MOST_STEPS = 500_000  # of a large model with its optimizer, some 50 000
_MEMO = ("PUT", "BINPUT", "LONG_BINPUT")


class OrderedItems(dict):
    """In place of an OrderedDict, which PyTorch gives an attribute; others could hide a method."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict) or not set(state) <= {"_metadata"}:
            raise BrokenWeights("a dict with attributes")


class PlainUnpickler(pickle.Unpickler):
    """Knows some names, and refuses all others.

    Args:
        file: at a pickle.
        known: full name in the pickle → what takes its place.
    """

    def __init__(self, file: BinaryIO, known: Mapping[str, Any]) -> None:
        super().__init__(file, encoding="latin1")
        self._known = known

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full not in self._known:
            raise BrokenWeights(f"it names {full}, which is no part of weights; {ADVICE}")
        return self._known[full]


def load_plain(file: BinaryIO, make: Callable[[BinaryIO], PlainUnpickler], name: str) -> Any:
    """What a pickle holds.

    Args:
        file: at the pickle; afterwards behind it.
        make: from the file to an unpickler of it.
        name: of the file, for messages.

    Raises:
        BrokenWeights: it is broken, or has more in it than the unpickler knows.
    """
    try:
        _check_memo(file)
        return make(file).load()
    except BrokenWeights as error:
        raise BrokenWeights(f"{name}: {error}") from error
    except Exception as error:  # a broken pickle makes an unpickler raise of any kind
        reason = f"{type(error).__name__}: {error}"
        raise BrokenWeights(f"{name}: could not be read as weights ({reason})") from error


def _check_memo(file: BinaryIO) -> None:
    """The memo is a list: a number far beyond what is in the pickle would take all memory."""
    start, highest = file.tell(), 0
    for step, (operation, number, _) in enumerate(pickletools.genops(file)):
        if operation.name in _MEMO:
            highest = max(highest, number)
        if step > _MOST_STEPS:
            raise BrokenWeights(f"its pickle has more than {_MOST_STEPS} steps")
    if highest > file.tell() - start:
        raise BrokenWeights(f"its pickle has the memo {highest}")
    file.seek(start)
