"""The paper's figures and their numbers, collected over videos."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.files import whole_file
from rcf_vis.visualization.tracks import save_image

from .attention import EncoderAttention, lift, sharpness
from .figures import attention_sheet, plot_slot_classes, plot_slot_order, weight_sheet
from .slot_order import SlotOrder, summarise_pairs
from .slots import FiringCounts
from .walk import ExplainedFrame, VideoSource, explain_frames

__all__ = ["Explainer", "attention_numbers"]


class Explainer:
    """Walks through videos with a model, and with further ones where frames are drawn.

    Args:
        models: name → predictor. Slots are counted and compared for the first; the others stand
            beside it in the pictures of attention (figures 8 and 12).
        class_names: of the first model's classes.
        out: the folder for the pictures of single videos, see :meth:`add`, and for all the rest,
            see :meth:`save`.
    """

    def __init__(
        self,
        models: Mapping[str, OnlinePredictor],
        *,
        class_names: Sequence[str],
        out: str | os.PathLike,
    ) -> None:
        self.models = dict(models)
        self.first, *self.others = self.models
        self.class_names = list(class_names)
        self.out = Path(out)
        rcf = self.models[self.first].cfg.MODEL.RCF
        self.counts = FiringCounts(num_slots=rcf.NUM_OBJECT_QUERIES, num_classes=rcf.NUM_CLASSES)
        self.order = SlotOrder(iou_thresh=rcf.TEST.MATCH_IOU_THRESH)
        self.numbers: dict[str, list[dict[str, Any]]] = {"weight_maps": [], "attention": []}
        self.truths: set[bool] = set()

    def add(self, video: VideoSource, drawn: Collection[int] = ()) -> None:
        """Take in a video.

        Args:
            video: of any length; one frame is in memory at a time, but for those that are drawn.
            drawn: numbers of the frames whose attention and W are drawn, each with the frame
                before it, into ``<out>/<name of the video>/``.
        """
        self.order.new_video(video.name)
        self.truths.add(video.truth is not None)
        kept: dict[int, ExplainedFrame] = {}
        for frame in self._walk(self.first, video, drawn):
            truth = video.truth(frame.number) if video.truth else None
            self.order.add(frame.step, frame.slots, frame.instances.pred_masks, truth)
            self.counts.add(frame.slots, frame.instances.pred_classes.tolist())
            if {frame.number, frame.number + 1} & set(drawn):
                kept[frame.number] = frame
        shown = [t for t in drawn if t in kept]  # the length of a video file is an estimate
        self._draw_weights(video, [(kept[t], kept[t - 1]) for t in shown if t > 0])
        self._draw_attention(video, {t: kept[t] for t in shown})

    def save(self, header: Mapping[str, Any]) -> None:
        """Write ``slot_classes.png``, ``slot_order.png`` and, with ``header``, ``explain.json``."""
        plot_slot_classes(self.counts, self.class_names, self.out / "slot_classes.png")
        plot_slot_order(self.order.pairs, self.out / "slot_order.png")
        objects = {True: "annotations", False: "masks of the frame before"}
        content = {
            **header,
            "slot_classes": self.counts.summary(self.class_names),
            "slot_order": {
                "objects_are": [objects[truth] for truth in sorted(self.truths)],
                **summarise_pairs(self.order.pairs),
            },
            **self.numbers,
        }
        with whole_file(self.out / "explain.json") as temporary:
            temporary.write_text(json.dumps(content, indent=1))

    def _walk(
        self, model: str, video: VideoSource, attention: Collection[int], length: int | None = None
    ) -> Iterable[ExplainedFrame]:
        frames = explain_frames(self.models[model], video, attention, length=length)
        total = video.length if length is None else length
        return tqdm(frames, total=total, unit="frame", desc=f"{video.name}, {model}")

    def _draw_weights(
        self, video: VideoSource, pairs: list[tuple[ExplainedFrame, ExplainedFrame]]
    ) -> None:
        pairs = [pair for pair in pairs if pair[0].step.weight_map is not None]
        for frame, before in pairs:
            map_ = frame.step.weight_map[None]
            numbers = {
                "least": float(map_.min()),
                "mean": float(map_.mean()),
                "greatest": float(map_.max()),
                "lift_on_instances": lift(map_, before.step.region),
            }
            self.numbers["weight_maps"].append(
                {"video": video.name, "frame": frame.number, **numbers}
            )
        if pairs:
            save_image(weight_sheet(pairs), self.out / video.name / "weights.png")

    def _draw_attention(self, video: VideoSource, frames: dict[int, ExplainedFrame]) -> None:
        views = {number: {self.first: frame} for number, frame in frames.items()}
        for model in self.others if views else ():
            for frame in self._walk(model, video, views, max(views) + 1):
                if frame.number in views:
                    views[frame.number][model] = frame
        for number, view in views.items():
            view = {name: frame for name, frame in view.items() if frame.step.attention}
            for name, frame in view.items():
                numbers = attention_numbers(frame)
                self.numbers["attention"].append(
                    {"video": video.name, "frame": number, "model": name, **numbers}
                )
            if view:
                path = self.out / video.name / f"attention_{number:05d}.png"
                save_image(attention_sheet(view), path)


def attention_numbers(frame: ExplainedFrame) -> dict[str, Any]:
    """Shares between the groups of tokens; of each map how sharp it is, and its lift on instances.

    The instances are the model's own: the masks of the slots that fired.
    """
    attention: EncoderAttention = frame.step.attention
    maps = {f"{a} to {b}": attention.map(a, b) for a, b in attention.views()}
    return {
        "tokens": dict(attention.groups),
        "shares": {
            f"{asking} to {asked}": attention.share(asking, asked)
            for asking in attention.groups
            for asked in attention.groups
        },
        "sharpness": {name: sharpness(map_) for name, map_ in maps.items()},
        "lift_on_instances": {name: lift(map_, frame.step.region) for name, map_ in maps.items()},
    }
