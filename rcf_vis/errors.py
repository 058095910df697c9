"""The errors of the package that a user meets."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["BrokenWeights", "DatasetError", "extra", "shown"]

_repr = reprlib.Repr()
_repr.maxlevel = 3
_repr.maxstring = _repr.maxlong = _repr.maxother = 80


class BrokenWeights(ValueError):
    """A file of weights that cannot be read, is not read as it may run code, or has NaN in it."""


class DatasetError(ValueError):
    """Data that cannot be used. The message names the file, the video and what was expected.

    Args:
        message: for the user.
        kind: the sort of fault, in a few words; faults are counted by it.
    """

    def __init__(self, message: str, kind: str = "data") -> None:
        super().__init__(message)
        self.kind = kind


def shown(value: Any) -> str:
    """A value of any size and depth for a message, in a few words."""
    try:
        return _repr.repr(value)[:200]
    except Exception:  # an integer of too many digits, say
        return f"a {type(value).__name__}"


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Around the import of a package that only an extra of rcf_vis brings.

    Raises:
        ModuleNotFoundError: it is not installed; the message names the extra.

    Example:
        >>> with extra("audio"):
        ...     import torchaudio
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed; it comes with: pip install 'rcf_vis[{name}]'",
            name=error.name,
        ) from error
