"""The plots of a report, each for a light and for a dark page."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rcf_vis.evaluation.average_precision import IOU_THRESHOLDS, RECALLS
from rcf_vis.files import whole_file

from .precision import mean_of_defined

__all__ = [
    "plot_categories",
    "plot_errors",
    "plot_precision",
    "plot_scores",
    "plot_sizes",
    "save_plot",
]

_WIDTH = 4.0  # inches: its text can be read at a phone's width
_THEMES = {  # text, grid, right, wrong, colours of the curves
    "light": ("#24292f", "#d0d7de", "#2563eb", "#d97706", ("viridis", 0.0, 0.82)),
    "dark": ("#dde3ea", "#3d444d", "#6ea8fe", "#f0a04b", ("viridis", 0.35, 1.0)),
}
_CURVES = (0, 3, 5, 7, 9)  # IoU 0.5, 0.65, 0.75, 0.85, 0.95


def save_plot(draw: Callable[[str], Figure], folder: str | os.PathLike, name: str) -> None:
    """Write ``<name>-light.svg`` and ``<name>-dark.svg``; the same figures give the same bytes.

    Args:
        draw: makes the figure for a theme.
    """
    for theme in _THEMES:
        with _style(theme):
            figure = draw(theme)
            with whole_file(Path(folder) / f"{name}-{theme}.svg") as temporary:
                figure.savefig(temporary, format="svg", transparent=True, metadata={"Date": None})


def plot_precision(curves: np.ndarray, theme: str) -> Figure:
    """Mean precision over recall at several IoU thresholds; ``curves`` is (K, T, 101)."""
    figure, axes = _figure(3.3)
    defined = curves[~np.isnan(curves[:, 0, 0])]
    colormap, low, high = _THEMES[theme][4]
    for index in _CURVES:
        color = matplotlib.colormaps[colormap](low + (high - low) * index / _CURVES[-1])
        curve = defined[:, index].mean(0) if len(defined) else np.full(len(RECALLS), np.nan)
        label = f"{IOU_THRESHOLDS[index]:.2f}   AP {_percent(mean_of_defined(curve))}"
        axes.plot(RECALLS, curve, color=color, linewidth=1.8, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(title="track IoU", loc="upper right", alignment="left")
    return figure


def plot_categories(values: Mapping[str, float], theme: str) -> Figure:
    """AP of each category in [0, 1], best first; undefined ones (−1) are left out."""
    defined = {name: value for name, value in values.items() if value >= 0}
    names = sorted(defined, key=lambda name: -defined[name])
    return _bars(names, [100 * defined[name] for name in names], "AP in percent", theme)


def plot_sizes(figures: Mapping[str, Any], theme: str) -> Figure:
    """AP and AR100 of small, medium and large tracks."""
    figure, axes = _figure(3.3)
    groups = ("small", "medium", "large")
    for offset, (kind, color) in enumerate(zip(("AP", "AR"), _THEMES[theme][2:4], strict=True)):
        values = [figures[f"{kind}{size[0]}"] for size in groups]
        heights = [max(0.0, 100 * value) for value in values]
        places = np.arange(len(groups)) + 0.38 * (offset - 0.5)
        bars = axes.bar(places, heights, 0.36, color=color, label=kind)
        labels = [_percent(value) if value >= 0 else "–" for value in values]
        axes.bar_label(bars, labels, padding=2)
    axes.set(xticks=range(len(groups)), ylim=(0, 108), ylabel="percent")
    axes.set_xticklabels([f"{size}\n{span}" for size, span in zip(groups, _SPANS, strict=True)])
    axes.grid(visible=False, axis="x")
    axes.legend(loc="upper left", ncols=2)
    return figure


_SPANS = ("≤ 128² px", "≤ 256² px", "> 256² px")


def plot_scores(true: np.ndarray, false: np.ndarray, theme: str) -> Figure:
    """Histogram of the scores of right and of wrong results, stacked."""
    figure, axes = _figure(3.3)
    scores = np.concatenate([true, false])
    low, high = min(0.0, scores.min(initial=0.0)), max(1.0, scores.max(initial=1.0))
    axes.hist(
        [true, false],
        bins=np.linspace(low, high, 26),
        stacked=True,
        color=_THEMES[theme][2:4],
        label=["right", "wrong"],
    )
    axes.set(xlabel="score", ylabel="predicted tracks", xlim=(low, high))
    axes.legend(loc="best")
    return figure


def plot_errors(gains: Mapping[str, float], theme: str) -> Figure:
    """dAP of each kind of error, in [0, 1]."""
    values = [100 * max(0.0, gain) if gain == gain else 0.0 for gain in gains.values()]
    return _bars(list(gains), values, "AP50 gained if fixed, in points", theme)


def _bars(names: Sequence[str], values: Sequence[float], label: str, theme: str) -> Figure:
    """Horizontal bars with their values, the first on top."""
    figure, axes = _figure(0.75 + 0.24 * max(len(names), 2))
    bars = axes.barh(range(len(names)), values, 0.72, color=_THEMES[theme][2])
    axes.bar_label(bars, [f"{value:.1f}" for value in values], padding=3)
    axes.set(yticks=range(len(names)), xlabel=label, ylim=(max(len(names), 1) - 0.5, -0.5))
    axes.set_yticklabels(names)
    axes.set_xlim(0, 1.13 * max([*values, 1.0]))
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    return figure


def _figure(height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def _style(theme: str) -> AbstractContextManager:
    text, grid, *_ = _THEMES[theme]
    colors = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), text
    )
    edges = dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color", "grid.color"), grid)
    return matplotlib.rc_context(
        {
            **edges,
            **colors,
            "axes.axisbelow": True,
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "font.size": 10.0,
            "legend.fontsize": 8.5,
            "legend.frameon": False,
            "legend.title_fontsize": 8.5,
            "svg.hashsalt": "rcf_vis",
            "text.parse_math": False,
        }
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if value == value else "–"
