"""Which file holds the audio of which video."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

__all__ = ["AudioFolder", "all_audio_files"]

_SUFFIXES = ".wav .flac .mp3 .m4a .aac .ogg .opus .mp4 .m4v .mov .mkv .webm .avi".split()
"""Files with audio, in the order in which they are taken: audio alone, then video files."""


class AudioFolder:
    """the audio of the videos of a data set: ``<root>/<video>.wav``.

    ``<video>`` is the folder of the video's frames, relative to the folder of all frames. Other
    audio files will do too, and so do video files, whose audio track is then taken. Each folder
    is listed once.

    Args:
        root: the folder of audio.

    Example::

        AudioFolder("avis/train/audio").of_video(["3f1a/00000.jpg"])  # …/avis/train/audio/3f1a.wav
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._listed: dict[str, dict[str, list[str]]] = {}

    def of_video(self, file_names: Sequence[str]) -> str | None:
        """The file with the audio of a video, by the names of its frames; None: there is none."""
        video = os.path.dirname(file_names[0])
        if not video:  # its frames are in no folder of their own
            return None
        folder, name = os.path.split(os.path.join(self.root, os.path.normpath(video)))
        found = self._list(folder).get(name)
        return os.path.join(folder, found[0]) if found else None

    def _list(self, folder: str) -> dict[str, list[str]]:
        """Name without suffix → files of that name in a folder, the best first."""
        if folder not in self._listed:
            by_name: dict[str, list[str]] = {}
            for name in sorted(_files_in(folder), key=_rank):
                by_name.setdefault(os.path.splitext(name)[0], []).append(name)
            self._listed[folder] = by_name
        return self._listed[folder]


def all_audio_files(root: str) -> Iterator[str]:
    """The paths of all files with audio under a folder, in order."""
    for folder, _, _ in sorted(os.walk(os.path.abspath(root))):
        for name in sorted(_files_in(folder)):
            yield os.path.join(folder, name)


def _rank(name: str) -> tuple[int, str]:
    return _SUFFIXES.index(os.path.splitext(name)[1].lower()), name


def _files_in(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)
    except OSError:  # no such folder: no audio
        return []
    return [name for name in names if os.path.splitext(name)[1].lower() in _SUFFIXES]
