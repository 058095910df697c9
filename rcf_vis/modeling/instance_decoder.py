"""The transformer decoder that reads the instance code e_t from the fused tokens (III-B2)."""

from __future__ import annotations

from detectron2.config import CfgNode, configurable
from torch import Tensor, nn

from .context_fusion import FusedContext
from .transformer import DecoderLayer, build_layers

__all__ = ["InstanceDecoder"]


class InstanceDecoder(nn.Module):
    """N learned queries attend to all fused tokens; slot i of the code is always query i.

    Args:
        num_queries: N, the length of the instance code.
        hidden_dim: C_e = C'.
        num_layers, num_heads, dim_feedforward, dropout, pre_norm: of the decoder.
    """

    @configurable
    def __init__(
        self,
        *,
        num_queries: int = 10,
        hidden_dim: int = 256,
        num_layers: int = 6,
        num_heads: int = 8,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        pre_norm: bool = False,
    ) -> None:
        super().__init__()
        self.queries = nn.Embedding(num_queries, hidden_dim)
        self.layers = build_layers(
            DecoderLayer,
            num_layers,
            dim=hidden_dim,
            num_heads=num_heads,
            dim_feedforward=dim_feedforward,
            dropout=dropout,
            pre_norm=pre_norm,
        )
        self.norm = nn.LayerNorm(hidden_dim)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        rcf = cfg.MODEL.RCF
        return {
            "num_queries": rcf.NUM_OBJECT_QUERIES,
            "hidden_dim": rcf.HIDDEN_DIM,
            "num_layers": rcf.DEC_LAYERS,
            "num_heads": rcf.NHEADS,
            "dim_feedforward": rcf.DIM_FEEDFORWARD,
            "dropout": rcf.DROPOUT,
            "pre_norm": rcf.PRE_NORM,
        }

    def forward(self, context: FusedContext, shift: Tensor | None = None) -> list[Tensor]:
        """The instance code after each layer, ``(B, N, C_e)`` each; the last is e_t.

        Args:
            shift: ``(B, N, C_e)``, added to the queries (``MODEL.RCF.CARRY_CODE``).
        """
        queries = self.queries.weight.expand(context.tokens.shape[0], -1, -1)
        if shift is not None:
            queries = queries + shift
        # From zero, all slots would be alike and the first self-attention could learn nothing.
        slots = queries
        codes = []
        for layer in self.layers:
            slots = layer(slots, queries, context.tokens, context.padding)
            codes.append(self.norm(slots))
        return codes
