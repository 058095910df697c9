"""The log-mel spectrogram of VGGish (section III-C2, appendix VIII)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rcf_vis.errors import extra

__all__ = [
    "HOP",
    "NUM_MELS",
    "SAMPLE_RATE",
    "SILENCE",
    "WINDOW",
    "LogMelSpectrogram",
    "mel_filterbank",
]

SAMPLE_RATE = 16000
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
NUM_MELS = 64
_FFT_LENGTH = 512
_LOWEST, _HIGHEST = 125.0, 7500.0
_LOG_OFFSET = 0.01

SILENCE = math.log(_LOG_OFFSET)  # every value of the log-mel spectrogram of silence


class LogMelSpectrogram(nn.Module):
    """log(mel + 0.01) of the magnitudes of the short-time Fourier transform.

    Periodic Hann windows of 25 ms every 10 ms, an FFT of 512 points, 64 mel bins from 125 to
    7500 Hz, as VGGish has them. It computes in float64: beside a loud tone the rounding errors of
    float32 would show in the quiet bins.

    Example:
        >>> LogMelSpectrogram()(torch.zeros(16000)).shape
        torch.Size([100, 64])
    """

    def __init__(self) -> None:
        super().__init__()
        with extra("audio"):
            import torchaudio
        self.spectrogram = torchaudio.transforms.Spectrogram(
            n_fft=_FFT_LENGTH,
            win_length=WINDOW,
            hop_length=HOP,
            power=1.0,
            center=False,
            wkwargs={"periodic": True, "dtype": torch.float64},
        )
        self.register_buffer("filterbank", mel_filterbank(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """
        Args:
            waveform: ``(..., n)`` float in [−1, 1], 16 kHz.

        Returns:
            ``(..., ⌈n / 160⌉, 64)`` of the same dtype; frame k covers the samples 160·k to
            160·k + 399, zeros past the end.
        """
        num_samples = waveform.shape[-1]
        num_frames = -(-num_samples // HOP)
        if num_frames == 0:
            return waveform.new_zeros((*waveform.shape[:-1], 0, NUM_MELS))
        # The transform puts the window into the middle of the FFT's 512 samples.
        before = (_FFT_LENGTH - WINDOW) // 2
        after = (num_frames - 1) * HOP + _FFT_LENGTH - before - num_samples
        padded = nn.functional.pad(waveform.double(), (before, after))
        magnitudes = self.spectrogram(padded).transpose(-1, -2)
        return torch.log(magnitudes @ self.filterbank + _LOG_OFFSET).to(waveform.dtype)


def mel_filterbank() -> Tensor:
    """Triangles on the mel scale m(f) = 1127 ln(1 + f / 700), with straight sides there.

    Not torchaudio's, whose sides are straight on the scale of Hertz. The bin of 0 Hz has no weight.

    Returns:
        ``(257, 64)`` float64.
    """

    def mel(hertz: Tensor) -> Tensor:
        return 1127.0 * torch.log1p(hertz / 700.0)

    limits = mel(torch.tensor([_LOWEST, _HIGHEST], dtype=torch.float64)).tolist()
    edges = torch.linspace(*limits, NUM_MELS + 2, dtype=torch.float64)
    bins = mel(
        torch.linspace(0.0, SAMPLE_RATE / 2, _FFT_LENGTH // 2 + 1, dtype=torch.float64)
    ).unsqueeze(1)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - lower) / (centre - lower), (upper - bins) / (upper - centre)
    weights = torch.minimum(rising, falling).clamp(min=0.0)
    weights[0] = 0.0
    return weights
