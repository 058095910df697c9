"""Feature maps that know which part of them is image and which is padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from detectron2.layers import ShapeSpec
from torch import Tensor

__all__ = ["FeatureMap", "FrameFeatures", "check_levels"]


@dataclass(frozen=True)
class FeatureMap:
    """One level of the backbone for a batch of images.

    Attributes:
        data: ``(B, C, H, W)`` float.
        stride: pixels of the image a cell stands for, in both directions.
        image_sizes: (height, width) in pixels of each image of the batch before padding; images
            lie at the top left, the padding right and below.
    """

    data: Tensor
    stride: int
    image_sizes: tuple[tuple[int, int], ...]

    @property
    def valid_sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of cells that hold at least one pixel of each image."""
        s = self.stride
        return [(-(-h // s), -(-w // s)) for h, w in self.image_sizes]

    def valid(self) -> Tensor:
        """``(B, 1, H, W)`` bool, True where a cell holds at least one pixel of the image."""
        height, width = self.data.shape[-2:]
        sizes = torch.tensor(self.valid_sizes, device=self.data.device)
        rows = torch.arange(height, device=self.data.device) < sizes[:, :1]
        columns = torch.arange(width, device=self.data.device) < sizes[:, 1:]
        return (rows[:, None, :, None] & columns[:, None, None, :]).to(torch.bool)

    def axis_coordinates(self) -> tuple[Tensor, Tensor]:
        """Centres of the rows ``(B, H)`` and of the columns ``(B, W)``, 1 = the image's extent."""
        height, width = self.data.shape[-2:]
        like = {"device": self.data.device, "dtype": self.data.dtype}
        extents = torch.tensor(self.image_sizes, **like)
        rows = (torch.arange(height, **like) + 0.5) * self.stride / extents[:, :1]
        columns = (torch.arange(width, **like) + 0.5) * self.stride / extents[:, 1:]
        return rows, columns


@dataclass(frozen=True)
class FrameFeatures:
    """All levels of the backbone for one frame of each clip of a batch.

    Attributes:
        maps: level name → :class:`FeatureMap`, fine to coarse.
        context_feature: name of the level f_t that becomes tokens.
    """

    maps: Mapping[str, FeatureMap]
    context_feature: str

    @property
    def context(self) -> FeatureMap:
        """The context feature f_t."""
        return self.maps[self.context_feature]

    @property
    def finer(self) -> list[FeatureMap]:
        """The levels finer than f_t, coarse to fine: what the mask decoder climbs."""
        context = self.context
        finer = [m for m in self.maps.values() if m.stride < context.stride]
        return sorted(finer, key=lambda m: -m.stride)

    def of_frame(self, index: int, batch_size: int) -> FrameFeatures:
        """The features of one frame of each clip out of those of all frames, frame by frame."""
        part = slice(index * batch_size, (index + 1) * batch_size)
        maps = {
            name: FeatureMap(m.data[part], m.stride, m.image_sizes[part])
            for name, m in self.maps.items()
        }
        return FrameFeatures(maps, self.context_feature)


def check_levels(
    in_features: Sequence[str], context_feature: str, shapes: dict[str, ShapeSpec]
) -> None:
    """ValueError where the backbone does not give levels that RCF can use."""
    missing = [name for name in in_features if name not in shapes]
    if missing:
        raise ValueError(
            f"MODEL.RCF.IN_FEATURES names {missing}, but the backbone gives {sorted(shapes)}"
        )
    coarsest = max(in_features, key=lambda name: shapes[name].stride)
    if context_feature != coarsest:
        raise ValueError(
            f"MODEL.RCF.CONTEXT_FEATURE is {context_feature!r}, expected {coarsest!r}, the "
            f"coarsest of MODEL.RCF.IN_FEATURES {list(in_features)}"
        )
    strides = [shapes[name].stride for name in in_features]
    if strides != [strides[0] * 2**k for k in range(len(strides))]:
        raise ValueError(
            f"MODEL.RCF.IN_FEATURES {list(in_features)} of this MODEL.BACKBONE.NAME have the "
            f"strides {strides}; expected each to be twice the one before, as 4, 8, 16, 32"
        )
