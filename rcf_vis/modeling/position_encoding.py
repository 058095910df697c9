"""The position part of the operator P in equations 1 and 2."""

import math

import torch
from torch import Tensor

__all__ = ["sine_position_encoding"]


def sine_position_encoding(coordinates: Tensor, dim: int, temperature: float = 10000.0) -> Tensor:
    """Encode places of the image by sines and cosines of geometric frequencies.

    Args:
        coordinates: ``(..., D)`` float, each in [0, 1] of the image's extent; two (y, x) for
            pixels, so that grids of any resolution speak of the same places.
        dim: length of the encoding, a multiple of 2·D; each coordinate gets ``dim / D``.
        temperature: ratio of the longest to the shortest wavelength.

    Returns:
        ``(..., dim)`` of the dtype of ``coordinates``; for each coordinate c and k = 0, 1, …:
        sin(2π c / T^(2kD/dim)), cos(2π c / T^(2kD/dim)), interleaved.
    """
    axes = coordinates.shape[-1]
    if dim % (2 * axes):
        raise ValueError(f"the position encoding needs a width that {2 * axes} divides, got {dim}")
    exponents = torch.arange(dim // (2 * axes), device=coordinates.device, dtype=coordinates.dtype)
    frequencies = 2 * math.pi / temperature ** (exponents * (2 * axes / dim))
    angles = coordinates.unsqueeze(-1) * frequencies
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(-3)
