"""What the tokens of the fusion encoder attend to (figures 4, 8 and 12)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["EncoderAttention", "attention_weights", "head_pca", "lift", "sharpness"]


def attention_weights(
    module: nn.MultiheadAttention, args: tuple, kwargs: Mapping[str, Any]
) -> Tensor:
    """The weights of a call, which the call itself did not compute: one more forward pass.

    Args:
        module: in evaluation mode.
        args, kwargs: of the call, as a forward hook gets them.

    Returns:
        ``(B, heads, L, S)``: softmax(QKᵀ/√d_k) of each head; each row sums to 1.
    """
    asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
    return module.forward(*args, **asked)[1]  # not module(...), which would call the hook again


@dataclass(frozen=True)
class EncoderAttention:
    """Attention of one layer in one frame, and which tokens are which.

    "A to B" means: tokens of A ask (rows), those of B are asked (columns) [ours; the paper does not
    say which way its "reference-to-target" goes].

    Attributes:
        weights: ``(heads, L, L)``; each row sums to 1.
        groups: name → number of its tokens, in their order: "target" first, then "reference" and
            "audio" where there are any.
        padding: ``(L,)`` bool, True for tokens that stand for padding.
        grid: rows and columns of the target's tokens, padding included.
        valid: those of them that hold image, at the top left.
    """

    weights: Tensor
    groups: dict[str, int]
    padding: Tensor
    grid: tuple[int, int]
    valid: tuple[int, int]

    def views(self) -> list[tuple[str, str]]:
        """The pairs (asking, asked) that have a map; those of the references first."""
        others = [name for name in self.groups if name != "target"]
        to_target = [(name, "target") for name in (*others, "target")]
        return to_target + [("target", name) for name in others]

    def map(self, asking: str, asked: str) -> Tensor:
        """Attention of each head on the target's grid: ``(heads, h, w)`` of the valid cells.

        To the target: what each cell receives from a token of ``asking``, on the average. From the
        target to another group: what each cell gives to all tokens of ``asked`` together.

        Raises:
            ValueError: neither of the two is the target.
        """
        if "target" not in (asking, asked):
            raise ValueError(f"'{asking}' to '{asked}' has no map: neither is the target")
        part = self._part(asking, asked)
        if asked == "target":
            cells = part[:, ~self.padding[self._slice(asking)]].mean(1)
        else:
            cells = part.sum(2)
        (height, width), shape = self.valid, (len(cells), *self.grid)
        return cells.reshape(shape)[:, :height, :width]

    def share(self, asking: str, asked: str) -> float:
        """How much of its attention a token of ``asking`` gives to ``asked``; mean of the heads."""
        part = self._part(asking, asked)[:, ~self.padding[self._slice(asking)]]
        return float(part.sum(2).mean())

    def _slice(self, group: str) -> slice:
        names = list(self.groups)
        start = sum(self.groups[name] for name in names[: names.index(group)])
        return slice(start, start + self.groups[group])

    def _part(self, asking: str, asked: str) -> Tensor:
        return self.weights[:, self._slice(asking), self._slice(asked)]


def head_pca(maps: Tensor) -> Tensor:
    """The maps of all heads as one picture: their three main components as red, green and blue.

    Args:
        maps: ``(heads, h, w)``.

    Returns:
        ``(h, w, 3)`` in [0, 1], each component from its least to its greatest value; 0 where there
        are fewer than three. A component's sign is that in which its heads add up to more than 0.
    """
    pixels = maps.detach().flatten(1).T.double()
    centred = pixels - pixels.mean(0)
    _, strength, axes = torch.linalg.svd(centred, full_matrices=False)
    axes = axes[strength > 1e-9 * pixels.abs().max()][:3]
    axes = axes * torch.where(axes.sum(1, keepdim=True) < 0, -1.0, 1.0)
    values = centred @ axes.T
    low, high = values.amin(0), values.amax(0)
    picture = torch.zeros(len(pixels), 3, dtype=pixels.dtype, device=pixels.device)
    picture[:, : values.shape[1]] = (values - low) / (high - low)
    return picture.reshape(*maps.shape[1:], 3)


def sharpness(maps: Tensor) -> float:
    """1 − entropy / log(cells), mean of the heads: 0 for a flat map, 1 for a single cell."""
    cells = maps.flatten(1).double()
    if cells.shape[1] == 1:
        return 1.0
    shares = cells / cells.sum(1, keepdim=True)
    entropy = -torch.xlogy(shares, shares).sum(1)
    return float(1 - entropy.mean() / math.log(cells.shape[1]))


def lift(maps: Tensor, region: Tensor) -> float | None:
    """Mean value inside a region over the mean value everywhere; mean of the heads.

    Args:
        maps: ``(heads, h, w)``, not negative.
        region: ``(h, w)``, the share of each cell that lies inside, in [0, 1].

    Returns:
        1 where the region is like the rest; None where it is empty.
    """
    area = region.double().sum()
    if area == 0:
        return None
    cells = maps.double()
    inside = (cells * region).sum((1, 2)) / area
    return float((inside / cells.mean((1, 2))).mean())
