"""Frames from video files (PyAV), folders, globs and lists of images, read one at a time.

Frames are ``(H, W, 3)`` uint8 arrays in BGR order, as Detectron2's predictors expect them.
"""

import glob
import logging
import os
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.stream
import numpy as np

from rcf_vis.data.images import read_image
from rcf_vis.errors import DatasetError
from rcf_vis.files import file_url
from rcf_vis.limits import check_limit

__all__ = [
    "ON_ERROR",
    "FrameSource",
    "ImageSequence",
    "TimedFrame",
    "VideoFile",
    "is_image",
    "open_frames",
]

ON_ERROR = ("skip", "stop")

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PathLike = str | os.PathLike

logger = logging.getLogger(__name__)


class TimedFrame(NamedTuple):
    """A frame and when it is shown.

    Attributes:
        image: ``(H, W, 3)`` uint8 BGR.
        start, end: seconds since the first frame of the video; None where the source has no times.
    """

    image: np.ndarray
    start: Fraction | None = None
    end: Fraction | None = None


class FrameSource(ABC):
    """The frames of one video, read one by one; it can be iterated again from the start.

    Attributes:
        name: the path or pattern it was opened by.
        paths: of the files that are read.
        width, height: size of every frame, in pixels, after rotation.
        frame_rate: frames a second, on average; None where the source has none (images).
        num_frames: number of frames (for a video file an estimate), or None.
        time_base: of which each frame's time is a multiple, in seconds; None without times.
    """

    name: str
    paths: Sequence[str]
    width: int
    height: int
    frame_rate: Fraction | None
    num_frames: int | None
    time_base: Fraction | None = None

    @abstractmethod
    def timed(self) -> Iterator[TimedFrame]:
        """Yield the frames with their times; none is kept here after it is yielded.

        Raises:
            ValueError: a frame is broken or of another size than the first; it is named.
        """

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield ``(height, width, 3)`` uint8 BGR frames, see :meth:`timed`."""
        return (frame.image for frame in self.timed())

    def _check_size(self, frame: np.ndarray, what: str) -> np.ndarray:
        if frame.shape[:2] != (self.height, self.width):
            raise ValueError(
                f"{what} is {frame.shape[1]}x{frame.shape[0]} pixels, but the first frame of "
                f"{self.name} is {self.width}x{self.height}: all must have the same size"
            )
        return frame


class VideoFile(FrameSource):
    """The best video stream of a file, turned upright when its metadata says it is rotated.

    Args:
        path: of the file.
        on_error: "skip": a packet that cannot be decoded is left out and the video goes on, as
            players do; how many there were is logged at the end. "stop": it is an error.

    Raises:
        ValueError: it is no video, has no video stream (a cover picture is none), or no frame that
            can be decoded; or ``on_error`` is neither.
    """

    def __init__(self, path: PathLike, *, on_error: str = "skip"):
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error is {on_error!r}, expected one of {list(ON_ERROR)}")
        self.name = str(path)
        self.paths = [self.name]
        self._skip = on_error == "skip"
        with self._open() as (container, stream):
            size = stream.codec_context.width, stream.codec_context.height
            what = f"{self.name}: frames of {size[0]}x{size[1]} pixels"
            check_limit("IMAGE_PIXELS", size[0] * size[1], what)
            rate = stream.average_rate or stream.guessed_rate
            self.frame_rate = Fraction(rate.numerator, rate.denominator) if rate else None
            self.time_base = Fraction(stream.time_base)
            self.num_frames = stream.frames or self._estimate_length(container)
            first = next(self._pictures(container, stream, Counter()), None)
            if first is None:
                raise ValueError(f"{self.name}: the video stream has no frame that can be decoded")
            self.height, self.width = _upright(first).shape[:2]

    def timed(self) -> Iterator[TimedFrame]:
        found: Counter[str] = Counter()
        with self._open() as (container, stream):
            clock = _Clock(stream, self.frame_rate)
            for index, picture in enumerate(self._pictures(container, stream, found)):
                image = self._check_size(_upright(picture), f"frame {index} of {self.name}")
                start, end = clock.shown(picture)
                del picture
                yield TimedFrame(image, start, end)
                del image  # or it would live on while the next one is decoded
                found["frames"] += 1
        lost = found["packets"] - found["decoded"]
        if lost > 0 or found["mended"]:
            logger.warning(
                "%s is damaged: %d of %d packets gave no frame and were skipped, %d frames were "
                "mended by the decoder",
                *(self.name, max(lost, 0), found["packets"], found["mended"]),
            )
        if found["frames"] < 0.9 * (self.num_frames or 0):
            logger.warning(
                "%s ends after %d of about %d frames: it may be cut off.",
                *(self.name, found["frames"], self.num_frames),
            )

    @contextmanager
    def _open(self) -> Iterator[tuple["av.container.InputContainer", "av.VideoStream"]]:
        try:
            container = av.open(file_url(self.name))
        except av.FFmpegError as error:
            raise ValueError(
                f"{self.name} is not a video that can be read: {error.strerror}"
            ) from error
        with container:
            stream = _best_stream(container)
            if stream is None or container.format.name == "tty":  # tty: any text file
                raise ValueError(f"{self.name} has no video stream")
            yield container, stream

    def _pictures(
        self,
        container: "av.container.InputContainer",
        stream: "av.VideoStream",
        found: "Counter[str]",
    ) -> Iterator["av.VideoFrame"]:
        """Decoded pictures; what is damaged is counted, or the error of the video."""
        for packet in self._packets(container, stream, found):
            found["packets"] += packet.size > 0  # the last one only asks for what is held back
            try:
                pictures = packet.decode()
            except av.FFmpegError as error:
                self._damaged(error, found)
                continue
            for picture in pictures:
                found["decoded"] += 1
                found["mended"] += bool(picture.is_corrupt)
                yield picture

    def _packets(
        self,
        container: "av.container.InputContainer",
        stream: "av.VideoStream",
        found: "Counter[str]",
    ) -> Iterator["av.Packet"]:
        """Packets of the stream; after an error of the file from where it can be read again."""
        packets, failed = container.demux(stream), False
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self._damaged(error, found)
                if failed:  # twice in a row: there is no going on
                    return
                packets, failed = container.demux(stream), True
                continue
            if packet is None:
                return
            failed = False
            yield packet

    def _damaged(self, error: "av.FFmpegError", found: "Counter[str]") -> None:
        if not self._skip:
            raise ValueError(
                f"frame {found['decoded']} of {self.name} cannot be decoded: {error.strerror}"
            ) from error

    def _estimate_length(self, container: "av.container.InputContainer") -> int | None:
        if container.duration is None or not self.frame_rate:
            return None
        return max(1, round(self.frame_rate * container.duration / av.time_base))


class _Clock:
    """When pictures are shown, in seconds since the stream's start; never backwards."""

    def __init__(self, stream: "av.VideoStream", frame_rate: Fraction | None) -> None:
        self._base = Fraction(stream.time_base)
        self._origin = stream.start_time  # as that of the audio, see AudioFile
        self._usual = 1 / frame_rate if frame_rate else Fraction(0)
        self._end = Fraction(0)

    def shown(self, picture: "av.VideoFrame") -> tuple[Fraction, Fraction]:
        start = self._end
        if picture.pts is not None:
            self._origin = picture.pts if self._origin is None else self._origin
            start = max((picture.pts - self._origin) * self._base, Fraction(0))
        duration = getattr(picture, "duration", None)
        end = start + (duration * self._base if duration else self._usual)
        self._end = max(end, self._end)
        return start, self._end


