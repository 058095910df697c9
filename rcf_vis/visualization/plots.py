"""Plots of what a training wrote, and how any plot is saved."""

import json
import os
import re
from pathlib import Path

from matplotlib.figure import Figure

from rcf_vis.files import whole_file

__all__ = ["plot_loss_curves", "save_png"]

_LOSS = re.compile(r"total_loss|loss_[a-z_]+")  # loss_dice, but not loss_dice_0 of an early layer


def plot_loss_curves(metrics_json: str | os.PathLike, png: str | os.PathLike) -> None:
    """Plot the losses in Detectron2's ``metrics.json`` over the iterations.

    Of the losses of a deeply supervised decoder those of the last layer are shown. Where a
    training was resumed, the later value of an iteration counts.

    Raises:
        FileNotFoundError: there is no ``metrics_json``.
        ValueError: it holds no losses.
    """
    curves: dict[str, dict[int, float]] = {}
    for line in Path(metrics_json).read_text().splitlines():
        values = json.loads(line)
        for name, value in values.items():
            if _LOSS.fullmatch(name):
                curves.setdefault(name, {})[values["iteration"]] = value
    if not curves:
        raise ValueError(f"{metrics_json} holds no losses")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="iteration", ylabel="loss")
    for name in sorted(curves, key=lambda name: (name != "total_loss", name)):
        points = sorted(curves[name].items())
        axes.plot(
            *zip(*points, strict=True),
            label=name,
            marker=".",
            linewidth=2 if name == "total_loss" else 1,
        )
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    save_png(figure, png)


def save_png(figure: Figure, png: str | os.PathLike) -> None:
    """Write a figure as a png, atomically."""
    with whole_file(png) as temporary:
        figure.savefig(temporary, dpi=120, format="png")
