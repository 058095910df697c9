"""Many videos on many machines: each actor of Ray Data has a model and takes the next video."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from detectron2.config import CfgNode
from detectron2.utils.logger import setup_logger

from rcf_vis.errors import extra
from rcf_vis.inference.setup import prepare_cfg

from .video_jobs import Outcome, VideoJob, VideoTracker

__all__ = ["track_with_ray"]

logger = logging.getLogger(__name__)


def track_with_ray(
    cfg: CfgNode, jobs: Sequence[VideoJob], folder: str | os.PathLike, actors: int = 0
) -> Iterator[Outcome]:
    """Track the videos in actors, of the cluster that ``RAY_ADDRESS`` names or of this machine.

    The videos and the folder of the results must be seen under the same paths by all machines. A
    video whose actor dies is done again by another: each has one outcome.

    Args:
        cfg: as it was read: the device is chosen where the actors run.
        actors: how many, each with a GPU where ``MODEL.DEVICE`` is one and the cluster has any,
            else with a core; 0 = as many as there are of them.

    Raises:
        ModuleNotFoundError: Ray Data is not installed; names the extra.
        ValueError: the cluster has fewer GPUs or cores than actors, which would wait for ever.
    """
    with extra("ray"):
        import ray
        import ray.data
    started = not ray.is_initialized()
    ray.init(ignore_reinit_error=True, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False  # the caller has one
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    try:
        resources = ray.cluster_resources()
        unit = "GPU" if cfg.MODEL.DEVICE.startswith("cuda") and resources.get("GPU") else "CPU"
        there = int(resources.get(unit, 0))
        if max(actors, 1) > there:
            raise ValueError(f"--actors {actors} need a {unit} each, and the cluster has {there}")
        # One block a video, so that the videos are handed out one by one.
        dataset = ray.data.from_items([asdict(job) for job in jobs], override_num_blocks=len(jobs))
        outcomes = dataset.map(
            _Actor,
            fn_constructor_args=(cfg, os.path.abspath(folder)),
            concurrency=min(actors or there, len(jobs)),
            num_cpus=1,
            num_gpus=1 if unit == "GPU" else 0,
        )
        for row in outcomes.iter_rows():
            yield Outcome(**row)
    finally:
        if started:
            ray.shutdown()


class _Actor:
    """A :class:`VideoTracker` in a process of its own."""

    def __init__(self, cfg: CfgNode, folder: str) -> None:
        setup_logger(name="rcf_vis")
        self._tracker = VideoTracker(prepare_cfg(cfg), folder)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return asdict(self._tracker(VideoJob(**row)))
