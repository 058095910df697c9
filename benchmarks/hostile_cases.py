"""What a hostile file of benchmarks/hostile_files.py is, and how each kind of file is opened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from rcf_vis.audio import read_audio
from rcf_vis.checkpoint import RCFCheckpointer, read_bare_weights
from rcf_vis.config import read_config
from rcf_vis.data import load_ytvis_json, register_ytvis_instances
from rcf_vis.data.checks.datasets import examine
from rcf_vis.errors import DatasetError
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.inference.video_io import open_frames
from rcf_vis.weight_files import read_state_dict

__all__ = [
    "HEIGHT",
    "WIDTH",
    "Case",
    "check",
    "configure",
    "evaluate",
    "good_set",
    "listen",
    "load",
    "load_part",
    "pipe",
    "play",
    "publish",
    "train",
    "write_json",
]

HEIGHT, WIDTH = 24, 32


@dataclass(frozen=True)
class Case:
    """A hostile file.

    Args:
        name: what is wrong with it.
        make: writes it into a folder, and says where; code in it makes a file ``mark`` beside it.
        open: as the program opens such files.
    """

    name: str
    make: Callable[[Path], Path]
    open: Callable[[Path], Any]


def load(path: Path) -> None:
    """``MODEL.WEIGHTS``."""
    RCFCheckpointer(nn.Linear(2, 3)).load(str(path))


def load_part(path: Path) -> None:
    """``MODEL.TIMM.CHECKPOINT`` and ``MODEL.RCF.AUDIO.WEIGHTS``."""
    read_state_dict(path)


def publish(path: Path) -> None:
    """What tools/publish_model.py and experiments/widen_backbone.py read."""
    read_bare_weights(path)


def configure(path: Path) -> None:
    """``--config-file``."""
    read_config(str(path))


def train(path: Path) -> None:
    """The loader of a data set."""
    load_ytvis_json(str(path), str(path.parent / "frames"))


def check(path: Path) -> None:
    """datasets/check.py of the set that a json, or a frame of it, belongs to."""
    folder = path.parent if path.suffix == ".json" else path.parents[1]
    register_ytvis_instances(str(folder), {}, str(folder / "set.json"), str(folder / "frames"))
    for messages in examine(str(folder)).faults.messages.values():
        raise DatasetError(messages[0])


def evaluate(path: Path) -> None:
    """``python -m rcf_vis.evaluation`` of a ground truth, or of results beside one."""
    if path.name == "set.json":
        evaluate_ytvis(path, [])
    else:
        evaluate_ytvis(path.parent / "set.json", path)


def play(path: Path) -> None:
    """demo.py --input."""
    for _ in open_frames(path):
        pass


def listen(path: Path) -> None:
    """The audio of a video of a data set."""
    read_audio(path)


def good_set() -> dict[str, Any]:
    """A json of one video of two frames."""
    size = {"width": WIDTH, "height": HEIGHT}
    video = {"id": 1, **size, "length": 2, "file_names": ["0.png", "1.png"]}
    mask = {"size": [HEIGHT, WIDTH], "counts": [100, 50, HEIGHT * WIDTH - 150]}
    track = {"id": 1, "video_id": 1, "category_id": 1, "segmentations": [mask, None]}
    return {
        "categories": [{"id": 1, "name": "cow"}],
        "videos": [video],
        "annotations": [track],
    }


def write_json(folder: Path, content: Any, name: str = "set.json") -> Path:
    """Write a json, and the frames of :func:`good_set` beside it."""
    (folder / "frames").mkdir(exist_ok=True)
    for frame in range(2):
        picture = Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
        picture.save(folder / "frames" / f"{frame}.png")
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def pipe(path: Path) -> Path:
    """A pipe that nobody writes into."""
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    return path
