"""Writes SynthVIS to disk, so that a split is either whole or not there.

    {root}/synthvis/{split}.json                                   written last
    {root}/synthvis/{split}/JPEGImages/{video:05d}/{frame:05d}.jpg
    {root}/synthvis_av/{split}/audio/{video:05d}.wav               with audio, and all the above
    {root}/synthvis/.{split}.partial/                              while it is being made

Each finished video leaves its annotations in the partial folder, which is where a run that was
killed is taken up again.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import portalocker
from tqdm import tqdm

from rcf_vis.foreign_files import parse_json, read_json_bytes

from .events import find_events
from .occlusion_spec import SynthVISOcclusionSpec
from .plan import plan_video
from .spec import SPLITS, SynthVISSpec
from .worker import part_path, write_json, write_videos

__all__ = ["ensure_synthvis", "generate_split", "read_spec"]

logger = logging.getLogger(__name__)

#: Bytes of a JPEG file per pixel at the default quality and difficulty, for the log line.
_BYTES_PER_PIXEL = 0.24


def read_spec(
    root: str | os.PathLike[str], split: str, spec_class: type[SynthVISSpec] = SynthVISSpec
) -> dict[str, Any] | None:
    """What the split under `root` was made from, as `describe_split` of its spec has it.

    Returns:
        None where there is no such split; an empty dict where its json was not written by
        this generator.
    """
    path = Path(root) / spec_class.folder / f"{split}.json"
    if not path.is_file():
        return None
    content = parse_json(read_json_bytes(path), str(path))
    info = content.get("info") if isinstance(content, dict) else None
    described = info.get("spec") if isinstance(info, dict) else None
    return described if isinstance(described, dict) else {}


def generate_split(
    spec: SynthVISSpec,
    root: str | os.PathLike[str],
    split: str,
    *,
    workers: int | None = None,
    overwrite: bool = False,
) -> Path:
    """Makes the json of a split, its frames and sounds; the same bytes for any `workers`.

    Args:
        workers: number of processes; by default one a core, at most 8.
        overwrite: replace the split if it is there.

    Returns:
        The path of the json.

    Raises:
        FileExistsError: something is there and `overwrite` is False.
        ValueError: unknown split, or `workers` below 1.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    spec.num_videos(split)
    folder = Path(root) / spec.folder
    with _locked(folder):
        return _generate(spec, folder, split, workers, overwrite)


def ensure_synthvis(
    root: str | os.PathLike[str],
    splits: Sequence[str] = ("train", "val"),
    spec: SynthVISSpec | None = None,
    *,
    spec_class: type[SynthVISSpec] = SynthVISSpec,
    workers: int | None = None,
) -> None:
    """Makes those of `splits` that are missing under `root`; what is there is kept as it is.

    Several processes may call it at once: one makes the data, the others wait for it.

    Args:
        spec: what to make. By default that of another split that is there, else
            `spec_class()`.
        spec_class: which data set, where `spec` is not given.

    Example::

        ensure_synthvis("datasets")
    """
    spec_class = type(spec) if spec else spec_class
    for split in splits:
        (spec or spec_class()).num_videos(split)
    folder = Path(root) / spec_class.folder
    if all((folder / f"{split}.json").is_file() for split in splits):
        return
    with _locked(folder):
        missing = [split for split in splits if not (folder / f"{split}.json").is_file()]
        if not missing:
            return
        spec = spec or _spec_of_sibling(root, spec_class) or spec_class()
        counts = " and ".join(f"{spec.num_videos(split)} {split} videos" for split in missing)
        pixels = spec.width * spec.height * spec.length * sum(map(spec.num_videos, missing))
        logger.info(
            f"{spec.title} is not there yet: making {counts} ({spec.length} frames of {spec.width}x"
            f"{spec.height}, about {_BYTES_PER_PIXEL * pixels / 1e6:.0f} MB) in {folder}"
        )
        for split in missing:
            _generate(spec, folder, split, workers, overwrite=False)


