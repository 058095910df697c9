"""Where the json, the frames and the audio of a data set lie on disk: layouts in circulation."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

__all__ = [
    "DatasetPaths",
    "Layout",
    "audio_layout",
    "coco_layout",
    "datasets_root",
    "find_dataset",
    "ovis_layout",
    "synthvis_layout",
    "ytvis_layout",
]

_SPLIT_FOLDERS = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
"""Names of a split on disk, in the order in which they are tried."""

_AUDIO_FOLDERS = ("audio", "WAVAudios", "videos")
"""Names of the folder of audio in that of a split, in the order in which they are tried."""


@dataclass(frozen=True)
class DatasetPaths:
    """The json of a data set and the folder that its ``file_names`` are relative to.

    ``audio_root`` is the folder of the audio of its videos; None: they have none.
    """

    json_file: str
    image_root: str
    audio_root: str | None = None


@dataclass(frozen=True)
class Layout:
    """Candidates, relative to the root of all data sets, in the order in which they are tried."""

    json_files: tuple[str, ...]
    image_roots: tuple[str, ...]
    audio_roots: tuple[str, ...] = ()


def datasets_root() -> str:
    """The root of all data sets: ``$DETECTRON2_DATASETS``, by default ``datasets``."""
    return os.path.expanduser(os.getenv("DETECTRON2_DATASETS", "datasets"))


def ytvis_layout(folder: str, split: str, *, only_split: bool = False) -> Layout:
    """YouTube-VIS, e.g. ``ytvis_layout("ytvis_2019", "val")``.

    Args:
        folder: of the data set.
        split: train, val or test.
        only_split: the folder holds no other split, so its json may lie there without a name.
    """
    names = _SPLIT_FOLDERS[split]
    return Layout(
        json_files=(
            *(f"{folder}/{name}.json" for name in names),
            *(f"{folder}/{name}/instances.json" for name in names),
            f"{folder}/annotations/instances_{split}_sub.json",
            *((f"{folder}/instances.json",) if only_split else ()),
        ),
        image_roots=tuple(f"{folder}/{name}/JPEGImages" for name in names),
    )


def ovis_layout(split: str) -> Layout:
    """OVIS: the videos lie in the split's folder itself."""
    names = _SPLIT_FOLDERS[split]
    return Layout(
        json_files=(
            *(f"ovis/annotations/annotations_{name}.json" for name in names),
            *(f"ovis/annotations_{name}.json" for name in names),
            *(f"ovis/annotations/{name}.json" for name in names),
            *(f"ovis/{name}.json" for name in names),
        ),
        image_roots=tuple(f"ovis/{name}" for name in names),
    )


def coco_layout() -> Layout:
    """COCO 2017's training images, as Detectron2 itself expects them."""
    return Layout(("coco/annotations/instances_train2017.json",), ("coco/train2017",))


def audio_layout(folder: str, split: str) -> Layout:
    """YouTube-VIS with audio, e.g. ``audio_layout("avis", "val")``."""
    roots = (f"{folder}/{name}/{kind}" for name in _SPLIT_FOLDERS[split] for kind in _AUDIO_FOLDERS)
    return replace(ytvis_layout(folder, split), audio_roots=tuple(roots))


def synthvis_layout(folder: str, split: str, *, with_audio: bool = False) -> Layout:
    """A SynthVIS, as ``datasets/prepare_synthvis.py`` writes it."""
    return Layout(
        (f"{folder}/{split}.json",),
        (f"{folder}/{split}/JPEGImages",),
        (f"{folder}/{split}/audio",) if with_audio else (),
    )


def find_dataset(name: str, layout: Layout, root: str) -> DatasetPaths:
    """The first json, the first folder of frames and the first one of audio that are there.

    Raises:
        FileNotFoundError: one of the two is not there; it lists each path that was tried.
    """
    json_files = [os.path.join(root, path) for path in layout.json_files]
    image_roots = [os.path.join(root, path) for path in layout.image_roots]
    json_file = next(filter(os.path.isfile, json_files), None)
    image_root = next(filter(os.path.isdir, image_roots), None)
    audio_roots = (os.path.join(root, path) for path in layout.audio_roots)
    if json_file is None or image_root is None:
        what = "json" if json_file is None else "folder of frames"
        tried = json_files if json_file is None else image_roots
        raise FileNotFoundError(
            f"data set '{name}': no {what} under {os.path.abspath(root)} "
            "($DETECTRON2_DATASETS, default 'datasets'; layouts: datasets/README.md). "
            "Tried, in this order:\n  " + "\n  ".join(tried)
        )
    return DatasetPaths(json_file, image_root, next(filter(os.path.isdir, audio_roots), None))
