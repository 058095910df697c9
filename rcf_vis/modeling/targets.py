"""Predictions and ground truth of a batch in the form in which the loss compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["BatchTargets", "SlotPredictions", "batch_targets", "sent"]


@dataclass(frozen=True)
class SlotPredictions:
    """The N slots in each of the R = T·B supervised frames of a batch.

    Attributes:
        logits: ``(R, N, num_classes + 1)`` class logits, the empty class last.
        masks: ``(R, N, h, w)`` mask logits at the resolution of S_t, with its padding.
    """

    logits: Tensor
    masks: Tensor


@dataclass(frozen=True)
class BatchTargets:
    """The M objects that are visible in the R = T·B supervised frames of the clips of a batch.

    Frame t of clip b is number t·B + b. Masks are compared at the resolution of S_t: a cell of the
    ground truth is the share of its pixels that the object covers [ours]; a cell that the border of
    the image cuts has only the pixels inside. That is a sixteenth of the work of comparing pixels,
    and the shares still say where in a cell the border of the object runs.

    Attributes:
        keys: (clip's index in the batch, object's identity) of each object, on the host.
        numbers: the number of each object's frame, ascending, on the host.
        frames: ``(M,)`` int64, the same.
        classes: ``(M,)`` int64.
        masks: ``(M, h, w)`` float in [0, 1], zero in the padding.
        valid: ``(R, h, w)`` float, 1 in the cells that hold at least one pixel of the image.
        unsaid: ``(R, h, w)`` float in [0, 1], places where it is not said what is there: all of a
            frame in which not every object is annotated, and ignored places; None: there are none.
    """

    keys: list[tuple[int, int]]
    numbers: list[int]
    frames: Tensor
    classes: Tensor
    masks: Tensor
    valid: Tensor
    unsaid: Tensor | None = None

    def __len__(self) -> int:
        return len(self.keys)


def batch_targets(
    clips: Sequence[Mapping[str, Any]], stride: int, size: tuple[int, int], device: torch.device
) -> BatchTargets:
    """Lay out the ground truth of a batch; to the device go one tensor of masks and one of numbers.

    Objects whose mask is empty are not visible in the frame, hence no ground truth of it.

    Args:
        clips: of :class:`rcf_vis.data.ClipDatasetMapper`, with the same number T of ``instances``
            each: ``gt_classes``, ``gt_ids`` and ``gt_masks`` (BitMasks). ``exhaustive`` and
            ``ignored`` as there.
        stride: of S_t.
        size: (rows, columns) of S_t, with its padding.
        device: where the result lies.
    """
    length = len(clips[0]["instances"])
    places = [(t, b) for t in range(length) for b in range(len(clips))]
    keys, of_frames, classes, masks = [], [], [], []
    ignored_frames, ignored = [], []
    for number, (t, b) in enumerate(places):
        objects = clips[b]["instances"][t]
        tensor = objects.gt_masks.tensor
        visible = tensor.flatten(1).any(dim=1)
        identities = objects.gt_ids[visible].tolist()
        keys.extend((b, identity) for identity in identities)
        of_frames.extend([number] * len(identities))
        classes.extend(objects.gt_classes[visible].tolist())
        masks.append(tensor[visible])
        if "ignored" in clips[b]:
            ignored_frames.append(number)
            ignored.append(clips[b]["ignored"][t][None])
    image_sizes = [clips[b]["instances"][t].image_size for t, b in places]
    partly = [not clips[b].get("exhaustive", True) for _, b in places]
    something_unsaid = bool(ignored) or any(partly)
    columns = (of_frames, classes, ignored_frames, *zip(*image_sizes, strict=True), partly)
    numbers = sent(torch.tensor([n for column in columns for n in column]), device)
    frames, classes, ignored_frames, heights, widths, partly = numbers.split(
        [len(column) for column in columns]
    )
    pixels = sent(_padded([*masks, *ignored], (size[0] * stride, size[1] * stride)), device)

    rows, columns = (
        (sides[:, None] - stride * torch.arange(cells, device=device)).clamp(0, stride)
        for sides, cells in ((heights, size[0]), (widths, size[1]))
    )
    in_image = rows[:, :, None] * columns[:, None]  # pixels of each cell
    shares = F.avg_pool2d(pixels[:, None].float(), stride, divisor_override=1)[:, 0]
    shares = shares / in_image[torch.cat((frames, ignored_frames))].clamp(min=1)
    unsaid = None
    if something_unsaid:
        unsaid = partly[:, None, None].expand(in_image.shape).to(shares)
        unsaid = unsaid.index_add(0, ignored_frames, shares[len(keys) :]).clamp(max=1)
    return BatchTargets(
        keys=keys,
        numbers=of_frames,
        frames=frames,
        classes=classes,
        masks=shares[: len(keys)],
        valid=(in_image > 0).to(shares),
        unsaid=unsaid,
    )


def _padded(masks: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
    """Bool ``(M_k, h_k, w_k)`` each → uint8 ``(M, *size)``, zero right and below."""
    padded = torch.zeros((sum(map(len, masks)), *size), dtype=torch.uint8)
    start = 0
    for some in masks:
        height, width = some.shape[1:]
        padded[start : start + len(some), :height, :width] = some
        start += len(some)
    return padded


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """To the device; a GPU takes it while the host goes on."""
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
