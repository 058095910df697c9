#!/usr/bin/env python
"""Memory and latency along a very long stream.

    python benchmarks/long_stream.py --frames 100000 [--json long.json]

Frames of moving discs, made as they are asked for, go through OnlinePredictor alone, and through
what demo.py --save-json does, with the small bundled model on small frames. Every tenth of the way
the memory of the process and the latency of a frame since then are noted, and how large the json
would be: the tracks hold what is in it, the run lengths of each mask, but not its nulls.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from detectron2.config import CfgNode
from tabulate import tabulate
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import demo  # noqa: E402  (of the repository, not of the package)
from rcf_vis import OnlinePredictor  # noqa: E402
from rcf_vis.config import read_config  # noqa: E402
from rcf_vis.evaluation import TrackAccumulator  # noqa: E402
from rcf_vis.files import check_output, whole_file  # noqa: E402
from rcf_vis.inference.setup import prepare_cfg  # noqa: E402
from rcf_vis.inference.video_io import FrameSource, TimedFrame  # noqa: E402
from rcf_vis.visualization.tracks import TrackVisualizer  # noqa: E402

HEIGHT, WIDTH = 64, 96


class Discs(FrameSource):
    """Three discs that go round; ``noted`` is called with the number of each frame."""

    name, paths, frame_rate, time_base = "discs", (), Fraction(30), Fraction(1, 30)
    width, height = WIDTH, HEIGHT

    def __init__(self, num_frames: int, noted: Callable[[int], None]) -> None:
        self.num_frames = num_frames
        self._noted = noted

    def timed(self) -> Iterator[TimedFrame]:
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        for number in range(self.num_frames):
            image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            for k, color in enumerate(((40, 40, 220), (220, 90, 40), (60, 200, 60))):
                angle = 2 * np.pi * (k / 3 + number / (200 + 37 * k))
                centre = HEIGHT / 2 + 20 * np.sin(angle), WIDTH / 2 + 34 * np.cos(angle)
                image[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 81] = color
            yield TimedFrame(image, number / self.frame_rate, (number + 1) / self.frame_rate)
            self._noted(number)


class Notes:
    """Memory and latency of each tenth."""

    def __init__(self, num_frames: int, in_json: Callable[[], int] = lambda: 0) -> None:
        self._part = max(num_frames // 10, 1)
        self._in_json = in_json
        self._last, self._seconds = time.perf_counter(), []
        self.rows: list[dict] = []

    def __call__(self, number: int) -> None:
        now = time.perf_counter()
        self._seconds.append(now - self._last)
        self._last = now
        if (number + 1) % self._part:
            return
        p50, p99 = 1000 * np.percentile(self._seconds, (50, 99))
        row = {"frames": number + 1, "memory, MB": _memory(), "json so far, MB": self._in_json()}
        self.rows.append({**row, "p50, ms": float(p50), "p99, ms": float(p99)})
        self._seconds = []
        self._last = time.perf_counter()


def _memory() -> float:
    """Of the process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def alone(cfg: CfgNode, num_frames: int) -> list[dict]:
    predictor, notes = OnlinePredictor(cfg), Notes(num_frames)
    for frame in tqdm(Discs(num_frames, notes), total=num_frames, desc="OnlinePredictor"):
        predictor(frame)
    return notes.rows


def as_the_demo(cfg: CfgNode, num_frames: int) -> list[dict]:
    predictor, tracks = OnlinePredictor(cfg), TrackAccumulator(video_id=1)
    notes = Notes(num_frames, lambda: _json_size(tracks))
    visualizer = TrackVisualizer(predictor.metadata.thing_classes)
    demo.track_video(Discs(num_frames, notes), predictor, visualizer, tracks, output=None)
    return notes.rows


def _json_size(tracks: TrackAccumulator) -> float:
    results = tracks.results(list(range(1, 11)))
    return sum(len(json.dumps(result)) for result in results) / 1e6


def growth(rows: list[dict]) -> float:
    """MB for 10,000 frames: the slope of all but the first two tenths."""
    frames = [row["frames"] / 10000 for row in rows[2:]]
    return float(np.polyfit(frames, [row["memory, MB"] for row in rows[2:]], 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    args = parser.parse_args()
    if args.frames < 100:
        parser.error(f"--frames {args.frames}: expected 100 or more")
    if args.json:
        check_output(args.json, option="--json")
    opts = ["MODEL.DEVICE", "cpu", "INPUT.MIN_SIZE_TEST", str(HEIGHT), "DATASETS.TEST", "()"]
    cfg = prepare_cfg(read_config(str(ROOT / "configs/synthvis/rcf_tiny.yaml"), opts))
    found = {}
    for name, run in (("OnlinePredictor", alone), ("demo.py --save-json", as_the_demo)):
        found[name] = rows = run(cfg, args.frames)
        print(f"\n{name}\n{tabulate(rows, headers='keys', floatfmt='.1f', tablefmt='pipe')}")
        print(f"growth: {growth(rows):.2f} MB for 10,000 frames", flush=True)
        if args.json:
            with whole_file(args.json) as temporary:
                temporary.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
