"""How slots and identities go together through a video, as the model itself tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rcf_vis.tracking import IdentityRules, IdentityState, identities_by_slot

__all__ = ["SlotCounts", "SlotHistory", "slot_shares"]


class SlotCounts(NamedTuple):
    """Counts over the frames in which a track goes on: it fires, and has fired before.

    Attributes:
        continued: all of them.
        kept: the track is in the slot in which it fired last.
        rescued: the slot rule alone, from the same past, would have given another identity or
            none; without ``MODEL.RCF.TEST.MAX_AGE``.
    """

    continued: int = 0
    kept: int = 0
    rescued: int = 0


class SlotHistory:
    """Counts, frame by frame of one video, what becomes of its tracks' slots.

    Attributes:
        counts: so far.
    """

    def __init__(self) -> None:
        self.counts = SlotCounts()
        self._slots: dict[int, int] = {}  # track → the slot in which it fired last
        self._past = IdentityState()

    def add(self, track_ids: Sequence[int], slots: Sequence[int]) -> None:
        """Take the next frame: the identities and the slots, ascending, that fired in it."""
        continued, kept, rescued = self.counts
        by_slot = identities_by_slot(list(slots), self._past, IdentityRules())
        for track_id, slot, alone in zip(track_ids, slots, by_slot, strict=True):
            if track_id in self._slots:
                continued += 1
                kept += slot == self._slots[track_id]
                rescued += alone != track_id
            self._slots[track_id] = slot
        self.counts = SlotCounts(continued, kept, rescued)
        frame = self._past.frame
        now = {slot: (track_id, frame) for track_id, slot in zip(track_ids, slots, strict=True)}
        self._past = IdentityState(frame=frame + 1, table={**self._past.table, **now})


def slot_shares(counts: Iterable[Sequence[int]]) -> dict[str, float]:
    """``slot_kept`` and ``iou_rescued``: shares in [0, 1] of the frames in which tracks go on.

    Args:
        counts: :class:`SlotCounts` of each video.

    Returns:
        −1 where no track goes on, or the model has no slots.
    """
    columns = zip(SlotCounts(), *counts, strict=True)
    continued, kept, rescued = (sum(column) for column in columns)
    return {
        "slot_kept": kept / continued if continued else -1.0,
        "iou_rescued": rescued / continued if continued else -1.0,
    }
