"""Which samples belong to which frame of a video, and the patches of all its frames."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count, islice

import numpy as np
import torch
from torch import Tensor

from .samples import normalize
from .stream import AudioStream

__all__ = ["GrowingTrack", "audio_patches", "samples_before", "split_by_frames"]


class GrowingTrack:
    """An audio track, taken in order up to one time after the other; silence follows its end.

    Args:
        pieces: ``(n,)`` or ``(channels, n)`` each, floats in [−1, 1] or integers, such as an
            :class:`~rcf_vis.audio.AudioFile` or ``[samples]``.
    """

    def __init__(self, pieces: Iterable[np.ndarray]) -> None:
        self._pieces = (normalize(np.asarray(piece)) for piece in pieces)
        self._held: np.ndarray | None = None
        self._given = 0

    def up_to(self, end: int) -> np.ndarray:
        """The samples before number ``end`` that were not given yet, as floats."""
        if self._held is None:
            self._held = next(self._pieces, np.zeros(0, dtype=np.float32))
        needed = max(end - self._given, 0)
        while (missing := needed - self._held.shape[-1]) > 0:
            piece = next(self._pieces, None)
            if piece is None:
                piece = np.zeros((*self._held.shape[:-1], missing), dtype=self._held.dtype)
            self._held = np.concatenate((self._held, piece), axis=-1)
        given, self._held = self._held[..., :needed], self._held[..., needed:]
        self._given += needed
        return given


def split_by_frames(
    pieces: Iterable[np.ndarray], *, sample_rate: int, frame_rate: float
) -> Iterator[np.ndarray]:
    """Regroup an audio track by the frames of its video; silence follows without end.

    Args:
        pieces: ``(n,)`` or ``(channels, n)`` each, floats in [−1, 1] or integers, such as an
            :class:`~rcf_vis.audio.AudioFile` or ``[samples]``.
        sample_rate: samples a second.
        frame_rate: frames a second.

    Yields:
        For frame t = 0, 1, … the samples, as floats, that lie before the time (t + 1) / frame_rate
        and were not given yet.

    Raises:
        ValueError: the frame rate is no positive number.
    """
    if not 0 < frame_rate < math.inf:
        raise ValueError(f"the frame rate must be a positive number, got {frame_rate}")
    track = GrowingTrack(pieces)
    for t in count(1):
        yield track.up_to(samples_before(t, sample_rate, frame_rate))


def samples_before(num_frames: float, sample_rate: int, frame_rate: float = 1.0) -> int:
    """How many samples lie before the end of the first ``num_frames`` frames of a video.

    At the default rate of one frame a second, ``num_frames`` is a time in seconds.
    """
    # Rounded first: the end may be a sample's own time, and a hair more in floats.
    return math.ceil(round(float(num_frames * sample_rate) / float(frame_rate), 6))


def audio_patches(
    samples: np.ndarray | Tensor,
    sample_rate: int,
    *,
    frame_rate: float,
    num_frames: int,
    patch_frames: int = 96,
) -> Tensor:
    """The log-mel patch of every frame of a video.

    Frame t (from 0) gets the last η spectrogram frames that follow from the samples before the
    time (t + 1) / frame_rate. Silence (log 0.01) is what lies before the start of the audio, and
    what follows its end where it is shorter than the video.

    Args:
        samples: ``(n,)`` or ``(channels, n)``, floats in [−1, 1] or integers; n may be 0.
        sample_rate: samples a second.
        frame_rate: frames of the video a second.
        num_frames: frames of the video.
        patch_frames: η, spectrogram frames of a patch, 10 ms each.

    Returns:
        ``(num_frames, η, 64)`` float32: what an :class:`~rcf_vis.audio.AudioStream` gives, to the
        bit.

    Raises:
        ValueError: a rate is not positive, or the samples have another shape.
    """
    stream = AudioStream(sample_rate, patch_frames)
    pieces = split_by_frames(
        [np.asarray(samples)], sample_rate=stream.sample_rate, frame_rate=frame_rate
    )
    return torch.stack([stream.push(piece) for piece in islice(pieces, num_frames)])
