"""A folder of short videos, and the command line that tracks them with the bundled small model."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from rcf_vis.inference.video_writer import VideoWriter
from tests.scripts import ROOT

CONFIG = str(ROOT / "configs/synthvis/rcf_tiny.yaml")
#: All slots fire, on small frames.
OPTIONS = ["MODEL.DEVICE", "cpu", "MODEL.RCF.TEST.SCORE_THRESH", "0.0", "INPUT.MIN_SIZE_TEST", "48"]


def make_videos(folder: Path, names=("a.mp4", "b.mp4", "frames"), length=3) -> Path:
    """Video files, and folders of images where a name has no suffix, of random pixels."""
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name if "." not in name else folder).mkdir(parents=True, exist_ok=True)
        frames = rng.integers(0, 256, (length, 48, 80, 3), dtype=np.uint8)
        if "." not in name:
            for index, frame in enumerate(frames):
                cv2.imwrite(str(folder / name / f"{index}.png"), frame)
            continue
        with VideoWriter(folder / name, frame_rate=Fraction(6)) as writer:
            for frame in frames:
                writer.write(frame)
    return folder


def arguments(source, output, *more: str, opts=(), config=CONFIG) -> list[str]:
    """Of tools/track_videos.py."""
    where = ["--config-file", config, "--input", str(source), "--output", str(output)]
    return [*where, *more, "--opts", *OPTIONS, *opts]
