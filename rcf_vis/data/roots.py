"""Files of a data set are in its folders: what a json names must not lead out of them."""

from __future__ import annotations

import os
from functools import lru_cache

from rcf_vis.errors import DatasetError, shown

__all__ = ["Root", "allow_outside_root"]

_VARIABLE = "RCF_ALLOW_OUTSIDE_ROOT"


def allow_outside_root() -> None:
    """Let data sets have files outside of their folders, in this process and those it starts.

    That is ``DATASETS.ALLOW_OUTSIDE_ROOT``, or ``RCF_ALLOW_OUTSIDE_ROOT=1`` in the environment.
    """
    os.environ[_VARIABLE] = "1"


class Root:
    """A folder of a data set, of images or of audio. Each folder under it is looked at once.

    Args:
        path: it may itself be a link to anywhere.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._real = os.path.realpath(path)
        self._open = os.environ.get(_VARIABLE, "0") not in ("", "0")
        self._folder = lru_cache(maxsize=4)(_look_at)  # a video's frames are in one folder

    def place(self, name: str, where: str) -> str:
        """Absolute path of a file that is named relative to the folder; it need not be there.

        Args:
            where: begins the message.

        Raises:
            DatasetError: it is outside, by ``..``, as an absolute path, or by a link.
        """
        path = os.path.join(self.path, name)
        if self._open:
            return path
        folder, base = os.path.split(path)
        real, links = self._folder(folder)
        if base in links:
            real = os.path.dirname(os.path.realpath(path))
        if base in ("", ".", "..") or not f"{real}/".startswith(f"{self._real.rstrip('/')}/"):
            raise DatasetError(
                f"{where}: {shown(name)} leads out of {self.path}; expected a file in it, or "
                f"DATASETS.ALLOW_OUTSIDE_ROOT True ({_VARIABLE}=1 in the environment)",
                "outside",
            )
        return path


def _look_at(folder: str) -> tuple[str, frozenset[str]]:
    """Where a folder really is, and the names in it that are links."""
    real = os.path.realpath(folder)
    try:
        with os.scandir(folder) as entries:
            return real, frozenset(entry.name for entry in entries if entry.is_symlink())
    except OSError:  # it is not there
        return real, frozenset()
