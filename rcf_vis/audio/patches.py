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

__all__ = ["audio_patches", "samples_before", "split_by_frames"]


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
    pieces = (normalize(np.asarray(piece)) for piece in pieces)
    held = next(pieces, np.zeros(0, dtype=np.float32))
    given = 0
    for t in count(1):
        end = samples_before(t, sample_rate, frame_rate)
        needed = end - given
        while (missing := needed - held.shape[-1]) > 0:
            piece = next(pieces, None)
            if piece is None:
                piece = np.zeros((*held.shape[:-1], missing), dtype=held.dtype)
            held = np.concatenate((held, piece), axis=-1)
        yield held[..., :needed]
        held, given = held[..., needed:], end


def samples_before(num_frames: int, sample_rate: int, frame_rate: float) -> int:
    """How many samples lie before the end of the first ``num_frames`` frames of a video."""
    # Rounded first: the end may be a sample's own time, and a hair more in floats.
    return math.ceil(round(num_frames * sample_rate / float(frame_rate), 6))


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
