"""The mask decoder: a feature pyramid from the fused target tokens to S_t (III-B2)."""

from __future__ import annotations

from collections.abc import Sequence

import fvcore.nn.weight_init as weight_init
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from torch import Tensor, nn
from torch.nn import functional as F

from .feature_map import FeatureMap
from .tokens import grid_positions

__all__ = ["MaskDecoder"]

_POSITION_DIM = 16


class _PixelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel: no statistic sees the padding."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _ConvNorm(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False
        )
        weight_init.c2_msra_fill(conv)
        super().__init__(conv, _PixelNorm(out_channels))


class _Step(nn.Module):
    """One level up the pyramid: narrow, upsample ×2, add the lateral feature, smooth."""

    def __init__(self, *, in_channels: int, lateral_channels: int, out_channels: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(in_channels, out_channels, kernel_size=1)
        self.lateral = _ConvNorm(lateral_channels, out_channels, 1)
        self.smooth = _ConvNorm(out_channels, out_channels, 3)

    def forward(self, coarse: Tensor, lateral: FeatureMap) -> Tensor:
        # Nearest, as in FPN: a bilinear kernel would carry padding over the image's border.
        upsampled = F.interpolate(self.narrow(coarse), size=lateral.data.shape[-2:])
        merged = upsampled + self.lateral(lateral.data)
        if not lateral.is_full:
            merged = merged * lateral.valid()
        return F.relu(self.smooth(merged))


class MaskDecoder(nn.Module):
    """FPN over the backbone's finer levels, on top of the fused target tokens.

    Its width halves as the resolution doubles, so that it costs a tenth of one of constant width.

    Args:
        in_channels: C', width of the fused target tokens.
        lateral_channels: channels of the finer backbone levels, coarse to fine.
        dims: width of the decoder at the context feature's stride and at each finer level.
        mask_dim: C_o, channels of S_t.
        positions: S_t also says where each of its cells is [ours]: a learned linear map of sines
            and cosines of its place is added. Without it, places reach S_t through the tokens of
            the context feature alone.
    """

    @configurable
    def __init__(
        self,
        *,
        in_channels: int,
        lateral_channels: Sequence[int],
        dims: Sequence[int] = (256, 256, 128, 64),
        mask_dim: int = 64,
        positions: bool = False,
    ) -> None:
        super().__init__()
        if len(dims) != len(lateral_channels) + 1:
            raise ValueError(
                f"MODEL.RCF.MASK_DECODER_DIMS has {len(dims)} widths, expected "
                f"{len(lateral_channels) + 1}: one for CONTEXT_FEATURE and one for each finer level"
                " of IN_FEATURES down to COMMON_STRIDE"
            )
        self.top = _ConvNorm(in_channels, dims[0], 1)
        self.steps = nn.ModuleList(
            _Step(in_channels=coarse, lateral_channels=lateral, out_channels=fine)
            for coarse, lateral, fine in zip(dims[:-1], lateral_channels, dims[1:], strict=True)
        )
        self.segmentation = nn.Conv2d(dims[-1], mask_dim, kernel_size=1)
        self.positions = nn.Linear(_POSITION_DIM, mask_dim, bias=False) if positions else None
        if positions:
            nn.init.zeros_(self.positions.weight)  # weights without it go on as they were

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        rcf = cfg.MODEL.RCF
        context_stride = input_shape[rcf.CONTEXT_FEATURE].stride
        shapes = [input_shape[name] for name in rcf.IN_FEATURES]
        finer = [s for s in shapes if rcf.COMMON_STRIDE <= s.stride < context_stride]
        finer.sort(key=lambda s: -s.stride)
        if [s.stride for s in finer][-1:] not in ([rcf.COMMON_STRIDE], []):
            raise ValueError(
                f"MODEL.RCF.COMMON_STRIDE is {rcf.COMMON_STRIDE}, but IN_FEATURES have the strides "
                f"{sorted(s.stride for s in shapes)}"
            )
        return {
            "in_channels": rcf.HIDDEN_DIM,
            "lateral_channels": [s.channels for s in finer],
            "dims": rcf.MASK_DECODER_DIMS,
            "mask_dim": rcf.MASK_DIM,
            "positions": rcf.MASK_POSITIONS,
        }

    def forward(self, target: FeatureMap, finer: Sequence[FeatureMap]) -> FeatureMap:
        """Decode the segmentation map.

        Args:
            target: O'_tgt, ``(B, C', H, W)``.
            finer: finer backbone levels, coarse to fine; those past ``dims`` are not used.

        Returns:
            S_t, ``(B, C_o, H', W')`` at the stride of the finest level used.
        """
        x, level = F.relu(self.top(target.data)), target
        for step, lateral in zip(self.steps, finer, strict=False):
            x, level = step(x, lateral), lateral
        segmentation = level.like(self.segmentation(x))
        return segmentation if self.positions is None else self._placed(segmentation)

    def _placed(self, segmentation: FeatureMap) -> FeatureMap:
        dtype = segmentation.data.dtype
        places = segmentation.once(
            "places",  # with 1, 2, 4 and 8 periods over the image
            lambda: grid_positions(
                *segmentation.axis_coordinates(), _POSITION_DIM, temperature=1 / 16, dtype=dtype
            ),
        )
        added = self.positions(places).transpose(1, 2)
        return segmentation.like(
            segmentation.data + added.unflatten(2, segmentation.data.shape[2:])
        )
