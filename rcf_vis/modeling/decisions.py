"""From the network's output for frames to instances: what fires, its mask, its identity."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import torch
from detectron2.structures import Boxes, Instances
from torch import Tensor

from rcf_vis.tracking import (
    BoxMasks,
    IdentityRules,
    IdentityState,
    TrackInstances,
    assign_identities,
)

from .online import FrameOutput
from .postprocessing import binary_masks, summarize_slots

__all__ = ["decide_frames"]


def decide_frames(
    frames: FrameOutput,
    identities: Sequence[IdentityState],
    output_size: tuple[int, int],
    *,
    rules: IdentityRules,
    score_thresh: float,
    mask_thresh: float,
) -> list[tuple[Instances, IdentityState]]:
    """Decide for a frame of each of B videos; what is copied to the host goes at once for all.

    Args:
        frames: with B videos in front.
        identities: the past of each video.
        output_size: (height, width) of the masks, the same for all.
        rules: how slots get identities (section III-B4).
        score_thresh: a slot fires when its best class probability reaches it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds it.

    Returns:
        For each video the instances, see :meth:`rcf_vis.modeling.RCF.track`, and its identities'
        state for the next frame.
    """
    num_slots = frames.logits.shape[1]
    masks_of_all = frames.masks.flatten(0, 1)
    summary = summarize_slots(frames.logits.flatten(0, 1), masks_of_all, mask_thresh)
    fired = summary.fired(score_thresh)  # slot k of video b is number b · N + k
    masks = binary_masks(
        masks_of_all,
        fired,
        summary,
        stride=frames.stride,
        image_size=frames.image_size,
        output_size=output_size,
        mask_thresh=mask_thresh,
    )
    ends = [bisect_left(fired, b * num_slots) for b in range(len(identities) + 1)]
    decided = []
    for b, past in enumerate(identities):
        own = slice(ends[b], ends[b + 1])
        slots = [number - b * num_slots for number in fired[own]]
        track_ids, state = assign_identities(slots, masks[own], past, rules)
        probabilities = summary.probabilities[fired[own]]
        instances = _instances(output_size, slots, masks[own], probabilities, track_ids)
        decided.append((instances, state))
    return decided


def _instances(
    size: tuple[int, int],
    slots: list[int],
    masks: BoxMasks,
    class_probs: Tensor,
    track_ids: list[int],
) -> Instances:
    instances = TrackInstances(size)
    instances.pred_masks = masks
    instances.pred_boxes = Boxes(torch.tensor(masks.boxes, dtype=torch.float32).view(-1, 4))
    instances.scores, instances.pred_classes = class_probs.max(-1)
    instances.class_probs = class_probs
    instances.slots = torch.tensor(slots, dtype=torch.int64)
    instances.track_ids = torch.tensor(track_ids, dtype=torch.int64)
    return instances
