"""Atomic writes: a file appears complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which takes its place when the block ends well.

    The folder is made; the temporary file has the suffix of ``path`` and is gone in any case.

    Example:
        >>> with whole_file("results.json") as temporary:
        ...     temporary.write_text("[]")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
