"""From instance code and segmentation map to classes and masks (III-B2)."""

from __future__ import annotations

from detectron2.config import CfgNode, configurable
from torch import Tensor, nn

__all__ = ["InstanceHeads"]


class InstanceHeads(nn.Module):
    """A linear class layer, and dynamic filters θ whose dot product with S_t are the masks.

    Args:
        hidden_dim: C_e, width of the instance code.
        num_classes: number of object categories; the empty class is added as the last one.
        mask_dim: C_o, length of a dynamic filter.
    """

    @configurable
    def __init__(self, *, hidden_dim: int = 256, num_classes: int, mask_dim: int = 64) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.class_embed = nn.Linear(hidden_dim, num_classes + 1)
        self.filters = nn.Sequential(
            nn.Linear(hidden_dim, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, mask_dim)
        )

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        rcf = cfg.MODEL.RCF
        return {
            "hidden_dim": rcf.HIDDEN_DIM,
            "num_classes": rcf.NUM_CLASSES,
            "mask_dim": rcf.MASK_DIM,
        }

    def forward(self, code: Tensor, segmentation: Tensor) -> tuple[Tensor, Tensor]:
        """Predict every slot.

        Args:
            code: e_t, ``(B, N, C_e)``.
            segmentation: S_t, ``(B, C_o, H, W)``.

        Returns:
            Class logits ``(B, N, num_classes + 1)`` and mask logits M_t = θᵀ S_t,
            ``(B, N, H, W)``.
        """
        theta = self.filters(code)
        masks = theta @ segmentation.flatten(2)
        return self.class_embed(code), masks.unflatten(2, segmentation.shape[-2:])
