"""Tokens of the target frame (eq. 1) and of the reference frames (eq. 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .feature_map import FeatureMap
from .position_encoding import sine_position_encoding

__all__ = [
    "FullReferenceTokenizer",
    "ReferenceTokenizer",
    "TargetTokenizer",
    "TokenGroup",
    "adaptive_pool_weights",
    "grid_positions",
    "join_groups",
]

REF_WEIGHT_ACTIVATIONS = ("sigmoid", "softmax", "none")
REF_POOLS = ("pool", "dwconv")

# ϕ by depth-wise convolution: every cell of the K×K grid is first sampled to this many squared.
_DWCONV_SIZE = 4


@dataclass(frozen=True)
class TokenGroup:
    """Tokens of one source (target, references, audio …) for the fusion encoder.

    Attributes:
        tokens: ``(B, L, C')`` with their position added.
        padding: ``(B, L)`` bool, True for tokens that must not be attended to; None = none.
    """

    tokens: Tensor
    padding: Tensor | None = None

    def padding_mask(self) -> Tensor:
        """``padding``, spelled out when it is None."""
        if self.padding is not None:
            return self.padding
        return torch.zeros(self.tokens.shape[:2], dtype=torch.bool, device=self.tokens.device)


def join_groups(groups: Sequence[TokenGroup]) -> TokenGroup:
    """All tokens of some groups, in their order."""
    padding = None
    if any(group.padding is not None for group in groups):
        padding = torch.cat([group.padding_mask() for group in groups], dim=1)
    return TokenGroup(torch.cat([group.tokens for group in groups], dim=1), padding)


def grid_positions(
    rows: Tensor,
    columns: Tensor,
    dim: int,
    temperature: float = 10000.0,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Encode a grid given by its rows ``(B, H)`` and columns ``(B, W)``: ``(B, H·W, dim)``.

    It is computed in the dtype of the rows; ``dtype`` is that of the result, if another.
    """
    shape = (*rows.shape, columns.shape[1])
    places = torch.stack((rows[:, :, None].expand(shape), columns[:, None].expand(shape)), dim=-1)
    return sine_position_encoding(places.flatten(1, 2), dim, temperature).to(dtype or rows.dtype)


class TargetTokenizer(nn.Module):
    """Equation 1: O_tgt = P(φ_{C→C'}(f_t)); every pixel of the context feature stays a token."""

    def __init__(self, *, in_channels: int, hidden_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, hidden_dim, kernel_size=1)

    def forward(self, target: FeatureMap) -> TokenGroup:
        """``(B, C, H, W)`` → H·W tokens of width C', row by row."""
        tokens = self.proj(target.data).flatten(2).transpose(1, 2)
        dim, dtype = tokens.shape[-1], tokens.dtype
        positions = target.once(
            ("positions", dim, dtype),
            lambda: grid_positions(*target.axis_coordinates(), dim, dtype=dtype),
        )
        padding = None
        if not target.is_full:
            padding = target.once("padding", lambda: ~target.valid().flatten(1))
        return TokenGroup(tokens + positions, padding)


class FullReferenceTokenizer(nn.Module):
    """References as the target is: every pixel of every reference is a token (table IV).

    Each age has a projection of its own, by which the encoder tells it from the target and from
    the other ages, whose tokens have the same positions [ours].

    Args:
        in_channels: C of one reference feature.
        hidden_dim: C'.
        num_frames: δ ≥ 1.
    """

    def __init__(self, *, in_channels: int, hidden_dim: int, num_frames: int) -> None:
        super().__init__()
        self.frames = nn.ModuleList(
            TargetTokenizer(in_channels=in_channels, hidden_dim=hidden_dim)
            for _ in range(num_frames)
        )

    def forward(self, references: Sequence[FeatureMap]) -> TokenGroup:
        """δ feature maps ``(B, C, H, W)``, newest first → δ·H·W tokens, newest first."""
        _check_references(references, len(self.frames))
        groups = [tokens(map_) for tokens, map_ in zip(self.frames, references, strict=True)]
        return join_groups(groups)


class ReferenceTokenizer(nn.Module):
    """Equation 2: O_ref = P(φ_{δC→C'}(ϕ_{H×W→K×K}(W · f_ref))), with W = φ_{δC→1}(f_ref).

    Args:
        in_channels: C of one reference feature.
        hidden_dim: C'.
        num_frames: δ ≥ 1.
        token_size: K, the side of the grid; there are K·K tokens.
        weight_on: learn W; without it all pixels weigh the same (table VIII).
        weight_act: activation of W: "sigmoid", "softmax" over the pixels of the image, "none".
        pool: ϕ, "pool" or "dwconv".
    """

    def __init__(
        self,
        *,
        in_channels: int,
        hidden_dim: int,
        num_frames: int,
        token_size: int = 2,
        weight_on: bool = True,
        weight_act: str = "sigmoid",
        pool: str = "pool",
    ) -> None:
        super().__init__()
        if weight_act not in REF_WEIGHT_ACTIVATIONS:
            raise ValueError(
                f"MODEL.RCF.REF_WEIGHT_ACT is {weight_act!r}, expected one of "
                f"{REF_WEIGHT_ACTIVATIONS}"
            )
        if pool not in REF_POOLS:
            raise ValueError(f"MODEL.RCF.REF_POOL is {pool!r}, expected one of {REF_POOLS}")
        channels = in_channels * num_frames
        self.num_frames = num_frames
        self.token_size = token_size
        self.weight_act = weight_act
        self.weight = nn.Conv2d(channels, 1, kernel_size=1) if weight_on else None
        self.pool = _depthwise_average(channels) if pool == "dwconv" else None
        self.proj = nn.Conv2d(channels, hidden_dim, kernel_size=1)

    def forward(self, references: Sequence[FeatureMap]) -> TokenGroup:
        """δ feature maps ``(B, C, H, W)`` of one size, newest first → K·K tokens of width C'."""
        _check_references(references, self.num_frames)
        newest = references[0]
        features = torch.cat([r.data for r in references], dim=1)
        weights = None
        if self.weight is not None:
            weights = self.weight_map(features, newest.valid())
        grid = self._compress(features, weights, newest)
        tokens = self.proj(grid).flatten(2).transpose(1, 2)
        dim, dtype = tokens.shape[-1], tokens.dtype
        positions = newest.once(
            ("reference positions", self.token_size, dim, dtype),
            lambda: self._positions(newest, dim).to(dtype),
        )
        return TokenGroup(tokens + positions)

    def weight_map(self, features: Tensor, valid: Tensor) -> Tensor:
        """W of eq. 2: ``(B, δC, H, W)`` and the valid pixels ``(B, 1, H, W)`` → ``(B, 1, H, W)``.

        Values where ``valid`` is False carry no meaning: the pooling does not see them.
        """
        logits = self.weight(features)
        if self.weight_act == "sigmoid":
            return logits.sigmoid()
        if self.weight_act == "softmax":
            shape = logits.shape
            return logits.masked_fill(~valid, float("-inf")).flatten(1).softmax(1).view(shape)
        return logits

    def _compress(self, features: Tensor, weights: Tensor | None, geometry: FeatureMap) -> Tensor:
        """ϕ(W · f): one matrix of the pixels' shares in the cells, times the pixels."""
        size = self.token_size if self.pool is None else self.token_size * _DWCONV_SIZE
        shares = geometry.once(
            ("pooling", size, features.dtype),
            lambda: self._cell_shares(geometry, size, features.dtype),
        )
        if weights is not None:
            # W goes to the few cells, not to the many channels. What it is in the padding, even
            # if that were not finite, the shares of 0 there must not see.
            shares = torch.where(shares > 0, shares * weights.flatten(2), 0)
        pooled = shares @ features.flatten(2).transpose(1, 2)  # (B, size², δC)
        pooled = pooled.transpose(1, 2).unflatten(2, (size, size))
        return pooled if self.pool is None else self.pool(pooled)

    def _cell_shares(self, geometry: FeatureMap, size: int, dtype: torch.dtype) -> Tensor:
        """``(B, size², H·W)``: the share of each pixel in each cell."""
        by_rows, by_columns = self._pool_weights(geometry, size, torch.float64)
        shares = by_rows[:, :, None, :, None] * by_columns[:, None, :, None, :]
        return shares.flatten(3).flatten(1, 2).to(dtype)

    def _positions(self, geometry: FeatureMap, dim: int) -> Tensor:
        # The centre of a cell is the mean of the pixels pooled into it, so both grids agree.
        rows, columns = geometry.axis_coordinates()
        by_rows, by_columns = self._pool_weights(geometry, self.token_size, rows.dtype)
        centres = (by_rows @ rows[..., None], by_columns @ columns[..., None])
        return grid_positions(centres[0].squeeze(-1), centres[1].squeeze(-1), dim)

    @staticmethod
    def _pool_weights(geometry: FeatureMap, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        height, width = geometry.data.shape[-2:]
        heights, widths = zip(*geometry.valid_sizes, strict=True)
        like = {"device": geometry.data.device, "dtype": dtype}
        return (
            torch.stack([adaptive_pool_weights(h, height, size) for h in heights]).to(**like),
            torch.stack([adaptive_pool_weights(w, width, size) for w in widths]).to(**like),
        )


def _check_references(references: Sequence[FeatureMap], expected: int) -> None:
    if len(references) != expected:
        raise ValueError(f"expected {expected} reference frames, got {len(references)}")


def adaptive_pool_weights(valid: int, length: int, bins: int) -> Tensor:
    """Adaptive average pooling of ``valid`` cells out of ``length`` as a matrix.

    Returns:
        ``(bins, length)`` float64; row k averages the cells ⌊k·valid/bins⌋ … ⌈(k+1)·valid/bins⌉−1,
        the bins of ``torch.nn.AdaptiveAvgPool1d``; cells from ``valid`` on (padding) have weight 0.
    """
    cells = torch.arange(length)
    k = torch.arange(bins)[:, None]
    start = k * valid // bins
    end = -((-(k + 1) * valid) // bins)
    inside = (cells >= start) & (cells < end)
    return inside.double() / inside.sum(dim=1, keepdim=True)


def _depthwise_average(channels: int) -> nn.Conv2d:
    """A depth-wise convolution that begins as the average of each cell."""
    conv = nn.Conv2d(
        channels, channels, kernel_size=_DWCONV_SIZE, stride=_DWCONV_SIZE, groups=channels
    )
    nn.init.constant_(conv.weight, 1 / _DWCONV_SIZE**2)
    nn.init.zeros_(conv.bias)
    return conv
