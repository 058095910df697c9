"""Filters over a signal that grows, with results that do not depend on how it comes in."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from rcf_vis.errors import extra

from .log_mel import HOP, SAMPLE_RATE, WINDOW, LogMelSpectrogram

__all__ = ["BlockwiseFilter", "log_mel_filter", "resampling_filter"]

_FRAMES_OF_A_BLOCK = 16
_SAMPLES_OF_A_BLOCK = 1600

# Band limit of the resampling: a sinc of 64 zero crossings a side under a Kaiser window, VGGish's
# own quality ("kaiser_best" of resampy) in the terms of torchaudio.
_ZERO_CROSSINGS = 64
_ROLLOFF = 0.9475937167399596
_KAISER_BETA = 14.769656459379492
# Numbers of the resampling kernel; 11025 Hz, the oddest rate in use, needs 4e5
_MAX_KERNEL_SIZE = 2**22


class BlockwiseFilter:
    """Apply a function of a sliding window to a signal that comes piece by piece.

    Item k depends on the samples k·stride − before to k·stride + after − 1, zeros before the
    start. It is given as soon as all of them are there. Items are always computed in the same
    blocks, each at the same place of an input of the same size, so that the same signal in other
    pieces gives the same items, to the bit.

    Args:
        function: ``(samples of a block,)`` → ``(block, ...)``, item by item.
        stride, before, after: in samples, as above.
        block: items that are computed together.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        *,
        stride: int,
        before: int,
        after: int,
        block: int,
    ) -> None:
        self._function = function
        self._stride, self._after, self._block = stride, after, block
        self._window = before + (block - 1) * stride + after
        # Samples from the start of the block that is not yet complete
        self._samples = torch.zeros(before, dtype=torch.float64)
        self._received = 0
        self._given = 0

    def push(self, samples: Tensor) -> list[Tensor]:
        """Take ``(n,)`` float64 samples; the items that are complete now, in parts."""
        self._samples = torch.cat((self._samples, samples))
        self._received += len(samples)
        complete = max(0, (self._received - self._after) // self._stride + 1)
        items = []
        while self._given < complete:
            first = self._given % self._block
            count = min(self._block - first, complete - self._given)
            window = self._samples[: self._window]
            window = torch.nn.functional.pad(window, (0, self._window - len(window)))
            items.append(self._function(window)[first : first + count])
            self._given += count
            if first + count == self._block:
                self._samples = self._samples[self._block * self._stride :]
        self._samples = self._samples.clone()  # or a view would keep all that went before
        return items


def log_mel_filter() -> BlockwiseFilter:
    """Samples of 16 kHz → log-mel frames ``(n, 64)``, each when its 25 ms are there."""
    log_mel = LogMelSpectrogram()
    return BlockwiseFilter(
        lambda window: log_mel(window)[:_FRAMES_OF_A_BLOCK],
        stride=HOP,
        before=0,
        after=WINDOW,
        block=_FRAMES_OF_A_BLOCK,
    )


def resampling_filter(sample_rate: int) -> BlockwiseFilter:
    """Samples of another rate → groups ``(n, m)`` of samples of 16 kHz; it looks 4 to 8 ms ahead.

    Raises:
        ValueError: the rate has so little in common with 16 kHz that the kernel would not fit.
    """
    kernel, stride, reach = _resampling_kernel(sample_rate)
    length, groups = kernel.shape
    return BlockwiseFilter(
        lambda window: window.unfold(0, length, stride) @ kernel,
        stride=stride,
        before=reach,
        after=stride + reach,
        block=max(1, _SAMPLES_OF_A_BLOCK // groups),
    )


@lru_cache(maxsize=4)
def _resampling_kernel(sample_rate: int) -> tuple[Tensor, int, int]:
    """The windowed sinc of torchaudio's ``Resample``, which itself is slow in float64.

    Returns:
        ``(stride + 2·reach, m)`` float64: the samples that m samples of 16 kHz depend on; stride,
        the samples from one group of m to the next; reach, how far a group looks back and ahead.
    """
    divisor = math.gcd(sample_rate, SAMPLE_RATE)
    old, new = sample_rate // divisor, SAMPLE_RATE // divisor
    reach = math.ceil(_ZERO_CROSSINGS * old / (min(old, new) * _ROLLOFF))
    if new * (old + 2 * reach) > _MAX_KERNEL_SIZE:
        raise ValueError(
            f"a sample rate of {sample_rate} Hz has no simple ratio to {SAMPLE_RATE} Hz; "
            f"resample the sound before, e.g. by ffmpeg -i … -ar {SAMPLE_RATE}"
        )
    with extra("audio"):
        import torchaudio
    resample = torchaudio.transforms.Resample(
        sample_rate,
        SAMPLE_RATE,
        resampling_method="sinc_interp_kaiser",
        lowpass_filter_width=_ZERO_CROSSINGS,
        rolloff=_ROLLOFF,
        beta=_KAISER_BETA,
        dtype=torch.float64,
    )
    kernel = resample.kernel.squeeze(1).T.contiguous()
    return kernel, old, (len(kernel) - old) // 2
