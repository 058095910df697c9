"""The audio of the frames of a video: log-mel patches, or the features that a cache has of them.

Frame t has the audio up to its end, the time (t + 1) / frame rate, and never beyond
(section III-C2). What has no audio is silent: a data set without audio, a still image, a video
whose audio is missing or has no audio track, and the end of a video that is longer than its audio.
The end of an audio track that is longer than its video is not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice, repeat
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from torch import Tensor

from rcf_vis.audio import (
    SILENCE,
    AudioStream,
    NoAudioTrack,
    read_audio,
    split_by_frames,
)
from rcf_vis.audio.feature_cache import AudioFeatureCache
from rcf_vis.audio.log_mel import NUM_MELS
from rcf_vis.audio.net_weights import open_audio_cache
from rcf_vis.audio.patches import samples_before
from rcf_vis.errors import DatasetError

__all__ = ["FrameAudio", "LazyAudio", "patches_of_frames"]

_HOPS_A_SECOND = 100  # of the spectrogram


class FrameAudio:
    """What the mapper adds to a sample of an audio-visual model.

    Args:
        patch_frames: η, spectrogram frames of a patch (``MODEL.RCF.AUDIO.NUM_FRAMES``).
        cache: features in place of patches (``DATASETS.AUDIO_CACHE``).

    Raises:
        ValueError, FileNotFoundError: from a cfg with a cache: see
            :func:`rcf_vis.audio.net_weights.read_net_weights`.
    """

    @configurable
    def __init__(self, *, patch_frames: int = 96, cache: AudioFeatureCache | None = None) -> None:
        self.patch_frames = patch_frames
        self.cache = cache

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        cache = None
        if cfg.DATASETS.AUDIO_CACHE:
            cache = open_audio_cache(cfg)
        return {"patch_frames": cfg.MODEL.RCF.AUDIO.NUM_FRAMES, "cache": cache}

    def of_frames(self, record: dict[str, Any], indices: Sequence[int]) -> dict[str, Tensor]:
        """Of some frames of a video, in any order.

        Returns:
            ``audio``, (n, η, 64) float32, or with a cache ``audio_features``, (n, C_a) float32.

        Raises:
            DatasetError, FileNotFoundError: the audio cannot be read, or the cache is not up to
                date.
        """
        if self.cache is not None:
            return {"audio_features": self.cache.read(record, indices)}
        with _named(record):
            audio = _read_audio(record)
            if audio is None:
                return {"audio": self._silence().expand(len(indices), -1, -1).clone()}
            rate = record["frame_rate"]
            patches = patches_of_frames(
                *audio, indices, frame_rate=rate, patch_frames=self.patch_frames
            )
        return {"audio": patches}

    def of_video(self, record: dict[str, Any]) -> dict[str, LazyAudio]:
        """Of a whole video: ``audio`` or ``audio_features``, an item (η, 64) or (C_a,) a frame."""
        if self.cache is not None:
            read = partial(self.cache.read, record)
            return {"audio_features": LazyAudio(read, record["length"])}
        return {"audio": LazyAudio(partial(self._stream, record), record["length"])}

    def check(self, records: Iterable[dict[str, Any]]) -> None:
        """Raise a DatasetError where the cache is not up to date for all of some videos."""
        if self.cache is not None:
            self.cache.check(records)

    def _stream(self, record: dict[str, Any]) -> Iterator[Tensor]:
        """The patches of a video one after the other, for as long as they are asked for."""
        with _named(record):
            audio = _read_audio(record)
            if audio is None:
                yield from repeat(self._silence())
            samples, sample_rate = audio
            stream = AudioStream(sample_rate, self.patch_frames)
            rates = {"sample_rate": sample_rate, "frame_rate": record["frame_rate"]}
            for piece in split_by_frames([samples], **rates):
                yield stream.push(piece)

    def _silence(self) -> Tensor:
        """A patch (η, 64) of silence."""
        return torch.full((self.patch_frames, NUM_MELS), SILENCE)


class LazyAudio(Sequence[Tensor]):
    """The audio of a video frame by frame, read when the first frame is asked for.

    Asking in order costs least; to go back is to read again. It can be pickled.

    Args:
        read: gives the items of all frames, from the first on.
        length: number of frames.
    """

    def __init__(self, read: Callable[[], Iterable[Tensor]], length: int) -> None:
        self._read = read
        self._length = length
        self._forget()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Tensor]:
        return islice(self._read(), self._length)

    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        """Item of frame ``index``; a slice gives a list.

        Raises:
            DatasetError, FileNotFoundError: see :meth:`FrameAudio.of_frames`.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(self._length))]
        if not -self._length <= index < self._length:
            raise IndexError(f"frame {index} of a video of {self._length}")
        index %= self._length
        if self._items is None or index < self._last:
            self._forget()
            self._items = iter(self._read())
        while self._last < index:
            self._item, self._last = next(self._items), self._last + 1
        return self._item

    def __getstate__(self) -> dict[str, Any]:
        return {"_read": self._read, "_length": self._length}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget()

    def _forget(self) -> None:
        self._items: Iterator[Tensor] | None = None
        self._item: Tensor | None = None
        self._last = -1


def patches_of_frames(
    samples: np.ndarray,
    sample_rate: int,
    frames: Sequence[int],
    *,
    frame_rate: float,
    patch_frames: int = 96,
) -> Tensor:
    """:func:`~rcf_vis.audio.audio_patches` of some frames alone, in any order: ``(n, η, 64)``.

    Only the audio that they need is looked at, which is what a clip out of a long video needs.
    """
    ordered = sorted(set(frames))
    ends = [samples_before(t + 1, sample_rate, frame_rate) for t in ordered]
    start = _first_sample(ends[0], sample_rate, patch_frames)
    stream, patches = AudioStream(sample_rate, patch_frames), {}
    for t, end in zip(ordered, ends, strict=True):
        piece = samples[:, start:end]
        silence_after = end - start - piece.shape[1]
        patches[t] = stream.push(np.pad(piece, ((0, 0), (0, silence_after))))
        start = end
    return torch.stack([patches[t] for t in frames])


def _first_sample(end: int, sample_rate: int, patch_frames: int) -> int:
    """Where to begin, so that a patch at ``end`` is what it is from sample 0 on."""
    # A window and the reach of the resampling's filter on both sides, with room to spare
    margin = 0.1 + 256 / min(sample_rate, 16000)
    hops = math.floor((end / sample_rate - margin) * _HOPS_A_SECOND) - patch_frames
    step = _HOPS_A_SECOND // math.gcd(sample_rate, _HOPS_A_SECOND)
    hops = max(0, hops // step * step)  # so that the windows begin at the same samples
    return hops * sample_rate // _HOPS_A_SECOND


def _read_audio(record: dict[str, Any]) -> tuple[np.ndarray, int] | None:
    """Samples and sample rate of the audio of a video; None: it has none."""
    if record.get("audio_file") is None:
        return None
    try:
        samples, sample_rate = read_audio(record["audio_file"])
    except NoAudioTrack:
        return None
    return (samples, sample_rate) if samples.shape[1] else None


@contextmanager
def _named(record: dict[str, Any]) -> Iterator[None]:
    """Errors in the audio of a video say which one it is."""
    where = f"video {record['video_id']}, audio {record.get('audio_file')}"
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: no such file") from error
    except (OSError, ValueError) as error:
        raise DatasetError(f"{where}: {error}", "audio") from error
