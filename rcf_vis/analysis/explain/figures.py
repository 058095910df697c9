"""The figures of the paper from recorded steps: pictures as ``(H, W, 3)`` uint8 BGR, and plots."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rcf_vis.visualization.contact_sheet import contact_sheet
from rcf_vis.visualization.plots import save_png
from rcf_vis.visualization.tracks import draw_masks

from .attention import head_pca
from .recorder import StepRecord
from .slot_order import FramePair, summarise_pairs
from .slots import FiringCounts
from .walk import ExplainedFrame

__all__ = ["attention_sheet", "heat", "plot_slot_classes", "plot_slot_order", "weight_sheet"]

COLORS = "inferno"  # dark to bright in grey as well


def heat(
    picture: np.ndarray, map_: Tensor, step: StepRecord, top: float | None = None
) -> np.ndarray:
    """A map on the grid of the target's tokens, in colours over the grey picture.

    Args:
        picture: ``(H, W, 3)`` uint8 BGR.
        map_: ``(h, w)``, not negative.
        step: which knows what the grid's cells stand for.
        top: the value of the brightest colour; default: the greatest of the map.
    """
    top = float(map_.max()) if top is None else top
    values = _over_picture((map_ / top if top > 0 else map_).numpy(), step, picture.shape)
    colors = matplotlib.colormaps[COLORS](np.clip(values, 0, 1))[..., 2::-1]
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None] / 255
    return np.rint(255 * (0.3 * grey + 0.7 * colors)).astype(np.uint8)


def weight_sheet(frames: Sequence[tuple[ExplainedFrame, ExplainedFrame]]) -> np.ndarray:
    """W of eq. 2 (figure 4 b): reference frames, W over them, and the targets' predictions.

    Args:
        frames: pairs of a frame and the one before it, whose steps have a weight map.
    """
    rows = {"reference t-1": [], "W": [], "prediction t": []}
    top = max(float(frame.step.weight_map.max()) for frame, _ in frames)
    for frame, before in frames:
        rows["reference t-1"].append(before.picture)
        rows["W"].append(heat(before.picture, frame.step.weight_map, frame.step, top))
        rows["prediction t"].append(_predicted(frame))
    names = []
    for frame, _ in frames:
        low, high = float(frame.step.weight_map.min()), float(frame.step.weight_map.max())
        names.append(f"t = {frame.number}: W {low:.2g} to {high:.2g}")
    return contact_sheet(rows, column_names=names)


def attention_sheet(frames: Mapping[str, ExplainedFrame]) -> np.ndarray:
    """Attention of one frame (figures 4 c, 8, 12): prediction, PCA of the heads, each head.

    Each head has its own scale, from 0 to its greatest value. The name of a row ends with the share
    of their attention that the asking tokens give to the asked ones (III-B1).

    Args:
        frames: name of a model → the frame as that model sees it, with its attention. The rows
            that show the same of several models lie one below the other.
    """
    views = dict.fromkeys(view for f in frames.values() for view in f.step.attention.views())
    rows = {}
    for asking, asked in views:
        for model, frame in frames.items():
            attention = frame.step.attention
            if (asking, asked) not in attention.views():
                continue
            maps = attention.map(asking, asked)
            name = f"{asking} to {asked} {attention.share(asking, asked):.0%}"
            if len(frames) > 1:
                name = f"{model} {name.replace('reference', 'ref').replace('target', 'tgt')}"
            rows[name] = [
                _predicted(frame),
                _pca_picture(maps, frame),
                *(heat(frame.picture, head, frame.step) for head in maps),
            ]
    columns = max(map(len, rows.values()))
    for pictures in rows.values():  # models may differ in the number of heads
        pictures += [np.full_like(pictures[0], 255)] * (columns - len(pictures))
    names = ["prediction", "PCA", *(f"head {k}" for k in range(1, columns - 1))]
    return contact_sheet(rows, column_names=names, cell_width=360, margin=20)


def plot_slot_classes(
    counts: FiringCounts, class_names: Sequence[str], png: str | os.PathLike
) -> None:
    """Which slot fires for which class, normalised a class (figure 9)."""
    shares = counts.by_class().numpy()
    num_slots, num_classes = shares.shape
    figure = Figure(figsize=(2.5 + 0.42 * num_classes, 2.2 + 0.3 * num_slots), layout="constrained")
    axes = figure.add_subplot(ylabel="slot", xlabel="predicted class (frames in which it fired)")
    colors = matplotlib.colormaps[COLORS].with_extremes(bad="0.85")
    image = axes.imshow(shares, vmin=0, vmax=1, cmap=colors, aspect="auto")
    totals = counts.counts.sum(0).tolist()
    labels = [f"{name} ({total})" for name, total in zip(class_names, totals, strict=True)]
    axes.set_xticks(range(num_classes), labels, rotation=45, ha="right")
    axes.set_yticks(range(num_slots))
    if num_classes <= 40:
        _write_shares(axes, shares)
    figure.colorbar(image, label="share of the class")
    save_png(figure, png)


def plot_slot_order(pairs: Sequence[FramePair], png: str | os.PathLike) -> None:
    """Output change over input change by motion, and how often the slot order held (III-B4)."""
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    ratios, shares = figure.subplots(1, 2, width_ratios=(3, 2))
    held = [pair for pair in pairs if pair.held == pair.objects]
    broken = [pair for pair in pairs if pair.held < pair.objects]
    series = {
        ("two fired slots swapped", "v", "tab:purple"): _swap_points(pairs, "two_fired"),
        ("a fired slot and any other swapped", "^", "tab:orange"): _swap_points(pairs, "one_fired"),
        ("as it is, order held", ".", "tab:blue"): _ratio_points(held),
        ("as it is, order broken", "x", "tab:red"): _ratio_points(broken),
    }
    for (name, marker, color), points in series.items():
        if points:
            ratios.scatter(*zip(*points, strict=True), s=22, marker=marker, c=color, label=name)
    _spread_axes(ratios, [point for points in series.values() for point in points])
    ratios.set(xlabel="motion: mean |ΔI| of the normalised pixels", ylabel="‖ΔΘ‖₁ / ‖ΔI‖₁")
    _plot_held(shares, summarise_pairs(pairs)["by_motion"])
    save_png(figure, png)


def _ratio_points(pairs: Sequence[FramePair]) -> list[tuple[float, float]]:
    return [(pair.motion, pair.ratio) for pair in pairs if pair.ratio is not None]


def _swap_points(pairs: Sequence[FramePair], name: str) -> list[tuple[float, float]]:
    return [(pair.motion, pair.swaps[name].ratio) for pair in pairs if pair.swaps[name]]


def _spread_axes(axes: Axes, points: Sequence[tuple[float, float]]) -> None:
    """Logarithmic where values differ by more than a factor of 10; a grid and a legend."""
    for axis, values in zip("xy", zip(*points, strict=True), strict=False):
        if min(values) > 0 and max(values) > 10 * min(values):
            axes.set(**{f"{axis}scale": "log"})
    axes.grid(alpha=0.3)
    if points:
        axes.legend(fontsize="small")


def _plot_held(axes: Axes, bins: Sequence[Mapping]) -> None:
    bins = [part for part in bins if part["objects"]]
    bars = axes.bar(range(len(bins)), [100 * part["held"] for part in bins], color="tab:blue")
    texts = [f"{100 * part['held']:.1f} %\nof {part['objects']}" for part in bins]
    axes.bar_label(bars, texts, padding=2, fontsize="small")
    axes.set(ylim=(0, 118), ylabel="objects that held their slot, %", xlabel="motion, in quarters")
    axes.set_yticks(range(0, 101, 20))
    labels = ["{:.3g}\nto {:.3g}".format(*part["motion"]) for part in bins]
    axes.set_xticks(range(len(bins)), labels)


def _write_shares(axes: Axes, shares: np.ndarray) -> None:
    for (slot, category), share in np.ndenumerate(shares):
        if share >= 0.05:
            color = "black" if share > 0.6 else "white"
            axes.text(
                category, slot, f"{100 * share:.0f}", ha="center", va="center", color=color,
                fontsize=7,
            )  # fmt: skip


def _predicted(frame: ExplainedFrame) -> np.ndarray:
    instances = frame.instances
    masks = [mask.numpy() for mask in instances.pred_masks]
    labels = [f"slot {slot}" for slot in frame.slots]
    return draw_masks(frame.picture, masks, instances.track_ids.tolist(), labels)


def _pca_picture(maps: Tensor, frame: ExplainedFrame) -> np.ndarray:
    colors = _over_picture(head_pca(maps).float().numpy(), frame.step, frame.picture.shape)
    return np.rint(255 * np.clip(colors[..., ::-1], 0, 1)).astype(np.uint8)


def _over_picture(grid: np.ndarray, step: StepRecord, shape: tuple[int, ...]) -> np.ndarray:
    """Enlarge a grid of cells to the picture, cell borders where the network had them."""
    height, width = step.image.shape[-2:]
    size = (grid.shape[1] * step.stride, grid.shape[0] * step.stride)
    enlarged = cv2.resize(grid, size, interpolation=cv2.INTER_LINEAR)[:height, :width]
    return cv2.resize(enlarged, shape[1::-1], interpolation=cv2.INTER_LINEAR)
