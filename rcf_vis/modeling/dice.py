"""The Dice coefficient, the measure of masks in equations 3 and 4."""

from torch import Tensor

__all__ = ["dice_coefficient"]

# Keeps two empty masks (coefficient 1) and the gradient of a nearly empty one defined.
_SMOOTH = 1.0


def dice_coefficient(overlap: Tensor, sizes: Tensor) -> Tensor:
    """Dice coefficient of masks m and m' with values in [0, 1], as V-Net has it, whom the paper
    cites.

    Args:
        overlap: Σ m m' over the pixels, any shape.
        sizes: Σ m² + Σ m'², of the same shape.

    Returns:
        (2 Σ m m' + 1) / (Σ m² + Σ m'² + 1).
    """
    return (2 * overlap + _SMOOTH) / (sizes + _SMOOTH)
