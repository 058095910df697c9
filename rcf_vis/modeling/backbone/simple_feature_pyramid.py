"""Four levels out of the one feature map of a plain vision transformer."""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.layers import ShapeSpec
from timm.layers import LayerNorm2d
from torch import Tensor, nn

__all__ = ["SimpleFeaturePyramid"]


class SimpleFeaturePyramid(nn.Module):
    """The simple feature pyramid of ViTDet (Li et al., ECCV 2022, section 3), made thin.

    Every level comes straight from the map of stride 16, by transposed convolutions of kernel 2 or
    by max pooling, and ends in a layer normalisation of each pixel. Where ViTDet then has a 1×1 and
    a 3×3 convolution of 256 channels, RCF's mask decoder has its own; here they would cost more
    than the rest of the network. Cells are cut without overlap, so no level carries padding over
    the border of the image.

    Args:
        in_channels: C, of the map of stride 16; divisible by 4.
        out_features: the levels wanted, of ``res2`` (stride 4, C/4 channels), ``res3`` (8, C/2),
            ``res4`` (16, C) and ``res5`` (32, C).
    """

    in_stride = 16

    def __init__(
        self, *, in_channels: int, out_features: Sequence[str] = ("res2", "res3", "res4", "res5")
    ) -> None:
        super().__init__()
        half, quarter = in_channels // 2, in_channels // 4
        levels = {
            "res2": nn.Sequential(
                nn.ConvTranspose2d(in_channels, half, kernel_size=2, stride=2),
                LayerNorm2d(half),
                nn.GELU(),
                nn.ConvTranspose2d(half, quarter, kernel_size=2, stride=2),
                LayerNorm2d(quarter),
            ),
            "res3": nn.Sequential(
                nn.ConvTranspose2d(in_channels, half, kernel_size=2, stride=2), LayerNorm2d(half)
            ),
            "res4": LayerNorm2d(in_channels),
            "res5": nn.Sequential(nn.MaxPool2d(kernel_size=2, stride=2), LayerNorm2d(in_channels)),
        }
        shapes = {
            "res2": ShapeSpec(channels=quarter, stride=4),
            "res3": ShapeSpec(channels=half, stride=8),
            "res4": ShapeSpec(channels=in_channels, stride=16),
            "res5": ShapeSpec(channels=in_channels, stride=32),
        }
        self.levels = nn.ModuleDict({name: levels[name] for name in out_features})
        self._shapes = {name: shapes[name] for name in out_features}

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and strides of the levels."""
        return dict(self._shapes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """``(B, C, H, W)`` of stride 16, H and W even where ``res5`` is wanted, to its levels."""
        return {name: level(x) for name, level in self.levels.items()}
