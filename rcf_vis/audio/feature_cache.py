"""Features a_t of the audio of whole data sets, computed once: one file a video.

A file holds what it was computed from: size and date of the audio, frame rate and length of the
video, and a fingerprint of the audio net. It is used only where all of that still holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rcf_vis.errors import DatasetError
from rcf_vis.files import whole_file

__all__ = ["AudioFeatureCache", "audio_fingerprint"]

_VERSION = 2
"""Goes up when the same audio and net give other features, as by another spectrogram."""

_FEATURES = "features"


def audio_fingerprint(weights: Mapping[str, Tensor], *, net: str, patch_frames: int) -> str:
    """What the features of a net depend on, apart from the audio, as 64 hexadecimal digits.

    Args:
        weights: of the audio net; names, types, shapes and bytes count.
        net: its kind (``MODEL.RCF.AUDIO.NET``).
        patch_frames: η, spectrogram frames of a patch.
    """
    digest = hashlib.sha256(f"{_VERSION} {patch_frames} {net}".encode())
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class AudioFeatureCache:
    """The features of the audio of videos, in a folder.

    Args:
        folder: made when the first file is written (``DATASETS.AUDIO_CACHE``).
        fingerprint: of the audio net that is in use, see :func:`audio_fingerprint`.
    """

    def __init__(self, folder: str, fingerprint: str) -> None:
        self.folder = Path(folder).expanduser()
        self.fingerprint = fingerprint

    def path(self, record: dict[str, Any]) -> Path:
        """The file of a video; all videos without audio share one."""
        source = record.get("audio_file")
        if source is None:
            return self.folder / "silence.safetensors"
        key = f"{os.path.abspath(source)}\n{record['frame_rate']}\n{record['length']}"
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        return self.folder / f"{Path(source).stem[:60]}-{digest}.safetensors"

    def write(self, record: dict[str, Any], features: Tensor) -> None:
        """Write the features of a video, atomically.

        Args:
            record: of a video; one without audio stands for all of those.
            features: ``(length, C_a)`` float32, of silence ``(1, C_a)``.
        """
        with whole_file(self.path(record)) as temporary:
            # save_file would make a file that nobody else may read.
            temporary.write_bytes(save({_FEATURES: features.contiguous()}, self._expected(record)))

    def read(self, record: dict[str, Any], indices: Sequence[int] | None = None) -> Tensor:
        """The features of some frames of a video, in any order; by default of all frames.

        Returns:
            ``(n, C_a)`` float32.

        Raises:
            DatasetError: they are not there, or outdated.
            FileNotFoundError: the audio is not there.
        """
        indices = range(record["length"]) if indices is None else indices
        with self._open(record) as file:
            rows = file.get_slice(_FEATURES)
            if record.get("audio_file") is None:
                return rows[:].expand(len(indices), -1).clone()
            first = min(indices)
            part = rows[first : max(indices) + 1]
        return part[[index - first for index in indices]]

    def fault(self, record: dict[str, Any]) -> str | None:
        """Why the features of a video cannot be used; None: they can."""
        try:
            with self._open(record):
                return None
        except DatasetError as fault:
            return str(fault)

    def check(self, records: Iterable[dict[str, Any]]) -> None:
        """Raise a DatasetError that names the first of some videos whose features are no use."""
        faults = list(filter(None, map(self.fault, records)))
        if faults:
            raise DatasetError(f"{faults[0]} (and so for {len(faults)} videos in all)")

    @contextmanager
    def _open(self, record: dict[str, Any]) -> Iterator[Any]:
        path, expected = self.path(record), self._expected(record)
        where = f"video {record['video_id']}, features of its audio {path}"
        advice = "run tools/cache_audio.py with the same config"
        if not path.is_file():
            raise DatasetError(f"{where}: not there; {advice}, or leave DATASETS.AUDIO_CACHE empty")
        try:
            with safe_open(path, framework="pt") as file:
                found = file.metadata() or {}
                wrong = [key for key, value in expected.items() if found.get(key) != value]
                if wrong:
                    raise DatasetError(
                        f"{where}: outdated, {wrong[0]} was {found.get(wrong[0])} and is now "
                        f"{expected[wrong[0]]}; {advice}"
                    )
                yield file
        except SafetensorError as error:
            raise DatasetError(f"{where}: it cannot be read ({error}); {advice}") from error

    def _expected(self, record: dict[str, Any]) -> dict[str, str]:
        """What the features of a video are computed from."""
        expected = {"audio net": self.fingerprint}
        source = record.get("audio_file")
        if source is not None:
            if not os.path.isfile(source):
                raise FileNotFoundError(f"video {record['video_id']}, audio {source}: no such file")
            stat = os.stat(source)
            expected |= {
                "size in bytes": str(stat.st_size),
                "date in ns": str(stat.st_mtime_ns),
                "frame rate": str(record["frame_rate"]),
                "length": str(record["length"]),
            }
        return expected