def _best_stream(container: "av.container.InputContainer") -> "av.VideoStream | None":
    """FFmpeg's choice among those that are no cover pictures."""
    covers = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & covers]
    best = container.streams.best("video")
    return best if best in streams else next(iter(streams), None)


class ImageSequence(FrameSource):
    """Image files of one size as the frames of a video, in the order given.

    Raises:
        FileNotFoundError: there are no images, or the first is not there.
        ValueError: the first image is broken.
    """

    frame_rate = None

    def __init__(self, paths: Sequence[PathLike], *, name: str):
        self.name = name
        self.paths = [str(path) for path in paths]
        if not self.paths:
            raise FileNotFoundError(f"{name}: no image was given")
        self.num_frames = len(self.paths)
        self.height, self.width = _read_image(self.paths[0]).shape[:2]

    def timed(self) -> Iterator[TimedFrame]:
        for path in self.paths:
            yield TimedFrame(self._check_size(_read_image(path), path))


def open_frames(source: PathLike | Sequence[PathLike], *, on_error: str = "skip") -> FrameSource:
    """Open a video file, a folder of images, a glob pattern, or a list of image files.

    The images of a folder or glob are taken in natural order (``2.jpg`` before ``10.jpg``), those
    of a list in the order of the list.

    Args:
        on_error: what a damaged packet of a video file means, see :class:`VideoFile`.

    Raises:
        FileNotFoundError: there is nothing at ``source``, or no image in it.
        ValueError: a file that is no video, has no video stream, or is broken; a pattern that
            matches several videos.

    Example::

        frames = open_frames("street.mp4")
        print(frames.width, frames.height, frames.frame_rate)
        for frame in frames:
            instances = predictor(frame)
    """
    if not isinstance(source, (str, os.PathLike)):
        if len(source) != 1:
            return _open_image_list([str(path) for path in source])
        source = source[0]
    path = Path(source)
    if path.is_file():
        if path.suffix.lower() in IMAGE_SUFFIXES:
            return ImageSequence([path], name=str(source))
        return VideoFile(path, on_error=on_error)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{source} is a pipe or a device, expected a file or a folder")
    files = list(path.iterdir()) if path.is_dir() else [Path(f) for f in glob.glob(str(source))]
    images = [file for file in files if is_image(file)]
    if images:
        return ImageSequence(sorted(images, key=_natural_key), name=str(source))
    if len(files) == 1 and not path.is_dir():
        return open_frames(
            files[0], on_error=on_error
        )  # a pattern that matches one video or one folder
    if files and not path.is_dir():
        shown = ", ".join(map(str, sorted(files, key=_natural_key)[:3]))
        raise ValueError(
            f"{source} matches {len(files)} files or folders ({shown}{', …' * (len(files) > 3)}): "
            "expected images, or one video"
        )
    found = f"no image in the folder {source}" if path.is_dir() else f"nothing found at {source}"
    raise FileNotFoundError(
        f"{found}: expected a video file, or images ({', '.join(sorted(IMAGE_SUFFIXES))})"
    )


def is_image(path: Path) -> bool:
    """Whether the name is that of an image; hidden files (``._00000.jpg``) are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def _open_image_list(paths: Sequence[str]) -> ImageSequence:
    if not paths:
        raise FileNotFoundError("no input was given")
    for path in paths:
        if not os.path.isfile(path):
            raise FileNotFoundError(f"no such image: {path}")
        if not is_image(Path(path)):
            raise ValueError(f"{path} is not an image: several inputs must all be images")
    return ImageSequence(paths, name=f"{paths[0]} … {paths[-1]}")


def _natural_key(path: Path) -> list[str | int]:
    parts = re.split(r"(\d+)", str(path))
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def _read_image(path: str) -> np.ndarray:
    try:
        return np.ascontiguousarray(read_image(path, "BGR"))
    except DatasetError as error:
        raise ValueError(f"{path} is broken or not an image: {error}") from error


def _upright(frame: "av.VideoFrame") -> np.ndarray:
    """``(H, W, 3)`` uint8 BGR, turned by the multiple of 90 degrees that the metadata asks for."""
    image = frame.to_ndarray(format="bgr24")
    return np.ascontiguousarray(np.rot90(image, round(getattr(frame, "rotation", 0) / 90) % 4))
