"""The errors of the package that a user meets."""

from __future__ import annotations

__all__ = ["DatasetError"]


class DatasetError(ValueError):
    """Data that cannot be used. The message names the file, the video and what was expected.

    Args:
        message: for the user.
        kind: the sort of fault, in a few words; faults are counted by it.
    """

    def __init__(self, message: str, kind: str = "data") -> None:
        super().__init__(message)
        self.kind = kind
