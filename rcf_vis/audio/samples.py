"""Samples of any type and number of channels as one channel of floats."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

__all__ = ["normalize", "to_mono"]

# More rows than this are taken for samples: an array (n, channels) would else audio like silence.
_MAX_CHANNELS = 256

logger = logging.getLogger(__name__)


def normalize(samples: np.ndarray) -> np.ndarray:
    """Samples of an integer type as float64 in [−1, 1); floats as they are.

    Args:
        samples: any shape; int16 and int32 are divided by 2¹⁵ and 2³¹, uint8 (wav files of 8 bits)
            is (x − 128) / 128.

    Raises:
        ValueError: they are no real numbers.
    """
    if samples.dtype.kind == "f":
        return samples
    if samples.dtype.kind not in "iu":
        raise ValueError(f"samples must be integers or floats, got {samples.dtype}")
    half = 2.0 ** (8 * samples.dtype.itemsize - 1)
    offset = half if samples.dtype.kind == "u" else 0.0
    return (samples - offset) / half


def to_mono(samples: np.ndarray | Tensor) -> Tensor:
    """The mean of all channels; samples that are not finite are silence, which is logged.

    Args:
        samples: ``(n,)`` or ``(channels, n)`` of floats, nominally in [−1, 1], or of integers, the
            whole range of which becomes [−1, 1).

    Returns:
        ``(n,)`` float64 on the CPU.

    Raises:
        ValueError: another shape, such as ``(n, channels)``, or no real numbers.
    """
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().numpy()
    samples = np.asarray(samples)
    shape = samples.shape
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= shape[0] <= _MAX_CHANNELS):
        raise ValueError(f"samples must have the shape (n,) or (channels, n), got {shape}")
    mono = normalize(samples).astype(np.float64)
    if mono.ndim == 2:
        mono = mono.mean(axis=0)
    finite = np.isfinite(mono)
    if not finite.all():
        logger.warning("%d of %d samples are not finite: silence", (~finite).sum(), finite.size)
        mono = np.where(finite, mono, 0.0)
    return torch.from_numpy(mono)
