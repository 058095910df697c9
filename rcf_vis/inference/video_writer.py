"""Frames into a video of exact times or a folder of images: all, or what is named as a part."""

import logging
import os
import shutil
from abc import ABC, abstractmethod
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from rcf_vis.files import file_url, partial_path

from .audio_encoder import AudioEncoder
from .video_io import PathLike, is_image

__all__ = ["ImageFolderWriter", "VideoWriter", "open_writer"]

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
# swscale's SWS_BILINEAR and SWS_ACCURATE_RND: without the second, grey comes out tinted
_CONVERSION = 0x00002 | 0x40000

logger = logging.getLogger(__name__)


class _FrameWriter(ABC):
    """Context manager that takes frames of one size and leaves all of them, or nothing.

    With ``keep_partial`` an exception leaves what there is, under :func:`partial_path`.
    """

    def __init__(self, path: PathLike, *, keep_partial: bool = False):
        self.path = Path(path)
        self._keep_partial = keep_partial
        self.num_frames = 0
        self._size: tuple[int, int] | None = None

    def __enter__(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, exc_type, exc_value, traceback) -> None:
        try:
            if exc_type is None:
                if self.num_frames == 0:
                    raise ValueError(f"no frame was written to {self.path}")
                self._finish(self.path)
            elif self._keep_partial and self.num_frames:
                self._finish(partial_path(self.path))
                logger.warning(
                    "The first %d frames are in %s", self.num_frames, partial_path(self.path)
                )
        finally:
            self._clean_up()

    def write(self, frame: np.ndarray, shown: tuple[Fraction, Fraction] | None = None) -> None:
        """Append one ``(H, W, 3)`` uint8 BGR frame.

        Args:
            shown: from when to when, seconds since the first frame; in a video with a time base.

        Raises:
            ValueError: it is no such array, or of another size than the first one.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"expected (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
        self._size = self._size or frame.shape[:2]
        if frame.shape[:2] != self._size:
            raise ValueError(f"{self.path}: frame of size {frame.shape[:2]} after {self._size}")
        self._append(frame, shown)
        self.num_frames += 1

    @abstractmethod
    def _append(self, frame: np.ndarray, shown: tuple[Fraction, Fraction] | None) -> None: ...

    @abstractmethod
    def _finish(self, path: Path) -> None:
        """Complete the output and give it its name."""

    @abstractmethod
    def _clean_up(self) -> None:
        """Remove what is unfinished; called in any case."""


class VideoWriter(_FrameWriter):
    """Write an H.264 video (MPEG-4 where PyAV lacks x264), yuv420p, at an exact frame rate.

    A frame of odd width or height is padded by one pixel at the right or bottom, as yuv420p needs.
    The file appears under its name when the ``with`` block ends; if it ends by an exception,
    nothing is left (and a file that was there before stays), or with ``keep_partial`` the frames so
    far as ``NAME.partial.mp4``.

    Args:
        frame_rate: frames a second.
        time_base: a unit of time, in seconds, of which the frames' own times are multiples: each
            frame is then written with its time. None: at the frame rate, one after the other.
        sample_rate: of the audio, samples a second; None: the video has no audio track.

    Example::

        with VideoWriter("out.mp4", frame_rate=Fraction(30000, 1001)) as writer:
            writer.write(frame)
    """

    def __init__(
        self,
        path: PathLike,
        *,
        frame_rate: Fraction | float,
        sample_rate: int | None = None,
        time_base: Fraction | None = None,
        keep_partial: bool = False,
    ):
        super().__init__(path, keep_partial=keep_partial)
        if frame_rate <= 0:
            raise ValueError(f"frame rate must be positive, got {frame_rate}")
        self.frame_rate = Fraction(frame_rate).limit_denominator(65535)
        self._time_base = time_base
        self._last_pts = -1
        self._temporary = self.path.with_name(
            f".{self.path.stem}.partial-{os.getpid()}{self.path.suffix}"
        )
        self._container = None
        self._stream = None
        self._audio = None if sample_rate is None else AudioEncoder(sample_rate)

    def write_audio(self, samples: np.ndarray) -> None:
        """Append samples ``(channels, n)``, floats in [−1, 1]; after the first frame.

        Raises:
            ValueError: the video has no audio track, or no frame yet.
        """
        if self._audio is None or self._container is None:
            raise ValueError(f"{self.path}: audio needs a sample rate, and a frame before it")
        self._audio.write(samples)

    def _append(self, frame: np.ndarray, shown: tuple[Fraction, Fraction] | None) -> None:
        height, width = frame.shape[:2]
        frame = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        if self._container is None:
            self._open(*frame.shape[:2])
        picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
        picture = picture.reformat(format="yuv420p", interpolation=_CONVERSION)
        picture.time_base = self._time_base or 1 / self.frame_rate
        picture.pts = self.num_frames
        if self._time_base is not None:
            start, end = (round(time / self._time_base) for time in shown)
            picture.pts = self._last_pts = max(start, self._last_pts + 1)
            picture.duration = max(end - picture.pts, 1)
        self._container.mux(self._stream.encode(picture))

    def _open(self, height: int, width: int) -> None:
        self._container = av.open(file_url(self._temporary), "w")
        if "libx264" in av.codecs_available:
            codec, options = "libx264", {"crf": "18", "preset": "veryfast"}
        else:
            codec, options = "mpeg4", {"qscale": "3"}
        self._stream = self._container.add_stream(codec, rate=self.frame_rate, options=options)
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        if self._time_base is not None:
            self._stream.codec_context.time_base = self._time_base
        if self._audio is not None:
            self._audio.open(self._container)

    def _finish(self, path: Path) -> None:
        if self._audio is not None:
            self._audio.finish()
        self._container.mux(self._stream.encode(None))
        self._container.close()
        os.replace(self._temporary, path)

    def _clean_up(self) -> None:
        try:
            if self._container is not None:
                self._container.close()
        finally:
            self._temporary.unlink(missing_ok=True)


class ImageFolderWriter(_FrameWriter):
    """Write frames as ``00000.jpg``, ``00001.jpg``, … into a folder, at the end of the block.

    Raises:
        FileExistsError: the folder already holds images, which would be mixed with the new ones.
    """

    def __enter__(self):
        if self.path.is_dir() and any(is_image(file) for file in self.path.iterdir()):
            raise FileExistsError(f"the output folder {self.path} already holds images")
        super().__enter__()
        self._temporary = self.path.with_name(f".{self.path.name}.partial-{os.getpid()}")
        self._temporary.mkdir()
        return self

    def _append(self, frame: np.ndarray, shown: tuple[Fraction, Fraction] | None) -> None:
        file = self._temporary / f"{self.num_frames:05d}.jpg"
        if not cv2.imwrite(str(file), frame, [cv2.IMWRITE_JPEG_QUALITY, 95]):
            raise OSError(f"cannot write {file}")

    def _finish(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        for file in sorted(self._temporary.iterdir()):
            os.replace(file, path / file.name)

    def _clean_up(self) -> None:
        shutil.rmtree(self._temporary, ignore_errors=True)


def open_writer(
    path: PathLike,
    *,
    frame_rate: Fraction | float,
    sample_rate: int | None = None,
    time_base: Fraction | None = None,
    keep_partial: bool = False,
) -> VideoWriter | ImageFolderWriter:
    """A :class:`VideoWriter` for the suffix of a video, an :class:`ImageFolderWriter` for none.

    ``sample_rate`` and ``time_base`` are of a video; images have none.

    Raises:
        ValueError: the suffix is of another kind of file.
    """
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return VideoWriter(
            path,
            frame_rate=frame_rate,
            sample_rate=sample_rate,
            time_base=time_base,
            keep_partial=keep_partial,
        )
    if suffix and not Path(path).is_dir():
        raise ValueError(
            f"cannot write {path}: expected {', '.join(VIDEO_SUFFIXES)} or a folder (no suffix)"
        )
    return ImageFolderWriter(path, keep_partial=keep_partial)
