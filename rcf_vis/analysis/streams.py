"""What many streams in one step cost, against one after the other in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rcf_vis.modeling import RCF, OnlineState

__all__ = ["measure_streams"]


def measure_streams(
    model: RCF, images: Sequence[Tensor], output_size: tuple[int, int], frames: int, warmup: int
) -> dict[str, Any]:
    """Time a step of all streams and the steps of each, in turn.

    Args:
        model: in evaluation mode; how many of its slots fire is up to its weights.
        images: a picture of each stream, ``(3, h, w)``, as the network takes it; it is shifted from
            frame to frame.
        output_size: (height, width) of the masks.
        frames, warmup: steps that are measured, and before that.

    Returns:
        ``streams``, ``frames a second`` (of all streams, in one step), the same
        ``one after the other``, ``ratio`` of the two (median of the steps), and ``instances``, the
        mean number in a frame.
    """
    together, apart = [OnlineState()] * len(images), [OnlineState()] * len(images)
    seconds: dict[str, list[float]] = {"together": [], "apart": []}
    instances = 0

    def in_one_step(now: Sequence[Tensor]) -> None:
        nonlocal instances
        for index, (found, state) in enumerate(model.track_each(now, together, output_size)):
            together[index] = state
            instances += len(found)

    def one_by_one(now: Sequence[Tensor]) -> None:
        for index, image in enumerate(now):
            _, apart[index] = model.track(image, apart[index], output_size)

    for number in tqdm(range(warmup + frames), desc=f"{len(images)} streams"):
        now = [image.roll(4 * number, -1) for image in images]
        seconds["together"].append(_seconds(in_one_step, now, model.device))
        seconds["apart"].append(_seconds(one_by_one, now, model.device))
    one, each = (np.array(seconds[name][warmup:]) for name in ("together", "apart"))
    return {
        "streams": len(images),
        "frames a second": len(images) / float(np.median(one)),
        "one after the other": len(images) / float(np.median(each)),
        "ratio": float(np.median(each / one)),
        "instances": instances / (len(images) * (warmup + frames)),
    }


def _seconds(step: Callable, images: Sequence[Tensor], device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    step(images)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
