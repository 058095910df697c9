"""Live audio: samples in, the latest log-mel patch out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from .log_mel import HOP, NUM_MELS, SAMPLE_RATE, SILENCE, WINDOW, LogMelSpectrogram
from .samples import to_mono

__all__ = ["AudioStream"]

_BLOCK = 16  # spectrogram frames that are computed together


class AudioStream:
    """The log-mel patches of audio that comes piece by piece.

    It is causal: a patch holds the latest spectrogram frames that follow from the samples so far.
    (Audio of another rate than 16 kHz lags by the 1 to 2 ms that its resampling looks ahead.)
    The same audio in other pieces gives the same patches, to the bit.

    Args:
        sample_rate: samples a second.
        patch_frames: η, spectrogram frames of a patch, 10 ms each.

    Raises:
        ValueError: the sample rate is no positive integer.

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
        self._resampler = _Resampler(self.sample_rate) if is_resampled else None
        self._spectrogram = _GrowingSpectrogram()
        self._patch = torch.full((patch_frames, NUM_MELS), SILENCE)

    def push(self, samples: np.ndarray | Tensor) -> Tensor:
        """Take the samples since the last call.

        Args:
            samples: ``(n,)`` or ``(channels, n)``, floats in [−1, 1] or integers; n may be 0. What
                is not finite counts as silence.

        Returns:
            ``(η, 64)`` float32, oldest spectrogram frame first; silence (log 0.01) where there was
            no audio yet.

        Raises:
            ValueError: the samples have another shape or are no real numbers.
        """
        mono = to_mono(samples)
        if self._resampler is not None:
            mono = self._resampler.push(mono)
        frames = [part.float() for part in self._spectrogram.push(mono)]
        self._patch = torch.cat((self._patch, *frames))[-len(self._patch) :]
        return self._patch.clone()


class _Resampler:
    """FFmpeg's resampler to 16 kHz; what it gives does not depend on the pieces that it takes."""

    def __init__(self, sample_rate: int) -> None:
        import av  # with rcf_vis it would take too long

        self._frame_of = av.AudioFrame.from_ndarray
        self._rate, self._taken = sample_rate, 0
        self._resampler = av.AudioResampler(format="dbl", layout="mono", rate=SAMPLE_RATE)

    def push(self, mono: Tensor) -> Tensor:
        """``(n,)`` float64 → those samples of 16 kHz that are complete now, ``(m,)`` float64."""
        if not len(mono):
            return mono
        frame = self._frame_of(mono.numpy()[None], format="dbl", layout="mono")
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts, self._taken = self._taken, self._taken + len(mono)
        parts = [torch.from_numpy(out.to_ndarray()[0]) for out in self._resampler.resample(frame)]
        return torch.cat(parts) if parts else mono[:0]


class _GrowingSpectrogram:
    """The log-mel frames of a signal of 16 kHz that grows, each when its 25 ms are there.

    Frames are always computed in the same blocks, so that the same signal in other pieces gives
    the same frames, to the bit.
    """

    def __init__(self) -> None:
        self._log_mel = LogMelSpectrogram()
        self._window = (_BLOCK - 1) * HOP + WINDOW
        # From the start of the block that is not complete yet, of which some frames were given
        self._samples = torch.zeros(0, dtype=torch.float64)
        self._given = 0

    def push(self, samples: Tensor) -> list[Tensor]:
        """Take ``(n,)`` float64 samples; the frames that are complete now, ``(k, 64)`` each."""
        self._samples = torch.cat((self._samples, samples))
        frames = []
        while (complete := (len(self._samples) - WINDOW) // HOP + 1) > self._given:
            complete = min(complete, _BLOCK)
            window = self._samples[: self._window]
            window = torch.nn.functional.pad(window, (0, self._window - len(window)))
            frames.append(self._log_mel(window)[self._given : complete])
            self._given = complete
            if complete == _BLOCK:
                self._samples, self._given = self._samples[_BLOCK * HOP :], 0
        self._samples = self._samples.clone()  # or a view would keep all that went before
        return frames
