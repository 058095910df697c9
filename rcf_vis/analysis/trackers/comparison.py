"""Track detections, and hold the tracks against the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import torch
from detectron2.data import MetadataCatalog

from rcf_vis.data.json_forms import read_video_json
from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import (
    TrackAccumulator,
    evaluate_events,
    evaluate_identity,
    evaluate_ytvis,
)
from rcf_vis.evaluation.event_metrics import has_events

from .detections import DetectedVideo
from .methods import Method

__all__ = ["TUNED_BY", "Truth", "figures_of", "track", "tune"]

#: The figure that tuning makes as great as can be.
TUNED_BY = "HOTA"


class Truth:
    """The annotations of some videos of a registered data set.

    Attributes:
        content: of its json, these videos alone.
        dataset_ids: the model's class index → category id.

    Raises:
        DatasetError: it has no annotations.
    """

    def __init__(self, dataset_name: str, videos: Sequence[DetectedVideo]) -> None:
        metadata = MetadataCatalog.get(dataset_name)
        ignored = metadata.get("ignore_classes", ())
        content = read_video_json(metadata.json_file, ignore_classes=ignored)
        if content.get("annotations") is None:
            raise DatasetError(f"data set '{dataset_name}' has no annotations to compare with")
        ids = {video.record["video_id"] for video in videos}
        self.content: Mapping[str, Any] = {
            **content,
            "videos": [video for video in content["videos"] if video["id"] in ids],
            "annotations": [a for a in content["annotations"] if a["video_id"] in ids],
        }
        contiguous = metadata.thing_dataset_id_to_contiguous_id
        self.dataset_ids = {index: dataset_id for dataset_id, index in contiguous.items()}


def track(
    method: Method,
    settings: Mapping[str, Any],
    videos: Sequence[DetectedVideo],
    dataset_ids: Mapping[int, int],
) -> list[dict[str, Any]]:
    """Results of a method, as a json has them. What it gives no identity is left out."""
    results = []
    for video in videos:
        step = method.start(**settings)
        tracks = TrackAccumulator(video_id=video.record["video_id"], num_frames=len(video.frames))
        images = video.images() if method.needs_images else repeat(None)
        for instances, image in zip(video.frames, images, strict=False):
            identities = torch.tensor(step(instances, image), dtype=torch.int64)
            kept = instances[identities >= 0]
            kept.track_ids = identities[identities >= 0]
            tracks.add(kept)
        results += tracks.results(dataset_ids)
    return results


def figures_of(truth: Truth, results: list[dict[str, Any]]) -> dict[str, Any]:
    """``AP``; the identity metrics; and ``events``, kind → its figures, where there are any."""
    identity = evaluate_identity(truth.content, results)
    figures = {"AP": evaluate_ytvis(truth.content, results)["AP"], **identity}
    del figures["per_category"]
    if has_events(truth.content):
        figures["events"] = evaluate_events(truth.content, results)
    return figures


def tune(
    method: Method,
    videos: Sequence[DetectedVideo],
    truth: Truth,
    on_point: Callable[[], Any] = lambda: None,
) -> tuple[dict[str, Any], float]:
    """The settings of the grid of the best ``TUNED_BY``, of equals the first, and what it is.

    Args:
        on_point: is called after each point of the grid.
    """
    found = []
    for settings in method.all_settings():
        results = track(method, settings, videos, truth.dataset_ids)
        found.append(evaluate_identity(truth.content, results)[TUNED_BY])
        on_point()
    best = max(range(len(found)), key=found.__getitem__)
    return method.all_settings()[best], found[best]
