"""Frames from video files (PyAV), folders, globs and lists of images, read one at a time.

Frames are ``(H, W, 3)`` uint8 arrays in BGR order, as Detectron2's predictors expect them.
"""

import glob
import logging
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from rcf_vis.data.images import read_image
from rcf_vis.errors import DatasetError

__all__ = ["FrameSource", "ImageSequence", "VideoFile", "is_image", "open_frames"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
PathLike = str | os.PathLike

logger = logging.getLogger(__name__)


class FrameSource(ABC):
    """The frames of one video, read one by one; it can be iterated again from the start.

    Attributes:
        name: the path or pattern it was opened by.
        width, height: size of every frame, in pixels, after rotation.
        frame_rate: frames a second, or None where the source has none (images).
        num_frames: number of frames (for a video file an estimate), or None.
    """

    name: str
    width: int
    height: int
    frame_rate: Fraction | None
    num_frames: int | None

    @abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield ``(height, width, 3)`` uint8 BGR frames; none is kept here after it is yielded.

        Raises:
            ValueError: a frame is broken or of another size than the first; it is named.
        """

    def _check_size(self, frame: np.ndarray, what: str) -> np.ndarray:
        if frame.shape[:2] != (self.height, self.width):
            raise ValueError(
                f"{what} is {frame.shape[1]}x{frame.shape[0]} pixels, but the first frame of "
                f"{self.name} is {self.width}x{self.height}: all must have the same size"
            )
        return frame


class VideoFile(FrameSource):
    """The first video stream of a file, turned upright when its metadata says it is rotated."""

    def __init__(self, path: PathLike):
        self.name = str(path)
        with self._open() as container:
            stream = container.streams.video[0]
            first = self._next(container.decode(video=0), 0)
            if first is None:
                raise ValueError(f"{self.name}: the video stream has no frame that can be decoded")
            self.height, self.width = first.shape[:2]
            rate = stream.average_rate or stream.guessed_rate
            self.frame_rate = Fraction(rate.numerator, rate.denominator) if rate else None
            self.num_frames = stream.frames or self._estimate_length(container)

    def __iter__(self) -> Iterator[np.ndarray]:
        with self._open() as container:
            frames = container.decode(video=0)
            index = 0
            while (frame := self._next(frames, index)) is not None:
                yield self._check_size(frame, f"frame {index} of {self.name}")
                del frame  # or it would live on while the next one is decoded
                index += 1
        if index < 0.9 * (self.num_frames or 0):
            logger.warning(
                "%s ends after %d of about %d frames: it may be cut off.",
                *(self.name, index, self.num_frames),
            )

    def _open(self) -> "av.container.InputContainer":
        try:
            container = av.open(self.name)
        except av.FFmpegError as error:
            raise ValueError(
                f"{self.name} is not a video that can be read: {error.strerror}"
            ) from error
        if not container.streams.video or container.format.name == "tty":  # tty: any text file
            container.close()
            raise ValueError(f"{self.name} has no video stream")
        return container

    def _next(self, frames: Iterator["av.VideoFrame"], index: int) -> np.ndarray | None:
        try:
            frame = next(frames, None)
        except av.FFmpegError as error:
            raise ValueError(
                f"frame {index} of {self.name} cannot be decoded: {error.strerror}"
            ) from error
        if frame is None:
            return None
        if frame.is_corrupt:
            logger.warning("Frame %d of %s is damaged.", index, self.name)
        return _upright(frame)

    def _estimate_length(self, container: "av.container.InputContainer") -> int | None:
        if container.duration is None or not self.frame_rate:
            return None
        return max(1, round(self.frame_rate * container.duration / av.time_base))


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

    def __iter__(self) -> Iterator[np.ndarray]:
        for path in self.paths:
            yield self._check_size(_read_image(path), path)


def open_frames(source: PathLike | Sequence[PathLike]) -> FrameSource:
    """Open a video file, a folder of images, a glob pattern, or a list of image files.

    The images of a folder or glob are taken in natural order (``2.jpg`` before ``10.jpg``), those
    of a list in the order of the list.

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
        return VideoFile(path)
    files = list(path.iterdir()) if path.is_dir() else [Path(f) for f in glob.glob(str(source))]
    images = [file for file in files if is_image(file)]
    if images:
        return ImageSequence(sorted(images, key=_natural_key), name=str(source))
    if len(files) == 1 and not path.is_dir():
        return open_frames(files[0])  # a pattern that matches one video or one folder
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
