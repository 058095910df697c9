"""Results on their way: each video goes to disk as it comes, and to the main process at the end."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from detectron2.utils import comm

from rcf_vis.files import whole_file

__all__ = ["ResultSpool"]


class ResultSpool:
    """Keeps one json line a video in a file, and no more than their places in memory.

    With ``results_file`` the lines go to ``<results_file>.partial-rank<rank>``, a name that nobody
    takes for results; a run that is killed leaves that and nothing else, as older results and their
    zip are removed at once. Without, they go to a nameless temporary file.

    Args:
        results_file: what :meth:`write_results` is to write.
    """

    def __init__(self, results_file: Path | None = None) -> None:
        self._path = None
        self._places: dict[int, tuple[int, int]] = {}  # video id → where its line begins, length
        if results_file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
            return
        results_file.parent.mkdir(parents=True, exist_ok=True)
        if comm.is_main_process():
            _remove_remains(results_file)
        self._path = _partial_path(results_file, comm.get_rank())
        self._file = open(self._path, "w+b")  # noqa: SIM115

    def __len__(self) -> int:
        """Number of videos."""
        return len(self._places)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The records of the videos, by ascending id."""
        return (json.loads(self._line(video_id)) for video_id in sorted(self._places))

    def add(self, video_id: int, record: dict[str, Any]) -> None:
        """Write what is known of a video; of one that is there already the first record counts.

        Args:
            record: ready for json, with ``results``, a list in the YouTube-VIS format.
        """
        self._add_line(video_id, json.dumps(record).encode())

    def gather(self) -> None:
        """Bring the videos of all processes to the main one, a few at a time; all must call it."""
        own = list(self._places)
        for k in range(max(comm.all_gather(len(own)))):
            item = (own[k], self._line(own[k])) if k < len(own) else None
            for other in comm.gather(item, dst=0)[1:]:
                if other is not None:
                    self._add_line(*other)

    def write_results(self, path: Path) -> int:
        """Write the results of all videos as one json, atomically; gives their number."""
        count = 0
        with whole_file(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
            file.write("[")
            for record in self:
                for result in record["results"]:
                    file.write((", " if count else "") + json.dumps(result))
                    count += 1
            file.write("]")
        return count

    def close(self) -> None:
        """Remove the file with the lines."""
        self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _add_line(self, video_id: int, line: bytes) -> None:
        if video_id in self._places:
            return
        start = self._file.seek(0, os.SEEK_END)
        self._file.write(line + b"\n")
        self._file.flush()  # a run that is killed leaves the videos that it has done
        self._places[video_id] = start, len(line)

    def _line(self, video_id: int) -> bytes:
        start, length = self._places[video_id]
        self._file.seek(start)
        return self._file.read(length)


def _partial_path(results_file: Path, rank: int) -> Path:
    return results_file.with_name(f"{results_file.name}.partial-rank{rank}")


def _remove_remains(results_file: Path) -> None:
    """Older results, their zip, and what a killed run of more processes has left."""
    for path in (results_file, results_file.with_suffix(".zip")):
        path.unlink(missing_ok=True)
    for path in results_file.parent.glob(f"{results_file.name}.partial-rank*"):
        rank = path.name.rpartition("rank")[2]
        if rank.isdecimal() and int(rank) >= comm.get_world_size():
            path.unlink(missing_ok=True)
