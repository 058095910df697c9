#!/usr/bin/env python
"""What tools/track_videos.py costs beside a plain loop, and what a second actor of Ray gains.

    python benchmarks/many_videos.py --config-file configs/synthvis/rcf_tiny.yaml \\
        --input datasets/synthvis/val/JPEGImages

Tracks the same videos four times, on an otherwise idle machine: in a plain loop around the
predictor, by --engine local, and by --engine ray with one actor and with two. The seconds of Ray
begin with its start; those until its first result are given as well.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from detectron2.config import CfgNode
from tabulate import tabulate

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from rcf_vis.engine.ray_jobs import track_with_ray
from rcf_vis.engine.video_jobs import Outcome, VideoFolder, VideoJob, find_videos, track_here
from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import open_frames


def plain_loop(cfg: CfgNode, jobs: list[VideoJob], folder: Path) -> Iterator[Outcome]:
    predictor = OnlinePredictor(cfg)
    ids = list(range(1, cfg.MODEL.RCF.NUM_CLASSES + 1))
    for job in jobs:
        predictor.reset()
        tracks = TrackAccumulator(video_id=job.video_id)
        for frame in open_frames(job.source):
            tracks.add(predictor(frame))
        (folder / f"{job.name}.json").write_text(json.dumps(tracks.results(ids)))
        yield Outcome(job.name, len(tracks))


def timed(outcomes: Iterable[Outcome]) -> tuple[float, float, int]:
    """Seconds in all, seconds until the first outcome, frames."""
    start, first, frames = time.perf_counter(), 0.0, 0
    for outcome in outcomes:
        if outcome.error:
            raise RuntimeError(f"{outcome.name}: {outcome.error}")
        first = first or time.perf_counter() - start
        frames += outcome.num_frames
    return time.perf_counter() - start, first, frames


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--input", required=True, help="a folder of videos, or a list of paths")
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args = parser.parse_args()
    as_read = read_config(args.config_file, args.opts)
    cfg = prepare_cfg(as_read.clone())
    engines = {
        "plain loop": lambda jobs, folder: plain_loop(cfg, jobs, folder),
        "local": lambda jobs, folder: track_here(cfg, jobs, folder),
        "ray, 1 actor": lambda jobs, folder: track_with_ray(as_read, jobs, folder, 1),
        "ray, 2 actors": lambda jobs, folder: track_with_ray(as_read, jobs, folder, 2),
    }
    rows = []
    for name, track in engines.items():
        with tempfile.TemporaryDirectory() as folder:
            jobs = VideoFolder(folder, cfg).plan(find_videos(args.input))
            seconds, first, frames = timed(track(jobs, Path(folder)))
        plain = rows[0][1] if rows else seconds
        rows.append([name, seconds, first, frames / seconds, seconds / plain])
        print(f"{name}: {seconds:.1f} s", flush=True)
    print(tabulate(rows, ["engine", "s", "s to the first", "frames/s", "of the plain loop"]))


if __name__ == "__main__":
    main()
