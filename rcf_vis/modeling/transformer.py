"""The transformer layers of the fusion encoder and of the instance decoder."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

__all__ = ["DecoderLayer", "EncoderLayer", "build_layers"]


class _Layer(nn.Module):
    """What both kinds of layer share: residual sub-layers, normalised before or after."""

    def __init__(
        self, *, dim: int, num_heads: int, dim_feedforward: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(
                f"MODEL.RCF.HIDDEN_DIM ({dim}) must be a multiple of NHEADS ({num_heads})"
            )
        self.pre_norm = pre_norm
        self.self_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, dim_feedforward),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(dim_feedforward, dim),
        )
        self.norm_self_attn = nn.LayerNorm(dim)
        self.norm_feed_forward = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def _residual(
        self, x: Tensor, norm: nn.LayerNorm, sub_layer: Callable[[Tensor], Tensor]
    ) -> Tensor:
        if self.pre_norm:
            return x + self.dropout(sub_layer(norm(x)))
        return norm(x + self.dropout(sub_layer(x)))


class EncoderLayer(_Layer):
    """Self-attention among all tokens, then a feed-forward network."""

    def forward(self, tokens: Tensor, padding: Tensor | None) -> Tensor:
        """``(B, L, C)`` tokens, ``(B, L)`` bool with True for tokens to ignore → ``(B, L, C)``."""

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(x, x, x, key_padding_mask=padding, need_weights=False)[0]

        tokens = self._residual(tokens, self.norm_self_attn, attend)
        return self._residual(tokens, self.norm_feed_forward, self.feed_forward)


class DecoderLayer(_Layer):
    """Self-attention among the slots, attention to the memory, then a feed-forward network."""

    def __init__(
        self, *, dim: int, num_heads: int, dim_feedforward: int, dropout: float, pre_norm: bool
    ) -> None:
        super().__init__(
            dim=dim,
            num_heads=num_heads,
            dim_feedforward=dim_feedforward,
            dropout=dropout,
            pre_norm=pre_norm,
        )
        self.cross_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.norm_cross_attn = nn.LayerNorm(dim)

    def forward(
        self, slots: Tensor, queries: Tensor, memory: Tensor, padding: Tensor | None
    ) -> Tensor:
        """One refinement of the slots.

        Args:
            slots: ``(B, N, C)``, the queries themselves for the first layer.
            queries: ``(B, N, C)``, the learned queries, added wherever slots ask or are asked.
            memory: ``(B, L, C)`` fused tokens.
            padding: ``(B, L)`` bool, True for tokens to ignore.

        Returns:
            ``(B, N, C)``.
        """

        def attend_slots(x: Tensor) -> Tensor:
            asking = x + queries
            return self.self_attn(asking, asking, x, need_weights=False)[0]

        def attend_memory(x: Tensor) -> Tensor:
            return self.cross_attn(
                x + queries, memory, memory, key_padding_mask=padding, need_weights=False
            )[0]

        slots = self._residual(slots, self.norm_self_attn, attend_slots)
        slots = self._residual(slots, self.norm_cross_attn, attend_memory)
        return self._residual(slots, self.norm_feed_forward, self.feed_forward)


def build_layers(
    layer_type: type[_Layer], num_layers: int, **arguments: int | float | bool
) -> nn.ModuleList:
    """A stack of layers, built with ``arguments`` each; matrices begin Xavier-uniform."""
    layers = nn.ModuleList(layer_type(**arguments) for _ in range(num_layers))
    for parameter in layers.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    return layers
