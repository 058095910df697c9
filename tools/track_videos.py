#!/usr/bin/env python
"""Track the objects of many videos: one result file a video, in the YouTube-VIS form.

    python tools/track_videos.py --config-file FILE --input videos/ --output results/
    python tools/track_videos.py --config-file FILE --input list.txt --output results/ --engine ray

The input is a folder of video files and of folders of images, or a text file with a path a line. A
second start goes on with what is missing; what cannot be tracked is in results/failed.json with its
reason, and the status is then 1. With `--engine ray` the same videos are tracked by actors of Ray
Data, on the cluster that RAY_ADDRESS names or else on the cores or GPUs of this machine.
"""

import argparse
import sys
import time
from collections.abc import Iterator

from detectron2.config import CfgNode
from detectron2.utils.logger import setup_logger
from tqdm import tqdm

from rcf_vis.config import read_config
from rcf_vis.engine.ray_jobs import track_with_ray
from rcf_vis.engine.video_jobs import Outcome, VideoFolder, VideoJob, find_videos, track_here
from rcf_vis.files import only_run_in
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.weight_files import add_trust_option


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--input", required=True, help="a folder of videos, or a list of paths")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="of the results")
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: one after the other in this process; ray: in actors (extra 'ray')",
    )
    parser.add_argument(
        "--actors",
        type=int,
        default=0,
        metavar="N",
        help="of --engine ray, a GPU or a core each; default: as many as there are",
    )
    add_trust_option(parser)
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="config options, at the end of the command",
    )
    return parser


def track(args: argparse.Namespace, cfg: CfgNode, jobs: list[VideoJob]) -> Iterator[Outcome]:
    if args.engine == "ray":
        return track_with_ray(cfg, jobs, args.output, args.actors)
    return track_here(prepare_cfg(cfg), jobs, args.output)


def main(argv: list[str] | None = None) -> int:
    parser = get_parser()
    args = parser.parse_args(argv)
    if args.actors < 0 or (args.actors and args.engine != "ray"):
        parser.error("--actors is a positive number, of --engine ray")
    if args.trust_weights and args.engine == "ray":
        parser.error("--trust-weights is of --engine local: actors are processes of their own")
    videos = find_videos(args.input)
    cfg = read_config(args.config_file, args.opts)
    with only_run_in(args.output, "--output"):
        folder = VideoFolder(args.output, cfg)
        jobs = folder.plan(videos)
        frames = failed = 0
        start = time.perf_counter()
        progress = tqdm(total=len(videos), initial=len(videos) - len(jobs), unit="video")
        with progress:
            for outcome in track(args, cfg, jobs) if jobs else ():
                folder.note(outcome)
                frames += outcome.num_frames
                failed += bool(outcome.error)
                speed = frames / (time.perf_counter() - start)
                progress.set_postfix_str(f"{speed:.1f} frames/s, {failed} failed")
                progress.update()
    print(f"{len(videos) - failed} of {len(videos)} videos are in {args.output}")
    if failed:
        print(f"{failed} failed, see {folder.path / 'failed.json'}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    setup_logger(name="fvcore")
    setup_logger(name="rcf_vis")
    sys.exit(main())
