"""A report on one results file: a static page with figures, plots, errors and animated strips."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from rcf_vis.data.json_forms import read_video_json
from rcf_vis.data.ytvis import read_videos
from rcf_vis.errors import extra
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.average_precision import METRICS
from rcf_vis.evaluation.track_files import (
    GroundTruth,
    Result,
    read_ground_truth,
    read_results,
)
from rcf_vis.files import whole_file
from rcf_vis.visualization.tracks import save_image

from .errors import VideoErrors, break_down_errors, find_errors
from .pairs import VideoPairs, pair_tracks
from .plots import (
    plot_categories,
    plot_errors,
    plot_precision,
    plot_scores,
    plot_sizes,
    save_plot,
)
from .precision import RankedResults, mean_of_defined, precision_curves, rank_results
from .strips import draw_strip, film_strip, save_animation
from .video_quality import VideoQuality, best_and_worst, video_quality

with extra("report"):
    import jinja2

__all__ = ["write_report"]

_FILES = "files"  # folder of the page's pictures
_TEMPLATE = "report_page.html"


def write_report(
    gt_json: str | os.PathLike,
    results_json: str | os.PathLike,
    output_dir: str | os.PathLike,
    *,
    image_root: str | os.PathLike | None = None,
    num_videos: int = 3,
    score_threshold: float = 0.3,
) -> Path:
    """Write ``index.html`` and its pictures, which need no network and nothing else.

    Args:
        gt_json: annotations in the YouTube-VIS format.
        results_json: results, as :func:`rcf_vis.evaluation.evaluate_ytvis` takes them.
        output_dir: is made; what an earlier report wrote there is written over.
        image_root: folder that the json's ``file_names`` are relative to; without it the page has
            no strips, and says so.
        num_videos: best videos to show, and worst ones.
        score_threshold: of the results that are drawn and that a video's quality counts. All other
            figures are of all results.

    Returns:
        The page.

    Raises:
        FileNotFoundError, ValueError: a json or an image is missing or broken; the message names
            it, and the page is not written.

    Example:
        >>> write_report("valid.json", "results.json", "report", image_root="valid/JPEGImages")
    """
    output_dir = Path(output_dir)
    ground_truth = read_ground_truth(gt_json)
    found = read_results(results_json, ground_truth)
    figures = evaluate_ytvis(gt_json, results_json)
    pairs = pair_tracks(ground_truth, found)
    errors = [find_errors(video) for video in pairs]
    ranked = rank_results(pairs, len(ground_truth.categories))
    curves = precision_curves(
        ranked.categories, ranked.true, ranked.false, ranked.num_truths.sum(0)
    )
    breakdown = break_down_errors(pairs, errors, len(ground_truth.categories))
    best_worst = best_and_worst([video_quality(v, score_threshold) for v in pairs], num_videos)
    strips = {}
    if image_root is not None:
        content = read_video_json(os.fspath(gt_json))
        records = read_videos(content, os.fspath(gt_json), os.fspath(image_root))
        draw = partial(_write_strip, output_dir, ground_truth, score_threshold=score_threshold)
        by_id = {video.video_id: video for video in pairs}
        chosen = [quality.video_id for group in best_worst for quality in group]
        for video_id in tqdm(chosen, desc="strips", unit="video"):
            strips[video_id] = draw(by_id[video_id], records[video_id])
    plots = _plots(figures, curves, ranked, breakdown.gains)
    for name, plot in plots.items():
        save_plot(plot, output_dir / _FILES, name)
    page = _render(
        results_name=Path(results_json).name,
        gt_name=Path(gt_json).name,
        totals=_totals(ground_truth, found),
        metrics={name: figures[name] for name in METRICS},
        categories=_category_rows(figures["per_category"], curves, ranked),
        breakdown=breakdown,
        videos=[
            [_video_entry(quality, pairs, errors, strips) for quality in group]
            for group in best_worst
        ],
        has_images=image_root is not None,
        score_threshold=score_threshold,
    )
    path = output_dir / "index.html"
    with whole_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _plots(
    figures: Mapping[str, Any],
    curves: np.ndarray,
    ranked: RankedResults,
    gains: Mapping[str, float],
) -> dict[str, partial]:
    """File name → what draws it for a theme."""
    right, wrong = (ranked.scores[flags[0]] for flags in (ranked.true, ranked.false))
    return {
        "precision": partial(plot_precision, curves),
        "sizes": partial(plot_sizes, figures),
        "categories": partial(plot_categories, figures["per_category"]),
        "scores": partial(plot_scores, right, wrong),
        "errors": partial(plot_errors, gains),
    }


def _totals(
    ground_truth: GroundTruth, found: Mapping[tuple[int, int], Sequence[Result]]
) -> dict[str, int]:
    """What there is, in the order in which the page names it."""
    truths = [truth for group in ground_truth.truths.values() for truth in group]
    return {
        "videos": len(ground_truth.videos),
        "frames": sum(video["length"] for video in ground_truth.videos.values()),
        "categories": len(ground_truth.categories),
        "annotated tracks": sum(not truth.crowd for truth in truths),
        "predicted tracks": sum(len(group) for group in found.values()),
    }


def _category_rows(
    per_category: Mapping[str, float], curves: np.ndarray, ranked: RankedResults
) -> list[dict[str, Any]]:
    truths = ranked.num_truths.sum(0).tolist()
    results = np.bincount(ranked.categories, minlength=len(truths)).tolist()
    return [
        {
            "name": name,
            "truths": truths[k],
            "results": results[k],
            "found": int(ranked.true[0, ranked.categories == k].sum()),
            "ap": value,
            "ap50": mean_of_defined(curves[k, 0]),
            "ap75": mean_of_defined(curves[k, 5]),
        }
        for k, (name, value) in enumerate(per_category.items())
    ]


def _write_strip(
    output_dir: Path,
    ground_truth: GroundTruth,
    video: VideoPairs,
    record: Mapping[str, Any],
    *,
    score_threshold: float,
) -> dict[str, Any]:
    """Write the animation of a video, and a film strip for who wants no motion."""
    names = list(ground_truth.categories.values())
    pictures = draw_strip(video, record, names, score_threshold=score_threshold)
    height, width = pictures[0].shape[:2]
    stem = f"{_FILES}/video-{video.video_id}"
    animation, still = f"{stem}.webp", f"{stem}.jpg"
    save_animation(pictures, output_dir / animation)
    save_image(film_strip(pictures), output_dir / still)
    return {"animation": animation, "still": still, "width": width, "height": height}


def _video_entry(
    quality: VideoQuality,
    pairs: Sequence[VideoPairs],
    errors: Sequence[VideoErrors],
    strips: Mapping[int, Mapping[str, Any]],
) -> dict[str, Any]:
    index = next(i for i, video in enumerate(pairs) if video.video_id == quality.video_id)
    counts = {kind: count for kind, count in errors[index].count().items() if count}
    return {"quality": quality, "errors": counts, "strip": strips.get(quality.video_id)}


def _render(**content: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = _percent
    return environment.get_template(_TEMPLATE).render(files=_FILES, **content)


def _percent(value: float, form: str = ".1f") -> str:
    """In percent; a dash for what is undefined (−1 or nan)."""
    return "–" if math.isnan(value) or value == -1 else format(100 * value, form)
