"""Robust Context Fusion (section III-B1): target, reference and further tokens, fused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from torch import Tensor, nn

from .feature_map import FeatureMap
from .tokens import (
    FullReferenceTokenizer,
    ReferenceTokenizer,
    TargetTokenizer,
    TokenGroup,
    join_groups,
)
from .transformer import EncoderLayer, build_layers

__all__ = ["FusedContext", "RobustContextFusion"]

FUSIONS = ("token", "full_encoder", "full_decoder")


@dataclass(frozen=True)
class FusedContext:
    """What the fusion encoder makes of a frame and its context.

    Attributes:
        tokens: O', ``(B, L, C')``: all fused tokens, those of the target first.
        padding: ``(B, L)`` bool, True for tokens that stand for padding; None = none.
        target: O'_tgt on its grid, ``(B, C', H, W)``.
    """

    tokens: Tensor
    padding: Tensor | None
    target: FeatureMap

    def padding_mask(self) -> Tensor:
        """``padding``, spelled out when it is None."""
        return TokenGroup(self.tokens, self.padding).padding_mask()


class RobustContextFusion(nn.Module):
    """Fuse the target's tokens with those of its references by a transformer encoder.

    Args:
        in_channels: C of the context feature.
        hidden_dim: C'.
        num_reference_frames: δ; with 0 there are no reference tokens.
        fusion: "token", the paper's: K·K compressed reference tokens in the target's encoder; or a
            baseline of table IV: "full_encoder", all reference pixels as tokens in the target's
            encoder; "full_decoder", all reference pixels through an encoder of their own, joined
            with the target's tokens before the instance decoder.
        ref_token_size: K of the K×K reference grid, of "token" alone.
        ref_weight_on, ref_weight_act, ref_pool: see :class:`ReferenceTokenizer`; of "token" alone.
        num_layers, num_heads, dim_feedforward, dropout, pre_norm: of an encoder.
    """

    @configurable
    def __init__(
        self,
        *,
        in_channels: int,
        hidden_dim: int = 256,
        num_reference_frames: int = 1,
        fusion: str = "token",
        ref_token_size: int = 2,
        ref_weight_on: bool = True,
        ref_weight_act: str = "sigmoid",
        ref_pool: str = "pool",
        num_layers: int = 6,
        num_heads: int = 8,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        pre_norm: bool = False,
    ) -> None:
        super().__init__()
        if num_reference_frames < 0:
            raise ValueError(
                f"MODEL.RCF.NUM_REFERENCE_FRAMES is {num_reference_frames}, expected 0 or more"
            )
        if fusion not in FUSIONS:
            raise ValueError(f"MODEL.RCF.FUSION is {fusion!r}, expected one of {FUSIONS}")
        self.num_reference_frames = num_reference_frames
        self.target_tokens = TargetTokenizer(in_channels=in_channels, hidden_dim=hidden_dim)
        self.reference_tokens = None
        if num_reference_frames:
            sizes = {
                "in_channels": in_channels,
                "hidden_dim": hidden_dim,
                "num_frames": num_reference_frames,
            }
            if fusion == "token":
                self.reference_tokens = ReferenceTokenizer(
                    **sizes,
                    token_size=ref_token_size,
                    weight_on=ref_weight_on,
                    weight_act=ref_weight_act,
                    pool=ref_pool,
                )
            else:
                self.reference_tokens = FullReferenceTokenizer(**sizes)

        def encoder_layers() -> nn.ModuleList:
            return build_layers(
                EncoderLayer,
                num_layers,
                dim=hidden_dim,
                num_heads=num_heads,
                dim_feedforward=dim_feedforward,
                dropout=dropout,
                pre_norm=pre_norm,
            )

        def last_norm() -> nn.Module:
            # A pre-norm stack leaves its sum unnormalised.
            return nn.LayerNorm(hidden_dim) if pre_norm else nn.Identity()

        self.layers, self.norm = encoder_layers(), last_norm()
        self.reference_layers, self.reference_norm = None, None
        if num_reference_frames and fusion == "full_decoder":
            self.reference_layers, self.reference_norm = encoder_layers(), last_norm()

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        rcf = cfg.MODEL.RCF
        return {
            "in_channels": input_shape[rcf.CONTEXT_FEATURE].channels,
            "hidden_dim": rcf.HIDDEN_DIM,
            "num_reference_frames": rcf.NUM_REFERENCE_FRAMES,
            "fusion": rcf.FUSION,
            "ref_token_size": rcf.REF_TOKEN_SIZE,
            "ref_weight_on": rcf.REF_WEIGHT_ON,
            "ref_weight_act": rcf.REF_WEIGHT_ACT,
            "ref_pool": rcf.REF_POOL,
            "num_layers": rcf.ENC_LAYERS,
            "num_heads": rcf.NHEADS,
            "dim_feedforward": rcf.DIM_FEEDFORWARD,
            "dropout": rcf.DROPOUT,
            "pre_norm": rcf.PRE_NORM,
        }

    def forward(
        self,
        target: FeatureMap,
        references: Sequence[FeatureMap] = (),
        further: Sequence[TokenGroup] = (),
    ) -> FusedContext:
        """Fuse one frame.

        Args:
            target: context feature f_t, ``(B, C, H, W)``.
            references: f_{t−1} … f_{t−δ}, newest first, each as the target; ignored when δ = 0.
            further: token groups of other sources, such as audio, of width C'.
        """
        groups, apart = [self.target_tokens(target)], []
        if self.reference_tokens is not None:
            joined = groups if self.reference_layers is None else apart
            joined.append(self.reference_tokens(references))
        fused = _encode([*groups, *further], self.layers, self.norm)
        if apart:
            context = _encode(apart, self.reference_layers, self.reference_norm)
            fused = join_groups([fused, context])
        return FusedContext(fused.tokens, fused.padding, self._as_grid(fused.tokens, target))

    @staticmethod
    def _as_grid(tokens: Tensor, target: FeatureMap) -> FeatureMap:
        height, width = target.data.shape[-2:]
        grid = tokens[:, : height * width].transpose(1, 2).unflatten(2, (height, width))
        return target.like(grid)


def _encode(groups: Sequence[TokenGroup], layers: nn.ModuleList, norm: nn.Module) -> TokenGroup:
    """All tokens of the groups, in their order, after an encoder."""
    joint = join_groups(groups)
    tokens = joint.tokens
    for layer in layers:
        tokens = layer(tokens, joint.padding)
    return TokenGroup(norm(tokens), joint.padding)
