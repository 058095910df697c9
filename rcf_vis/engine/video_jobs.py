"""Many videos: what there is to track, what is done already, and one result file a video."""

from __future__ import annotations

import codecs
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.utils.file_io import PathManager

from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.files import whole_file
from rcf_vis.foreign_files import open_regular
from rcf_vis.inference import OnlinePredictor
from rcf_vis.inference.video_io import is_image, open_frames
from rcf_vis.inference.video_sound import VideoSound, open_audio

__all__ = [
    "Outcome",
    "VideoFolder",
    "VideoJob",
    "VideoTracker",
    "find_videos",
    "fingerprint",
    "result_path",
    "track_here",
]

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    ".avi .flv .gif .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .ts .webm .wmv".split()
)


@dataclass(frozen=True)
class VideoJob:
    """A video to be tracked: its name in the results, where it is, and its ``video_id``."""

    name: str
    source: str
    video_id: int


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its frames that were tracked, and why it failed, "" if it did not."""

    name: str
    num_frames: int
    error: str = ""


def find_videos(source: str | os.PathLike) -> dict[str, str]:
    """Name → path of the videos of a folder or a list, in natural reading order of the source.

    A video is a video file or a folder of images; its name is that of the file or folder.

    Args:
        source: a folder that holds them, or a text file with a path a line, relative to the
            file's folder; empty lines and those that begin with # do not count.

    Raises:
        FileNotFoundError: there is no such source, a listed path is not there, or no video at all.
        ValueError: two videos have one name, or the source is a video or no text.
    """
    source = Path(source)
    if source.is_dir():
        paths = [path for path in sorted(source.iterdir()) if _is_video(path)]
        if not paths and any(is_image(path) for path in source.iterdir()):
            raise FileNotFoundError(
                f"{source} is one video, a folder of images: give the folder that it lies in"
            )
    elif source.is_file() and source.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is one video: give the folder that it lies in, or a list")
    elif source.is_file():
        lines = enumerate(_text(source).splitlines(), 1)
        listed = [(n, line.strip()) for n, line in lines if line.strip()[:1] not in ("", "#")]
        paths = [source.parent / path for _, path in listed]
        missing = [f"line {n}, {path}" for n, path in listed if not (source.parent / path).exists()]
        if missing:
            raise FileNotFoundError(
                f"{source}: {len(missing)} of {len(listed)} videos are not there: "
                + "; ".join(missing[:3])
                + "; …" * (len(missing) > 3)
            )
    else:
        raise FileNotFoundError(f"{source}: expected a folder of videos, or a list of them")
    if not paths:
        raise FileNotFoundError(f"{source}: no video in it; expected files or folders of images")
    videos: dict[str, str] = {}
    for path in paths:
        if path.name in videos:
            raise ValueError(
                f"{source}: two videos have the name {path.name!r}, after which their result is "
                f"called: {videos[path.name]} and {path}"
            )
        videos[path.name] = str(path)
    return videos


def _text(path: Path) -> str:
    """Of a list, in UTF-8 or UTF-16."""
    data = path.read_bytes()
    utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no list of paths: {error}") from error


def _is_video(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return any(is_image(file) for file in path.iterdir())
    return path.suffix.lower() in VIDEO_SUFFIXES


class VideoFolder:
    """The folder of the results: ``NAME.json`` a video, ``videos.json``, ``failed.json``.

    ``videos.json`` has the ids of the videos, which stay when others are added later, and the
    fingerprint of the model that made the results.

    Args:
        path: of the folder; made where it is not there.
        cfg: of the model.

    Raises:
        ValueError: the results in the folder are those of another model, or ``videos.json`` is
            broken.
    """

    def __init__(self, path: str | os.PathLike, cfg: CfgNode) -> None:
        self.path = Path(path)
        self._index = self.path / "videos.json"
        self._model = fingerprint(cfg)
        self._ids: dict[str, int] = {}
        self._failed: dict[str, str] = {}
        if self._index.exists():
            content = self._read_index()
            if content["model"] != self._model:
                raise ValueError(
                    f"{self.path} has results of another model, configuration or weights "
                    f"({self._index.name}): give this one a folder of its own"
                )
            self._ids = content["videos"]

    def plan(self, videos: Mapping[str, str]) -> list[VideoJob]:
        """The jobs that have no result yet; the videos get their ids."""
        for name in videos:
            self._ids.setdefault(name, len(self._ids) + 1)
        with whole_file(self._index) as temporary:
            content = {"model": self._model, "videos": self._ids}
            temporary.write_text(json.dumps(content, indent=1))
        (self.path / "failed.json").unlink(missing_ok=True)
        return [
            VideoJob(name=name, source=source, video_id=self._ids[name])
            for name, source in videos.items()
            if not result_path(self.path, name).exists()
        ]

    def note(self, outcome: Outcome) -> None:
        """Write down what failed, as soon as it is known."""
        if outcome.error:
            self._failed[outcome.name] = outcome.error
            with whole_file(self.path / "failed.json") as temporary:
                temporary.write_text(json.dumps(self._failed, indent=1))

    def _read_index(self) -> dict[str, Any]:
        try:
            content = json.loads(self._index.read_text())
            if isinstance(content["model"], str) and isinstance(content["videos"], dict):
                return content
        except (ValueError, KeyError, TypeError):
            pass
        raise ValueError(f"{self._index} is no index of results: remove it to begin anew")


def result_path(folder: str | os.PathLike, name: str) -> Path:
    """Of the video called ``name``."""
    return Path(folder) / f"{name}.json"


def fingerprint(cfg: CfgNode) -> str:
    """Of what decides the results: network, input, classes, and the bytes of the weights.

    Raises:
        FileNotFoundError: there are no such weights.
    """
    cfg = cfg.clone()
    cfg.defrost()
    cfg.MODEL.DEVICE = ""
    weights, cfg.MODEL.WEIGHTS = cfg.MODEL.WEIGHTS, ""
    what = [
        cfg.MODEL.dump(),
        cfg.INPUT.dump(),
        str(cfg.DATASETS.TEST),
        str(cfg.SOLVER.EMA.EVALUATE),
    ]
    digest = hashlib.sha256("\n".join(what).encode())
    if weights:
        if not PathManager.isfile(weights):
            raise FileNotFoundError(f"MODEL.WEIGHTS is {weights!r}: no such file")
        with open_regular(PathManager.get_local_path(weights)) as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


class VideoTracker:
    """Tracks one video after the other with one model and writes their results.

    Args:
        cfg: of the model.
        folder: of the results.
    """

    def __init__(self, cfg: CfgNode, folder: str | os.PathLike) -> None:
        self._predictor = OnlinePredictor(cfg)
        self._folder = Path(folder)
        metadata = self._predictor.metadata
        if metadata is None:
            raise ValueError(
                "the classes have no names: neither DATASETS.TEST names a data set whose json is "
                f"there, nor does {cfg.MODEL.WEIGHTS or 'MODEL.WEIGHTS'} have them"
            )
        self._labels_per_track = cfg.MODEL.RCF.TEST.LABELS_PER_TRACK
        self._dataset_ids = {
            index: number for number, index in metadata.thing_dataset_id_to_contiguous_id.items()
        }

    def __call__(self, job: VideoJob) -> Outcome:
        """Track a video; its result file, entries in the YouTube-VIS form, is whole or not there.

        What goes wrong with one video must not end the others: it is logged and in the outcome.
        """
        tracks = TrackAccumulator(video_id=job.video_id)
        try:
            self._predictor.reset()
            frames = open_frames(job.source)
            audio = open_audio(frames) if self._predictor.model.audio is not None else None
            sound = None if audio is None else VideoSound(audio)
            for frame in frames.timed():
                given = {} if sound is None else sound.of(frame)
                tracks.add(self._predictor(frame.image, **given))
            results = tracks.results(self._dataset_ids, self._labels_per_track)
            with whole_file(result_path(self._folder, job.name)) as temporary:
                temporary.write_text(json.dumps(results))
        except (OSError, ValueError) as error:  # of the file
            reason = str(error)
            logger.error("%s failed after %d frames: %s", job.source, len(tracks), reason)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            logger.exception("%s failed after %d frames", job.source, len(tracks))
        else:
            return Outcome(job.name, len(tracks))
        return Outcome(job.name, len(tracks), error=reason)


def track_here(
    cfg: CfgNode, jobs: Sequence[VideoJob], folder: str | os.PathLike
) -> Iterator[Outcome]:
    """Track the videos one after the other in this process."""
    tracker = VideoTracker(cfg, folder)
    for job in jobs:
        yield tracker(job)
