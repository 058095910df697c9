"""The assignment of slots to objects (equation 3)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import scipy  # which imports its submodules when they are used
import torch
from detectron2.config import CfgNode, configurable
from torch import Tensor
from torch.nn import functional as F

from .dice import dice_coefficient
from .targets import BatchTargets, SlotPredictions, sent

__all__ = ["HungarianMatcher"]


class HungarianMatcher:
    """Assign each object the slot that resembles it most, one to one, best total first.

    Args:
        class_weight: weight of the class probability in the similarity; 1 is equation 3. A larger
            one lets slots specialise in classes early, as those of the paper's figure 9 do.
        mask_weight: weight of the negative per-pixel binary cross-entropy in the similarity; 0 is
            the paper.
        follow: match an object in its first frame and keep its slot from then on
            (``MODEL.RCF.CARRY_CODE``), as the online step does, in place of the clip's mean.
    """

    @configurable
    def __init__(
        self, *, class_weight: float = 1.0, mask_weight: float = 0.0, follow: bool = False
    ) -> None:
        self.class_weight = class_weight
        self.mask_weight = mask_weight
        self.follow = follow

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        return {
            "class_weight": cfg.MODEL.RCF.MATCH_CLASS_WEIGHT,
            "mask_weight": cfg.MODEL.RCF.MASK_WEIGHT,
            "follow": cfg.MODEL.RCF.CARRY_CODE,
        }

    def __call__(
        self, layers: Sequence[SlotPredictions], targets: BatchTargets
    ) -> list[tuple[Tensor, Tensor]]:
        """Match a batch of clips, one assignment a clip for all its supervised frames.

        With one supervised frame this is equation 3. With several (``ORDER_SUPERVISION``) an
        object's similarity to a slot is the mean over the frames in which it is visible; or, with
        ``follow``, that of its first frame counts, see :meth:`_followed`. What all layers need is
        copied to the host at once, and back.

        Args:
            layers: predictions of each layer of the instance decoder; each is matched by itself.

        Returns:
            For each layer the matched objects (indices into the targets) and their slots, int64
            on the targets' device. With more objects than slots the least similar have none.

        Raises:
            FloatingPointError: a prediction is not finite.
        """
        if not len(targets):
            nothing = targets.frames.new_zeros(0)
            return [(nothing, nothing)] * len(layers)
        similarity = torch.stack([self.similarity(layer, targets) for layer in layers])
        similarity = similarity.cpu().numpy()
        if not np.isfinite(similarity).all():
            raise FloatingPointError("the network's class or mask logits are not finite")
        objects, slots = [], []
        for of_layer in similarity:
            assign = self._followed if self.follow else self._by_mean
            slot_of = assign(of_layer, targets)
            objects.append(list(slot_of))
            slots.append(list(slot_of.values()))
        counts = [len(matched) for matched in objects]
        pairs = sent(torch.tensor([sum(objects, []), sum(slots, [])]), targets.frames.device)
        return list(zip(pairs[0].split(counts), pairs[1].split(counts), strict=True))

    @torch.no_grad()
    def similarity(self, prediction: SlotPredictions, targets: BatchTargets) -> Tensor:
        """Equation 3, Dice(m_i, m̂_g) + p_i(c_g), for each object and the N slots of its frame.

        Returns:
            ``(M, N)`` float32.
        """
        frames = targets.frames
        logits = prediction.masks.float().flatten(2)
        valid = targets.valid.flatten(1)
        objects = targets.masks.flatten(1)
        masks = logits.sigmoid() * valid[:, None]
        similarity = dice_coefficient(
            torch.einsum("mnp,mp->mn", masks[frames], objects),
            masks.square().sum(-1)[frames] + objects.square().sum(-1, keepdim=True),
        )
        if self.mask_weight:
            cross_entropy = _cross_entropy(logits[frames], objects, valid[frames])
            similarity = similarity - self.mask_weight * cross_entropy
        probabilities = prediction.logits.float().softmax(-1)
        return similarity + self.class_weight * probabilities[frames, :, targets.classes]

    def _by_mean(self, similarity: np.ndarray, targets: BatchTargets) -> dict[int, int]:
        """One assignment a clip, by the mean similarity; object → slot."""
        rows = defaultdict(list)
        for key, row in zip(targets.keys, similarity, strict=True):
            rows[key].append(row)
        slot_of = self._assign({key: np.mean(frames, axis=0) for key, frames in rows.items()})
        return {m: slot_of[key] for m, key in enumerate(targets.keys) if key in slot_of}

    @staticmethod
    def _followed(similarity: np.ndarray, targets: BatchTargets) -> dict[int, int]:
        """Frame by frame; object → slot.

        An object that has a slot keeps it, also when it was away. What is new is matched to the
        slots that no visible object has: so the slot of an object that left may be taken, and the
        object is matched anew if it returns.
        """
        visible: dict[int, list[int]] = defaultdict(list)  # number of a frame → its objects
        for m, number in enumerate(targets.numbers):
            visible[number].append(m)
        held: dict[tuple[int, int], int] = {}  # (clip, identity) → slot
        slot_of: dict[int, int] = {}
        for objects in visible.values():
            clip = targets.keys[objects[0]][0]
            taken = {held[targets.keys[m]] for m in objects if targets.keys[m] in held}
            new = [m for m in objects if targets.keys[m] not in held]
            free = [slot for slot in range(similarity.shape[1]) if slot not in taken]
            pairs = scipy.optimize.linear_sum_assignment(
                similarity[np.ix_(new, free)], maximize=True
            )
            for g, k in zip(*pairs, strict=True):
                slot = free[k]
                held = {key: s for key, s in held.items() if (key[0], s) != (clip, slot)}
                held[targets.keys[new[g]]] = slot
            slot_of.update((m, held[targets.keys[m]]) for m in objects if targets.keys[m] in held)
        return slot_of

    @staticmethod
    def _assign(rows: dict[tuple[int, int], np.ndarray]) -> dict[tuple[int, int], int]:
        """(clip, identity) → similarity to N slots; gives (clip, identity) → slot."""
        by_clip = defaultdict(list)
        for key in rows:
            by_clip[key[0]].append(key)
        slot_of = {}
        for keys in by_clip.values():
            matrix = np.stack([rows[key] for key in keys])
            pairs = zip(*scipy.optimize.linear_sum_assignment(matrix, maximize=True), strict=True)
            slot_of.update((keys[g], int(slot)) for g, slot in pairs)
        return slot_of


def _cross_entropy(logits: Tensor, objects: Tensor, valid: Tensor) -> Tensor:
    """Mean binary cross-entropy over the valid pixels: ``(M, N, P)``, ``(M, P)`` → ``(M, N)``."""
    inside = torch.einsum("mnp,mp->mn", F.softplus(-logits), objects * valid)
    outside = torch.einsum("mnp,mp->mn", F.softplus(logits), (1 - objects) * valid)
    return (inside + outside) / valid.sum(-1, keepdim=True)
