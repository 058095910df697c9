"""Slots of the instance code: how alike they are, what they fire for, which object is in which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from rcf_vis.tracking import BoxMasks, pair_masks

__all__ = [
    "FiringCounts",
    "most_similar_slots",
    "object_slots",
    "slot_distances",
    "swapped_change",
]


def most_similar_slots(
    codes: Tensor, fired: Sequence[int] = (), *, at_least: int = 0
) -> tuple[int, int] | None:
    """The two slots whose codes have the greatest cosine similarity.

    Args:
        codes: e_t, ``(N, C_e)``.
        fired: the slots that fired.
        at_least: so many of the two must have fired: 0, 1 or 2.

    Returns:
        (i, j) with i < j; None where there is no such pair.
    """
    directions = F.normalize(codes.double(), dim=1)
    showing = torch.zeros(len(codes), dtype=torch.int64, device=codes.device)
    showing[list(fired)] = 1
    allowed = (showing[:, None] + showing >= at_least).triu(1)
    if not allowed.any():
        return None
    similarity = (directions @ directions.T).masked_fill(~allowed, float("-inf"))
    i, j = divmod(int(similarity.argmax()), len(codes))
    return i, j


def slot_distances(now: Sequence[Tensor], before: Sequence[Tensor]) -> Tensor:
    """1-norms between all slots of two frames.

    Args:
        now, before: parts of the output, such as class probabilities ``(N, K)`` and masks
            ``(N, h, w)``, of the frames t and t − 1.

    Returns:
        ``(N, N)`` float64: [i, j] is ‖slot i of frame t − slot j of frame t − 1‖₁ over all parts.
        Its trace is ‖Θ(I_t) − Θ(I_{t−1})‖₁ of eq. 5.
    """
    one, other = (torch.cat([p.flatten(1).double() for p in parts], 1) for parts in (now, before))
    return torch.cdist(one, other, p=1)


def swapped_change(distances: Tensor, pair: tuple[int, int]) -> float:
    """‖Θ(I_t) − Θ(I_{t−1})‖₁ with two slots of frame t swapped."""
    i, j = pair
    kept = distances.trace() - distances[i, i] - distances[j, j]
    return float(kept + distances[i, j] + distances[j, i])


def object_slots(
    slots: Sequence[int], masks: Tensor, objects: Mapping[int, Tensor], iou_thresh: float
) -> dict[int, int]:
    """Which slot shows which object of a frame: one to one, best total IoU first (III-B4).

    Args:
        slots: the fired slots.
        masks: ``(F, H, W)`` bool, their masks.
        objects: id → ``(H, W)`` bool.
        iou_thresh: their IoU must exceed it.

    Returns:
        id → slot, of the objects that have one.
    """
    if not objects or not len(slots):
        return {}
    ids = list(objects)
    truths = BoxMasks.from_dense(torch.stack(list(objects.values())))
    pairs = pair_masks(truths, BoxMasks.from_dense(masks), iou_thresh)
    return {ids[row]: slots[column] for row, column in pairs}


class FiringCounts:
    """How often which slot fired for which class, counted in frames (figure 9).

    Args:
        num_slots: N.
        num_classes: without the empty class.

    Attributes:
        counts: ``(N, num_classes)`` int64.
    """

    def __init__(self, *, num_slots: int, num_classes: int) -> None:
        self.counts = torch.zeros(num_slots, num_classes, dtype=torch.int64)

    def add(self, slots: Sequence[int], classes: Sequence[int]) -> None:
        """The fired slots of a frame, and the class of each."""
        for slot, category in zip(slots, classes, strict=True):
            self.counts[slot, category] += 1

    def by_class(self) -> Tensor:
        """``(N, num_classes)`` float64; each column sums to 1, or is nan where it never fired."""
        return self.counts.double() / self.counts.sum(0)

    def summary(self, class_names: Sequence[str]) -> dict:
        """Numbers for a json: the counts, and how much of a class its first slot has."""
        totals = self.counts.sum(0)
        seen = [k for k in range(len(class_names)) if totals[k] > 0]
        firings = self.counts.sum(1)
        return {
            "classes": list(class_names),
            "counts": self.counts.tolist(),
            "firings_of_slot": firings.tolist(),
            "slots_in_use": int((firings > 0).sum()),
            "first_slot_of_class": {
                class_names[k]: {
                    "slot": int(self.counts[:, k].argmax()),
                    "share": int(self.counts[:, k].max()) / int(totals[k]),
                    "firings": int(totals[k]),
                }
                for k in seen
            },
        }
