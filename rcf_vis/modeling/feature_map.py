"""Feature maps that know which part of them is image and which is padding."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from detectron2.layers import ShapeSpec
from torch import Tensor
from torch.nn import functional as F

__all__ = ["FeatureMap", "FrameFeatures", "SizeConstants", "check_levels", "padded_batch"]

_Made = TypeVar("_Made")


class SizeConstants:
    """Tensors that depend on sizes alone, kept under what they depend on.

    Args:
        limit: how many are kept; those that were not asked for the longest go first.
    """

    def __init__(self, limit: int = 256) -> None:
        self._limit = limit
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """What is kept under ``key``; what ``make`` gives where nothing is."""
        if key not in self._kept:
            # Not of inference mode, whose tensors no training could use later.
            with torch.inference_mode(False), torch.no_grad():
                self._kept[key] = make()
            if len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def kept(self) -> list[Any]:
        """All that is kept now."""
        return list(self._kept.values())


@dataclass(frozen=True)
class FeatureMap:
    """One level of the backbone for a batch of images.

    Attributes:
        data: ``(B, C, H, W)`` float.
        stride: pixels of the image a cell stands for, in both directions.
        image_sizes: (height, width) in pixels of each image of the batch before padding; images
            lie at the top left, the padding right and below.
        constants: what was made of sizes alone, by :meth:`once`; shared by the maps of a frame, and
            by the frames of a video.
    """

    data: Tensor
    stride: int
    image_sizes: tuple[tuple[int, int], ...]
    constants: SizeConstants = field(default_factory=lambda: SizeConstants(), compare=False)

    @property
    def valid_sizes(self) -> list[tuple[int, int]]:
        """Rows and columns of cells that hold at least one pixel of each image."""
        s = self.stride
        return [(-(-h // s), -(-w // s)) for h, w in self.image_sizes]

    @property
    def is_full(self) -> bool:
        """Whether no cell of it is padding."""
        return set(self.valid_sizes) == {tuple(self.data.shape[-2:])}

    @staticmethod
    def batch_of(maps: Sequence[FeatureMap]) -> FeatureMap:
        """One map of the images of several, which have one size."""
        data = torch.cat([m.data for m in maps])
        return replace(maps[0], data=data, image_sizes=sum((m.image_sizes for m in maps), ()))

    def of_image(self, index: int) -> FeatureMap:
        """The map of one image of the batch; a copy, which does not keep the others in memory."""
        if len(self.data) == 1:
            return self
        part = slice(index, index + 1)
        return replace(self, data=self.data[part].clone(), image_sizes=self.image_sizes[part])

    def like(self, data: Tensor) -> FeatureMap:
        """Other channels of the same cells."""
        return replace(self, data=data)

    def once(self, name: Hashable, make: Callable[[], _Made]) -> _Made:
        """What ``make`` gives; it depends on the sizes, the dtype and the device of the map alone.

        So it is made for the first frame of a size, and on a GPU nothing is sent over in later
        ones.
        """
        data = self.data
        size = (tuple(data.shape[-2:]), self.stride, self.image_sizes, data.dtype, data.device)
        return self.constants.get((name, *size), make)

    def valid(self) -> Tensor:
        """``(B, 1, H, W)`` bool, True where a cell holds at least one pixel of the image."""
        return self.once("valid", self._valid)

    def axis_coordinates(self) -> tuple[Tensor, Tensor]:
        """Centres of the rows ``(B, H)`` and of the columns ``(B, W)``, 1 = the image's extent.

        Float32 also where the map is of half precision, in which 160 columns would blur.
        """
        return self.once("axis_coordinates", self._axis_coordinates)

    def _valid(self) -> Tensor:
        height, width = self.data.shape[-2:]
        sizes = torch.tensor(self.valid_sizes, device=self.data.device)
        rows = torch.arange(height, device=self.data.device) < sizes[:, :1]
        columns = torch.arange(width, device=self.data.device) < sizes[:, 1:]
        return (rows[:, None, :, None] & columns[:, None, None, :]).to(torch.bool)

    def _axis_coordinates(self) -> tuple[Tensor, Tensor]:
        height, width = self.data.shape[-2:]
        dtype = torch.promote_types(self.data.dtype, torch.float32)
        like = {"device": self.data.device, "dtype": dtype}
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
            name: replace(m, data=m.data[part], image_sizes=m.image_sizes[part])
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


def padded_batch(images: Sequence[Tensor], divisor: int) -> Tensor:
    """A batch of images, zeros at the right and below, both sides a multiple of ``divisor``.

    Detectron2's ImageList computes the sizes as tensors; here nothing is made but the batch.
    """
    height, width = (
        -(-max(x.shape[axis] for x in images) // divisor) * divisor for axis in (-2, -1)
    )
    return torch.stack(
        [F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2])) for x in images]
    )
