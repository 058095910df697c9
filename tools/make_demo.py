#!/usr/bin/env python
"""Show the whole system at work in a few minutes: what ``make demo`` runs.

Tracks real clips with rcf_lite. Then makes a small SynthVIS, evaluates the bundled model of it,
trains on from it, evaluates again, tracks a video in which objects cross, draws a contact sheet and
the loss curve, and tracks such a video with the audio-visual model. All of it goes to one folder,
with a log of each step. With a config of an audio-visual model (--config-file) all data have audio,
also the videos and the sheet.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from rcf_vis.audio import AudioFile, split_by_frames
from rcf_vis.config import read_config
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.inference.video_io import open_frames
from rcf_vis.inference.video_writer import VideoWriter
from rcf_vis.synthvis import SynthVISAudioSpec, SynthVISSpec, generate_split, read_spec
from rcf_vis.visualization.contact_sheet import contact_sheet, draw_results_sheet
from rcf_vis.visualization.plots import plot_loss_curves
from rcf_vis.visualization.tracks import save_image

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "synthvis" / "rcf_tiny.yaml"
REAL_CONFIG = ROOT / "configs" / "real" / "rcf_lite.yaml"
CLIPS = ROOT / "examples" / "clips"
AUDIO_CONFIG = ROOT / "configs" / "synthvis" / "rcf_tiny_av.yaml"
DATA = {"train_videos": 24, "val_videos": 8}
# One video of objects that cross, at twice the size so that it is good to look at.
CROSSING = {
    "width": 640,
    "height": 384,
    "length": 40,
    "train_videos": 0,
    "val_videos": 1,
    "objects_per_video": (3, 4),
    "crossing_share": 1.0,
    "return_share": 0.0,
    "seed": 7,
}
FRAME_RATE = 10
TRAINING = {
    "SOLVER.IMS_PER_BATCH": 4,
    "SOLVER.MAX_ITER": 60,
    "SOLVER.BASE_LR": 1e-5,
    "SOLVER.WARMUP_ITERS": 10,
    "DATALOADER.NUM_WORKERS": 1,
    "SEED": 7,
}
METRICS = ("AP", "AP50", "AP75", "AR1", "AR10")


class StepFailed(RuntimeError):
    """A program that was run did not end well."""


class Demo:
    """The steps, and the folder that they write to.

    Args:
        output: the folder.
        options: ``KEY VALUE …`` for the config of every program that is run.
        config: the config file.
    """

    def __init__(self, output: Path, options: Sequence[str] = (), config: Path = CONFIG) -> None:
        self.output = output
        self.config = config
        cfg = read_config(str(config), options)
        self.with_audio = cfg.MODEL.RCF.AUDIO.ENABLED
        self.num_steps = 7 if self.with_audio else 8
        self.spec_class = SynthVISAudioSpec if self.with_audio else SynthVISSpec
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.options = ["MODEL.DEVICE", self.device, *options]
        self.step_number = 0

    @property
    def datasets(self) -> Path:
        return self.output / "datasets"

    @property
    def crossing(self) -> Path:
        """The folder of the video in which objects cross."""
        return self.output / "crossing" / self.spec_class.folder / "val"

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Announce a step with its number, and say at its end how long it took."""
        self.step_number += 1
        name = f"[{self.step_number}/{self.num_steps}] {title}"
        print(f"\n=== {name}", flush=True)
        start = time.perf_counter()
        yield
        print(f"=== {name}: {time.perf_counter() - start:.0f} s", flush=True)

    def run(self, log_name: str, script: str, *words: str) -> None:
        """Run a script of the repository; its output goes to the screen and to a log.

        Raises:
            StepFailed: it ended with another exit code than 0.
        """
        log_file = self.output / "logs" / f"{log_name}.log"
        log_file.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "DETECTRON2_DATASETS": str(self.datasets)}
        process = subprocess.Popen(
            [sys.executable, str(ROOT / script), *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            with open(log_file, "wb") as log:
                while chunk := process.stdout.read1(65536):
                    log.write(chunk)
                    sys.stdout.buffer.write(chunk)
                    sys.stdout.flush()
            code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if code != 0:
            raise StepFailed(f"{script} ended with exit code {code}; its output is in {log_file}")

    def track_real_clips(self) -> None:
        """A tracked mp4 and a contact sheet of each clip in examples/clips."""
        for clip in sorted(CLIPS.glob("*.mp4")):
            tracked = self.output / "real" / clip.name
            self.run(
                f"real_{clip.stem}",
                "demo.py",
                *("--config-file", str(REAL_CONFIG)),
                *("--input", str(clip)),
                *("--output", str(tracked)),
                *("--opts", "MODEL.DEVICE", self.device),
            )
            save_image(draw_video_sheet(clip, tracked), tracked.with_suffix(".png"))

    def make_data(self) -> None:
        for split in ("train", "val"):
            _make_split(self.spec_class(**DATA), self.datasets, split)

    def make_video(self) -> None:
        """A video in which objects cross: json, frames and an mp4, with audio for such a model."""
        rate = {"frame_rate": float(FRAME_RATE)} if self.with_audio else {}
        spec = self.spec_class(**CROSSING, **rate)
        _make_split(spec, self.output / "crossing", "val")
        audio = AudioFile(self.crossing / "audio" / "00000.wav") if self.with_audio else None
        sample_rate = audio.sample_rate if self.with_audio else None
        writer = VideoWriter(
            self.output / "input.mp4", frame_rate=Fraction(FRAME_RATE), sample_rate=sample_rate
        )
        pieces = None
        if self.with_audio:
            pieces = split_by_frames(audio, sample_rate=sample_rate, frame_rate=FRAME_RATE)
        with writer:
            for frame in open_frames(self.crossing / "JPEGImages" / "00000"):
                writer.write(frame)
                if self.with_audio:
                    writer.write_audio(next(pieces))

    def evaluate(self) -> dict[str, float]:
        shutil.rmtree(self.output / "bundled", ignore_errors=True)
        self.run("evaluate", "train_net.py", "--eval-only", *self._train_net_words("bundled", {}))
        return self._read_ap("bundled")

    def train(self) -> dict[str, float]:
        """Train on from the bundled model; the training ends with an evaluation."""
        shutil.rmtree(self.output / "train", ignore_errors=True)
        self.run("train", "train_net.py", *self._train_net_words("train", TRAINING))
        return self._read_ap("train")

    def track(self) -> None:
        self.run(
            "demo",
            "demo.py",
            *("--config-file", str(self.config)),
            *("--input", str(self.output / "input.mp4")),
            *("--output", str(self.output / "demo.mp4")),
            *("--save-json", str(self.output / "demo.json")),
            *("--opts", *self.options),
        )

    def draw_contact_sheet(self) -> None:
        results = json.loads((self.output / "demo.json").read_text())
        sheet = draw_results_sheet(
            self.crossing.with_suffix(".json"),
            self.crossing / "JPEGImages",
            results,
            audio_root=self.crossing / "audio" if self.with_audio else None,
        )
        save_image(sheet, self.output / "contact_sheet.png")

    def draw_loss_curve(self) -> None:
        metrics = self.output / "train" / "metrics.json"
        plot_loss_curves(metrics, self.output / "loss_curve.png")

    def _train_net_words(self, name: str, options: dict[str, object]) -> list[str]:
        options = {"OUTPUT_DIR": self.output / name, **options}
        words = [str(word) for pair in options.items() for word in pair]
        return ["--config-file", str(self.config), *words, *self.options]

    def _read_ap(self, name: str) -> dict[str, float]:
        folder = self.spec_class.folder
        results = self.output / name / "inference" / f"{folder}_val" / "results.json"
        return evaluate_ytvis(self.datasets / folder / "val.json", results)


def draw_video_sheet(video: Path, tracked: Path, num_frames: int = 6) -> np.ndarray:
    """Frames × {input, tracked}, evenly spread over the video: ``(H, W, 3)`` uint8 BGR."""
    rows = {"input": list(open_frames(video)), "tracked": list(open_frames(tracked))}
    last = len(rows["input"]) - 1
    shown = np.linspace(0, last, min(num_frames, last + 1)).round().astype(int).tolist()
    return contact_sheet(
        {name: [frames[t] for t in shown] for name, frames in rows.items()},
        column_names=[f"frame {t}" for t in shown],
        cell_width=400,
    )


def ap_table(columns: dict[str, dict[str, float]]) -> str:
    """The metrics, in percent, of several evaluations side by side."""
    lines = ["".join([f"{'':6}", *(f"{name:>24}" for name in columns)])]
    for metric in METRICS:
        values = (f"{100 * values[metric]:24.1f}" for values in columns.values())
        lines.append("".join([f"{metric:6}", *values]))
    return "\n".join(lines)


def run_demo(output: Path, options: Sequence[str] = (), config: Path = CONFIG) -> None:
    demo = Demo(output, options, config)
    start = time.perf_counter()
    with demo.step("Tracking real clips with rcf_lite"):
        demo.track_real_clips()
    with demo.step("Making a small SynthVIS and a video in which objects cross"):
        demo.make_data()
        demo.make_video()
    with demo.step("Evaluating the bundled model"):
        before = demo.evaluate()
        print(ap_table({"bundled model": before}))
    with demo.step(f"Training on from it for {TRAINING['SOLVER.MAX_ITER']} iterations"):
        after = demo.train()
    with demo.step("Tracking the video"):
        demo.track()
    with demo.step("Drawing the contact sheet"):
        demo.draw_contact_sheet()
    with demo.step("Drawing the loss curve"):
        demo.draw_loss_curve()
    if not demo.with_audio:
        with demo.step("Tracking a video with the audio-visual model"):
            audio_visual = Demo(output / "audio", options, AUDIO_CONFIG)
            audio_visual.make_video()
            audio_visual.track()
            audio_visual.draw_contact_sheet()
    trained = f"after {TRAINING['SOLVER.MAX_ITER']} iterations"
    title = demo.spec_class.title
    print(f"\nAP on {DATA['val_videos']} videos of {title}, val, in percent:\n")
    print(ap_table({"bundled model": before, trained: after}))
    print(f"\nIt took {time.perf_counter() - start:.0f} s. To look at:\n")
    results = {
        "real clips": "real",
        "tracked video": "demo.mp4",
        "contact sheet": "contact_sheet.png",
        "loss curve": "loss_curve.png",
        "tracks (json)": "demo.json",
        **({} if demo.with_audio else {"with audio": "audio"}),
        "training": "train",
        "logs": "logs",
    }
    for title, name in results.items():
        print(f"  {title:14} {output / name}")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("output/demo"), help="folder")
    parser.add_argument("--config-file", type=Path, default=CONFIG, metavar="FILE")
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="config options for all programs that are run, at the end of the command",
    )
    args = parser.parse_args(argv)
    try:
        run_demo(args.output.resolve(), args.opts, args.config_file.resolve())
    except StepFailed as error:
        raise SystemExit(f"\nmake_demo failed: {error}") from None


def _make_split(spec: SynthVISSpec, root: Path, split: str) -> Path:
    """Make a split unless the very same is there; return its json."""
    if read_spec(root, split, type(spec)) == spec.describe_split(split):
        return root / spec.folder / f"{split}.json"
    return generate_split(spec, root, split, overwrite=True)


if __name__ == "__main__":
    main()
