"""Renders videos in processes of their own.

These are plain new interpreters, neither forks (OpenCV's threads do not survive a fork) nor
`multiprocessing`'s spawn (which runs the user's script again). They import this package by its
own name, so that they do not load torch first, and end when the process that started them has.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import cv2

from .audio_spec import SynthVISAudioSpec
from .audio_track import render_audio, write_wav
from .render import render_video
from .spec import SynthVISSpec
from .spec_classes import SPEC_CLASSES

__all__ = [
    "part_path",
    "work_off",
    "write_json",
    "write_video",
    "write_videos",
]

_PACKAGE = Path(__file__).resolve().parent
_START = (
    "import sys; sys.path.append(sys.argv[1]); "
    f"from {_PACKAGE.name}.worker import work_off; work_off(sys.stdin)"
)


def part_path(work: Path, index: int) -> Path:
    """Where the annotations of a finished video are kept until the split is whole."""
    return work / "parts" / f"{index:05d}.json"


def write_json(content: Any, path: Path) -> None:
    """Writes json with one spelling, under a temporary name first."""
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        json.dump(content, file, sort_keys=True, separators=(",", ":"))
        file.write("\n")
    os.replace(temporary, path)


def write_video(spec: SynthVISSpec, split: str, work: Path, index: int) -> None:
    """Writes frames and audio of a video and then, which says that it is whole, its annotations."""
    frames, annotations = render_video(spec, split, index)
    folder = work / "JPEGImages" / f"{index:05d}"
    folder.mkdir(exist_ok=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, spec.jpeg_quality]
    for t, frame in enumerate(frames):
        encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), quality)[1]
        (folder / f"{t:05d}.jpg").write_bytes(encoded.tobytes())
    if isinstance(spec, SynthVISAudioSpec):
        (work / "audio").mkdir(exist_ok=True)
        write_wav(work / "audio" / f"{index:05d}.wav", render_audio(spec, split, index))
    write_json(annotations, part_path(work, index))


def write_videos(
    spec: SynthVISSpec, split: str, work: Path, indices: list[int], workers: int
) -> Iterator[int]:
    """`write_video` for all of `indices`, in `workers` processes; yields how many are new.

    Raises:
        RuntimeError: a process failed; what it said is on stderr.
    """
    if workers == 1:
        for index in indices:
            write_video(spec, split, work, index)
            yield 1
        return
    job = {"spec": dataclasses.asdict(spec), "folder": spec.folder}
    job.update(split=split, work=str(work.resolve()))
    processes: list[subprocess.Popen[str]] = []
    try:
        for k in range(workers):
            process = _start({**job, "parent": os.getpid(), "indices": indices[k::workers]})
            processes.append(process)
        waiting = set(indices)
        while waiting:
            running = any(process.poll() is None for process in processes)
            done = {index for index in waiting if part_path(work, index).is_file()}
            waiting -= done
            if done:
                yield len(done)
            codes = [process.returncode for process in processes if process.returncode]
            if codes or (waiting and not running):
                raise RuntimeError(f"a process that renders {split} ended with status {codes}")
            time.sleep(0.05)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _start(job: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _START, str(_PACKAGE.parent)]
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    assert process.stdin is not None
    # One that has ended already does not read its job; its exit status says so.
    with suppress(BrokenPipeError), process.stdin as pipe:
        json.dump(job, pipe)
    return process


def work_off(file: IO[str]) -> None:
    """The body of a process: reads its job from `file` and does it."""
    job = json.load(file)
    cv2.setNumThreads(1)
    spec, work = SPEC_CLASSES[job["folder"]](**job["spec"]), Path(job["work"])
    for index in job["indices"]:
        if os.getppid() != job["parent"]:
            return
        write_video(spec, job["split"], work, index)
