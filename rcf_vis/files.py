"""Files that are written: complete or not at all, where they can be; folders of one run alone."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import portalocker

__all__ = ["check_output", "file_url", "only_run_in", "partial_path", "whole_file"]

logger = logging.getLogger(__name__)

_held: set[IO] = set()


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Give a temporary path beside ``path``, which takes its place when the block ends well.

    The folder is made; the temporary file has the suffix of ``path`` and is gone in any case, but
    for a process that is killed. What takes the place is on the disk before it does.

    Example:
        >>> with whole_file("results.json") as temporary:
        ...     temporary.write_text("[]")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.partial-{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def file_url(path: str | os.PathLike) -> str:
    """By which FFmpeg takes a path for a local file, whatever is in it: ``cam1-10:22.mp4``."""
    return f"file:{os.fspath(path)}"


def partial_path(path: str | os.PathLike) -> Path:
    """What a result is called that is not whole: ``out.partial.mp4`` of ``out.mp4``."""
    path = Path(path)
    return path.with_name(f"{path.stem}.partial{path.suffix}")


def check_output(
    path: str | os.PathLike, *inputs: str | os.PathLike, option: str = "the output"
) -> None:
    """Raise where a file cannot be written in the end, before the work whose result it is to hold.

    The folder is made.

    Args:
        inputs: files that it must not take the place of; nor may a link to them.
        option: what names it on the command line, for the message.

    Raises:
        OSError: it is a folder, a pipe or a device, or one of the inputs; or the folder cannot be
            made or written into.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise OSError(
            f"{option} {str(path)!r} is a folder, a pipe or a device, expected the name of a file"
        )
    for other in map(Path, inputs):
        if path.exists() and other.exists() and path.samefile(other):
            raise OSError(
                f"{option} {str(path)!r} is the input {str(other)!r}: it would be replaced"
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=path.parent).close()


@contextmanager
def only_run_in(folder: str | os.PathLike, key: str = "OUTPUT_DIR") -> Iterator[None]:
    """Keep other runs out of a folder, which is made, until the block ends or the process does.

    What a killed run left of files that it was writing is removed.

    Args:
        key: of the config that says which folder it is, for the message.

    Raises:
        RuntimeError: another run is in it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as lock:
        try:
            portalocker.lock(lock, portalocker.LOCK_EX | portalocker.LOCK_NB)
        except portalocker.AlreadyLocked as error:
            raise RuntimeError(
                f"{key} {str(folder)!r} is in use by another run, whose files this one would "
                f"overwrite or mix with its own: wait for its end, or give this one another {key}"
            ) from error
        except portalocker.LockException as error:  # a file system that has no locks
            logger.warning("%s cannot be locked (%s): start no second run in it", folder, error)
        _held.add(lock)
        try:
            for remains in folder.glob(".*.partial-*"):
                remains.unlink(missing_ok=True)
            yield
        finally:
            _held.discard(lock)


def _let_go() -> None:
    """A forked child, such as a loader's worker, must not hold the lock when its parent is gone."""
    for lock in _held:
        lock.close()


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_let_go)
