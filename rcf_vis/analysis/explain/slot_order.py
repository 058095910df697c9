"""Does the order of the slots hold? Output change over input change (section III-B4, eq. 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from .recorder import StepRecord
from .slots import most_similar_slots, object_slots, slot_distances, swapped_change

__all__ = ["SWAPS", "FramePair", "SlotOrder", "Swap", "summarise_pairs"]

#: Which two slots are swapped, the most similar of those of which so many fired. Of all slots
#: (0) they are mostly two that show nothing; with one fired an object gets another slot; with two
#: fired, two objects exchange theirs.
SWAPS = {"of_all": 0, "one_fired": 1, "two_fired": 2}


@dataclass(frozen=True)
class Swap:
    """Two slots of frame t, and output change over input change with them swapped."""

    slots: tuple[int, int]
    ratio: float


@dataclass(frozen=True)
class FramePair:
    """Two neighbouring frames of a video.

    Attributes:
        video: its name.
        frame: number of the later one, from 0.
        motion: mean absolute change of the normalised pixels, ‖ΔI‖₁ over their number.
        input_change: ‖I_t − I_{t−1}‖₁.
        output_change: ‖Θ(I_t) − Θ(I_{t−1})‖₁, of the probabilities of classes and masks.
        ratio: output_change / input_change; None where the frames are the same.
        swaps: for each of :data:`SWAPS` what it would be; None where there are no such slots.
        objects: how many were shown by a slot in both frames.
        held: how many of them by the same slot.
    """

    video: str
    frame: int
    motion: float
    input_change: float
    output_change: float
    ratio: float | None
    swaps: dict[str, Swap | None]
    objects: int
    held: int


class SlotOrder:
    """Compares each frame of a video with the one before.

    Args:
        iou_thresh: what the mask of a slot must exceed to show an object.

    Attributes:
        pairs: those so far, of all videos.
    """

    def __init__(self, *, iou_thresh: float = 0.5) -> None:
        self.iou_thresh = iou_thresh
        self.pairs: list[FramePair] = []
        self._last: tuple[StepRecord, Sequence[int], Tensor, dict[int, int] | None] | None = None

    def new_video(self, name: str) -> None:
        """The next frame has none before it."""
        self._video, self._frame, self._last = name, -1, None

    def add(
        self,
        step: StepRecord,
        slots: Sequence[int],
        masks: Tensor,
        truth: Mapping[int, Tensor] | None = None,
    ) -> None:
        """The next frame of the video.

        Args:
            step: what was recorded.
            slots: those that fired, ascending.
            masks: ``(F, H, W)`` bool, their masks.
            truth: id → ``(H, W)`` bool, the annotated objects. Without it, the objects are what
                the slots showed in the frame before.
        """
        self._frame += 1
        shown = None if truth is None else object_slots(slots, masks, truth, self.iou_thresh)
        if self._last is not None:
            before, slots_before, masks_before, shown_before = self._last
            if shown is None:
                objects = dict(zip(slots_before, masks_before, strict=True))
                shown_before = {slot: slot for slot in slots_before}
                now = object_slots(slots, masks, objects, self.iou_thresh)
            else:
                now = shown
            self.pairs.append(self._compare(step, before, slots, shown_before, now))
        self._last = (step, list(slots), masks, shown)

    def _compare(
        self,
        step: StepRecord,
        before: StepRecord,
        slots: Sequence[int],
        shown_before: Mapping[int, int],
        shown: Mapping[int, int],
    ) -> FramePair:
        input_change = float((step.image.double() - before.image.double()).abs().sum())
        distances = slot_distances(step.outputs(), before.outputs())
        output_change = float(distances.trace())
        swaps: dict[str, Swap | None] = dict.fromkeys(SWAPS)
        for name, at_least in SWAPS.items():
            pair = most_similar_slots(step.codes, slots, at_least=at_least)
            if pair is not None and input_change > 0:
                swaps[name] = Swap(pair, swapped_change(distances, pair) / input_change)
        both = shown.keys() & shown_before.keys()
        return FramePair(
            video=self._video,
            frame=self._frame,
            motion=input_change / step.image.numel(),
            input_change=input_change,
            output_change=output_change,
            ratio=output_change / input_change if input_change > 0 else None,
            swaps=swaps,
            objects=len(both),
            held=sum(shown[number] == shown_before[number] for number in both),
        )


def summarise_pairs(pairs: Sequence[FramePair], *, bins: int = 4) -> dict[str, Any]:
    """Numbers for a json.

    Args:
        pairs: of one video or of many.
        bins: parts of equal size that the pairs are sorted into by motion.

    Returns:
        ``pairs``, ``objects`` and ``held`` (a share, None without objects); quartiles of the ratio
        of all pairs, of those in which every object held its slot, of those in which one did not,
        and of each of :data:`SWAPS`; ``largest_ratio_order_held``, an estimate of λ of eq. 5 from
        below, and the share of the swaps that exceed it; the same shares and quartiles for each
        bin ``by_motion``; ``all_pairs``: each pair.
    """
    held = [pair for pair in pairs if pair.held == pair.objects]
    broken = [pair for pair in pairs if pair.held < pair.objects]
    largest = max(_ratios(held), default=None)
    order = sorted(pairs, key=lambda pair: pair.motion)
    parts = [[order[k] for k in part] for part in np.array_split(np.arange(len(order)), bins)]
    return {
        **_summary(pairs),
        "ratio_order_held": _quartiles(_ratios(held)),
        "ratio_order_broken": _quartiles(_ratios(broken)),
        "largest_ratio_order_held": largest,
        "swaps_above_largest": {
            name: _share_above(_swap_ratios(pairs, name), largest) for name in SWAPS
        },
        "by_motion": [
            {"motion": [part[0].motion, part[-1].motion], **_summary(part)}
            for part in parts
            if part
        ],
        "all_pairs": [asdict(pair) for pair in pairs],
    }


def _summary(pairs: Sequence[FramePair]) -> dict[str, Any]:
    objects = sum(pair.objects for pair in pairs)
    held = sum(pair.held for pair in pairs)
    return {
        "pairs": len(pairs),
        "objects": objects,
        "held": held / objects if objects else None,
        "ratio": _quartiles(_ratios(pairs)),
        "ratio_swapped": {name: _quartiles(_swap_ratios(pairs, name)) for name in SWAPS},
    }


def _ratios(pairs: Sequence[FramePair]) -> list[float]:
    return [pair.ratio for pair in pairs if pair.ratio is not None]


def _swap_ratios(pairs: Sequence[FramePair], name: str) -> list[float]:
    return [pair.swaps[name].ratio for pair in pairs if pair.swaps[name] is not None]


def _share_above(values: Sequence[float], bound: float | None) -> float | None:
    if not values or bound is None:
        return None
    return sum(value > bound for value in values) / len(values)


def _quartiles(values: Sequence[float]) -> dict[str, float] | None:
    """Quartiles; None of nothing."""
    if not values:
        return None
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return {"25%": low, "50%": median, "75%": high}
