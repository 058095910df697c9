"""From the slots of one frame to the instances that fired, in numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rcf_vis.tracking import BoxMasks, Enlargement, IdentityState, assign_identities

from .description import ModelDescription

__all__ = ["RuntimeInstances", "decide", "enlarged_masks"]


@dataclass(frozen=True)
class RuntimeInstances:
    """The F slots that fired in a frame; what Detectron2's ``Instances`` of rcf_vis have.

    Attributes:
        image_size: (height, width) of the frame.
        masks: F of its size, each in its box.
        scores: ``(F,)`` float32, of this frame.
        pred_classes: ``(F,)`` int64.
        class_probs: ``(F, num_classes)`` float32.
        track_ids: ``(F,)`` int64; the same object has the same in all frames of a video.
        slots: ``(F,)`` int64.
    """

    image_size: tuple[int, int]
    masks: BoxMasks
    scores: np.ndarray
    pred_classes: np.ndarray
    class_probs: np.ndarray
    track_ids: np.ndarray
    slots: np.ndarray

    def __len__(self) -> int:
        return len(self.slots)

    @property
    def pred_masks(self) -> np.ndarray:
        """Bool ``(F, H, W)``, made anew for each who asks."""
        return self.masks.array()

    @property
    def pred_boxes(self) -> np.ndarray:
        """``(F, 4)`` float32: x0, y0, x1, y1 of the masks, exclusive; zeros for an empty one."""
        return np.array(self.masks.boxes, dtype=np.float32).reshape(-1, 4)


def decide(
    logits: np.ndarray,
    masks: np.ndarray,
    identities: IdentityState,
    output_size: tuple[int, int],
    description: ModelDescription,
) -> tuple[RuntimeInstances, IdentityState]:
    """From the network's output for a frame to instances: what fires, masks, identities.

    Args:
        logits: ``(N, num_classes + 1)``, the empty class last.
        masks: ``(N, h, w)`` mask logits, without padding.
        identities: the video's past; ``IdentityState()`` for its first frame.
        output_size: (height, width) of the frame.
        description: of the model.

    Returns:
        The instances, and the identities' state for the next frame.
    """
    probabilities = _softmax(logits)[:, :-1]
    slots = np.flatnonzero(probabilities.max(1) >= description.score_thresh)
    thresh = description.mask_thresh
    found = enlarged_masks(
        masks[slots],
        stride=description.stride,
        image_size=description.input_size,
        output_size=output_size,
        least=math.log(thresh / (1 - thresh)),
    )
    track_ids, identities = assign_identities(
        slots.tolist(), found, identities, description.identity_rules
    )
    fired = probabilities[slots]
    instances = RuntimeInstances(
        image_size=output_size,
        masks=found,
        scores=fired.max(1, initial=0),
        pred_classes=fired.argmax(1),
        class_probs=fired,
        track_ids=np.array(track_ids, dtype=np.int64),
        slots=slots,
    )
    return instances, identities


def enlarged_masks(
    masks: np.ndarray,
    *,
    stride: int,
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    least: float,
) -> BoxMasks:
    """:func:`rcf_vis.modeling.postprocessing.binary_masks` in numpy.

    Args:
        masks: ``(F, h, w)`` mask logits at ``stride`` of the network's input, without padding.
        image_size: (height, width) of the network's input.
        output_size: (height, width) of the frame.
        least: a pixel belongs to a mask when its logit exceeds this.
    """
    above = masks > least
    axes = [
        Enlargement.of(cells, stride, image, output)
        for cells, image, output in zip(masks.shape[1:], image_size, output_size, strict=True)
    ]
    corners, crops = [], []
    for mask, inside in zip(masks, above, strict=True):
        top, bottom = axes[0].reached_by(inside.any(1))
        left, right = axes[1].reached_by(inside.any(0))
        cells = axes[0].apply(mask, top, bottom)
        corners.append((left, top))
        crops.append(axes[1].apply(cells.T, left, right).T > least)
    return BoxMasks.from_crops(output_size, corners, crops)


def _softmax(logits: np.ndarray) -> np.ndarray:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)
