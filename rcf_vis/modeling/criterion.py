"""The loss (equation 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from torch import Tensor, nn
from torch.nn import functional as F

from .dice import dice_coefficient
from .matcher import HungarianMatcher
from .targets import BatchTargets, SlotPredictions

__all__ = ["SetCriterion"]


class SetCriterion(nn.Module):
    """Equation 4: −log p(c) over all slots, plus the Dice loss of the slots that have an object.

    Both are sums over the slots of a frame and means over the frames, so a process's share of a
    distributed batch has the weight that it has in the joint one.

    Args:
        matcher: the assignment of slots to objects.
        class_weight, dice_weight: weights of the two terms.
        mask_weight: weight of the per-pixel binary cross-entropy of the matched slots; 0 is the
            paper.
        no_object_weight: weight of −log p in slots without an object; 1 is eq. 4 to the letter.
        non_exhaustive_weight: factor of ``no_object_weight`` for the part of a slot's mask that is
            on no annotated object, in clips in which not every object is annotated, and in others
            on ignored places [ours]. With 0 a slot may fire on what is not annotated, and still
            not twice on what is.
    """

    @configurable
    def __init__(
        self,
        *,
        matcher: HungarianMatcher,
        class_weight: float = 1.0,
        dice_weight: float = 1.0,
        mask_weight: float = 0.0,
        no_object_weight: float = 0.1,
        non_exhaustive_weight: float = 0.0,
    ) -> None:
        super().__init__()
        self.matcher = matcher
        self.class_weight = class_weight
        self.dice_weight = dice_weight
        self.mask_weight = mask_weight
        self.no_object_weight = no_object_weight
        self.non_exhaustive_weight = non_exhaustive_weight

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        rcf = cfg.MODEL.RCF
        return {
            "matcher": HungarianMatcher(cfg),
            "class_weight": rcf.CLASS_WEIGHT,
            "dice_weight": rcf.DICE_WEIGHT,
            "mask_weight": rcf.MASK_WEIGHT,
            "no_object_weight": rcf.NO_OBJECT_WEIGHT,
            "non_exhaustive_weight": rcf.NON_EXHAUSTIVE_WEIGHT,
        }

    def forward(
        self, layers: Sequence[SlotPredictions], targets: BatchTargets
    ) -> dict[str, Tensor]:
        """The loss of a batch of clips.

        Args:
            layers: predictions of the layers of the instance decoder that are supervised, the last
                of them final.
            targets: of the same frames.

        Returns:
            Scalars ``loss_class``, ``loss_dice`` and, where ``mask_weight`` is not 0,
            ``loss_mask``, weighted, of the last layer; those of the others with ``_0``, ``_1`` …
        """
        losses = {}
        pairs = self.matcher(layers, targets)
        for number, (prediction, pair) in enumerate(zip(layers, pairs, strict=True)):
            suffix = "" if number == len(layers) - 1 else f"_{number}"
            num_frames = len(prediction.logits)
            class_loss = self._class_loss(prediction, targets, *pair)
            dice_loss, mask_loss = self._mask_losses(prediction, targets, *pair)
            losses[f"loss_class{suffix}"] = self.class_weight * class_loss / num_frames
            losses[f"loss_dice{suffix}"] = self.dice_weight * dice_loss / num_frames
            if self.mask_weight:
                losses[f"loss_mask{suffix}"] = self.mask_weight * mask_loss / num_frames
        return losses

    def _class_loss(
        self, prediction: SlotPredictions, targets: BatchTargets, objects: Tensor, slots: Tensor
    ) -> Tensor:
        logits = prediction.logits.float()
        empty = logits.shape[-1] - 1
        classes = torch.full(logits.shape[:2], empty, dtype=torch.int64, device=logits.device)
        classes[targets.frames[objects], slots] = targets.classes[objects]
        weights = torch.ones_like(logits[0, 0])
        weights[empty] = self.no_object_weight
        losses = F.cross_entropy(logits.flatten(0, 1), classes.flatten(), weights, reduction="none")
        losses = losses.view(classes.shape)
        if targets.unsaid is not None:
            factors = self._empty_slot_factors(prediction, targets)
            losses = torch.where(classes == empty, losses * factors, losses)
        return losses.sum()

    @torch.no_grad()
    def _empty_slot_factors(self, prediction: SlotPredictions, targets: BatchTargets) -> Tensor:
        """``(R, N)``: 1, less by the share of the slot's mask where nothing is said of what is."""
        masks = prediction.masks.float().sigmoid() * targets.valid[:, None]
        annotated = torch.zeros_like(targets.unsaid).index_add_(0, targets.frames, targets.masks)
        unsaid = targets.unsaid * (1 - annotated.clamp(max=1))
        shares = (masks * unsaid[:, None]).sum((2, 3)) / masks.sum((2, 3)).clamp(min=1e-6)
        return 1 - shares * (1 - self.non_exhaustive_weight)

    def _mask_losses(
        self, prediction: SlotPredictions, targets: BatchTargets, objects: Tensor, slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sums over the matched slots of the Dice loss and of the mean cross-entropy."""
        if not len(objects):
            # Zero, yet connected: every parameter keeps a gradient, as distributed training needs.
            zero = prediction.masks.float().sum() * 0
            return zero, zero
        frames = targets.frames[objects]
        logits = prediction.masks[frames, slots].float().flatten(1)
        masks, valid = targets.masks[objects].flatten(1), targets.valid[frames].flatten(1)
        probabilities = logits.sigmoid() * valid
        overlap = (probabilities * masks).sum(-1)
        sizes = probabilities.square().sum(-1) + masks.square().sum(-1)
        dice_loss = (1 - dice_coefficient(overlap, sizes)).sum()
        if not self.mask_weight:
            return dice_loss, dice_loss.new_zeros(())
        cross_entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction="none")
        return dice_loss, ((cross_entropy * valid).sum(-1) / valid.sum(-1)).sum()
