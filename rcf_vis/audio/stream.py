"""Live sound: samples in, the latest log-mel patch out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .blockwise import log_mel_filter, resampling_filter
from .log_mel import NUM_MELS, SAMPLE_RATE, SILENCE
from .samples import to_mono

__all__ = ["AudioStream"]


class AudioStream:
    """The log-mel patches of a sound that comes piece by piece.

    It is causal: a patch holds the latest spectrogram frames that follow from the samples so far.
    (Sound of another rate than 16 kHz lags by the 4 to 8 ms that its resampling looks ahead.)
    The same sound in other pieces gives the same patches.

    Args:
        sample_rate: samples a second; any that has a simple ratio to 16 kHz.
        patch_frames: η, spectrogram frames of a patch, 10 ms each.

    Raises:
        ValueError: the sample rate is no positive integer or has no simple ratio to 16 kHz.

    Example:
        >>> stream = AudioStream(44100)
        >>> patch = stream.push(samples)  # (n,) or (channels, n) → (96, 64)
    """

    def __init__(self, sample_rate: int, patch_frames: int = 96) -> None:
        if not float(sample_rate).is_integer() or sample_rate <= 0:
            raise ValueError(f"the sample rate must be a positive integer, got {sample_rate}")
        if patch_frames < 1:
            raise ValueError(f"patch_frames is {patch_frames}, expected >= 1")
        self.sample_rate = int(sample_rate)
        is_resampled = self.sample_rate != SAMPLE_RATE
        self._resampling = resampling_filter(self.sample_rate) if is_resampled else None
        self._log_mel = log_mel_filter()
        self._patch = torch.full((patch_frames, NUM_MELS), SILENCE)

    def push(self, samples: np.ndarray | Tensor) -> Tensor:
        """Take the samples since the last call.

        Args:
            samples: ``(n,)`` or ``(channels, n)``, floats in [−1, 1] or integers; n may be 0. What
                is not finite counts as silence.

        Returns:
            ``(η, 64)`` float32, oldest spectrogram frame first; silence (log 0.01) where there was
            no sound yet.

        Raises:
            ValueError: the samples have another shape or are no real numbers.
        """
        mono = to_mono(samples)
        if self._resampling is not None:
            groups = self._resampling.push(mono)
            mono = torch.cat([group.flatten() for group in groups]) if groups else mono[:0]
        frames = [part.float() for part in self._log_mel.push(mono)]
        self._patch = torch.cat((self._patch, *frames))[-len(self._patch) :]
        return self._patch.clone()