def _spec_of_sibling(
    root: str | os.PathLike[str], spec_class: type[SynthVISSpec]
) -> SynthVISSpec | None:
    for split in SPLITS:
        described = read_spec(root, split, spec_class)
        if described:
            return spec_class.from_description(described)
    return None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Only one process at a time works in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with portalocker.Lock(str(folder / ".lock"), "a", timeout=24 * 3600, check_interval=0.2):
        yield


def _generate(
    spec: SynthVISSpec, folder: Path, split: str, workers: int | None, overwrite: bool
) -> Path:
    json_path, final = folder / f"{split}.json", folder / split
    work, old = folder / f".{split}.partial", folder / f".{split}.old"
    described = spec.describe_split(split)
    if (final / "spec.json").is_file() and not json_path.exists():
        # Killed between the last two steps below.
        shutil.rmtree(work, ignore_errors=True)
        os.replace(final, work)
    # Frames without a json beside a partial folder were being replaced when a run was killed.
    in_the_way = [json_path] if (work / "spec.json").is_file() else [json_path, final]
    if not overwrite:
        for path in in_the_way:
            if path.exists():
                raise FileExistsError(
                    f"{path} is already there: remove it or overwrite it (--force)"
                )
    shutil.rmtree(old, ignore_errors=True)
    _open_partial(work, described)
    todo = [i for i in range(spec.num_videos(split)) if not part_path(work, i).is_file()]
    _render_all(spec, split, work, todo, workers)
    content = _assemble(spec, split, work)
    json_path.unlink(missing_ok=True)
    if final.exists():
        os.replace(final, old)
    os.replace(work, final)
    write_json(content, json_path)
    shutil.rmtree(final / "parts")
    (final / "spec.json").unlink()
    shutil.rmtree(old, ignore_errors=True)
    return json_path


def _open_partial(work: Path, described: dict[str, Any]) -> None:
    """Keeps a partial folder of the same spec, else begins a new one."""
    marker = work / "spec.json"
    try:
        same = json.loads(marker.read_text(encoding="utf-8")) == described
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
    (work / "JPEGImages").mkdir(parents=True, exist_ok=True)
    (work / "parts").mkdir(exist_ok=True)
    if not same:
        write_json(described, marker)


def _render_all(
    spec: SynthVISSpec, split: str, work: Path, todo: list[int], workers: int | None
) -> None:
    if workers is None:
        affinity = getattr(os, "sched_getaffinity", None)
        workers = min(len(affinity(0)) if affinity else os.cpu_count() or 1, 8)
    workers = min(workers, max(len(todo) // 4, 1))
    with tqdm(total=len(todo), desc=f"{spec.title} {split}", unit="video") as bar:
        for count in write_videos(spec, split, work, todo, workers):
            bar.update(count)


def _assemble(spec: SynthVISSpec, split: str, work: Path) -> dict[str, Any]:
    """The content of the split's json, from the annotations of its videos."""
    videos, annotations = [], []
    for index in range(spec.num_videos(split)):
        names = [f"{index:05d}/{t:05d}.jpg" for t in range(spec.length)]
        size = {"width": spec.width, "height": spec.height, "length": spec.length}
        video = {"id": index + 1, **size, "license": 1, "file_names": names}
        own = json.loads(part_path(work, index).read_text(encoding="utf-8"))
        own = [{**a, "id": n} for n, a in enumerate(own, start=len(annotations) + 1)]
        videos.append({**video, **spec.video_fields()})
        if isinstance(spec, SynthVISOcclusionSpec):
            scene = plan_video(spec, split, index).scene
            videos[-1]["events"] = find_events(scene, own, (spec.width, spec.height))
        annotations += own
    return {
        "info": {
            "description": f"{spec.title}, a procedural data set: {split}",
            "version": "1.0",
            "spec": spec.describe_split(split),
        },
        "licenses": [{"id": 1, "name": "the licence of the program that made it", "url": ""}],
        "categories": [{**category, "supercategory": "shape"} for category in spec.categories],
        "videos": videos,
        "annotations": annotations,
    }
