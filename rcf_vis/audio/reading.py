"""Audio from files by PyAV: wav and its like, and the audio tracks of video files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rcf_vis.files import file_url
from rcf_vis.foreign_files import check_regular
from rcf_vis.limits import check_limit

from .samples import normalize

if TYPE_CHECKING:  # it is imported where a file is opened: with rcf_vis it would take too long
    import av

__all__ = ["AudioFile", "NoAudioTrack", "read_audio"]


class NoAudioTrack(ValueError):
    """The file can be read, but there is no audio track in it, as in many video files."""


class AudioFile:
    """The first audio track of a file, decoded piece by piece; it can be iterated again.

    Time 0 is that of the first picture where the file is a video: a track that begins later starts
    with silence, one that begins earlier is cut.

    Args:
        path: of a wav or any other file that FFmpeg knows.

    Attributes:
        name: the path.
        sample_rate: samples a second.
        num_channels: 1 for mono.

    Raises:
        FileNotFoundError: there is no such file.
        NoAudioTrack: it has no audio track.
        ValueError: it cannot be read, or its sample rate is no positive number.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.name = str(path)
        with self._open() as container:
            stream = container.streams.audio[0]
            self.sample_rate = stream.codec_context.sample_rate or 0
            self.num_channels = stream.codec_context.layout.nb_channels
            self._seconds = float((stream.duration or 0) * (stream.time_base or 0))
        if self.sample_rate <= 0 or self.num_channels <= 0:
            raise ValueError(
                f"{self.name}: audio of {self.num_channels} channels at {self.sample_rate} "
                "samples a second; expected at least one of each"
            )

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield pieces ``(channels, n)`` float32, nominally in [−1, 1], as the file has them.

        Raises:
            ValueError: a piece cannot be decoded, or the file changes its format on the way.
        """
        with self._open() as container:
            to_skip = None
            for frame in self._decode(container):
                piece = _to_array(frame)
                if to_skip is None:
                    lead = self._lead(container, frame)
                    to_skip = max(0, -lead)
                    if lead > 0:
                        yield np.zeros((len(piece), lead), dtype=np.float32)
                skipped = min(to_skip, piece.shape[1])
                to_skip -= skipped
                yield piece[:, skipped:]

    def _open(self) -> av.container.InputContainer:
        import av

        try:
            container = av.open(file_url(self.name))
        except FileNotFoundError as error:
            raise FileNotFoundError(f"no such audio file: {self.name}") from error
        except (av.FFmpegError, ValueError) as error:
            raise ValueError(
                f"{self.name} is not an audio track that can be read: {error}"
            ) from error
        if not container.streams.audio:
            container.close()
            raise NoAudioTrack(f"{self.name} has no audio track")
        return container

    def _decode(self, container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
        import av

        try:
            for frame in container.decode(audio=0):
                shape = (frame.layout.nb_channels, frame.sample_rate)
                if shape != (self.num_channels, self.sample_rate):
                    raise ValueError(
                        f"{self.name}: {shape[0]} channels at {shape[1]} samples a second after "
                        f"{self.num_channels} at {self.sample_rate}"
                    )
                yield frame
        except av.FFmpegError as error:
            raise ValueError(f"{self.name}: the audio cannot be decoded: {error}") from error

    def _lead(self, container: av.container.InputContainer, first: av.AudioFrame) -> int:
        """Samples between the first picture and the first audio; negative: the audio is first."""
        video = next(iter(container.streams.video), None)
        if video is None or video.start_time is None or first.time is None:
            return 0
        return round((first.time - float(video.start_time * video.time_base)) * self.sample_rate)


def read_audio(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Read a whole audio track.

    Args:
        path: of a wav, or of any other audio or video file that FFmpeg knows.

    Returns:
        The samples, ``(channels, n)`` float32, nominally in [−1, 1] (n may be 0), and the sample
        rate, samples a second.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        NoAudioTrack: the file has no audio track.
        ValueError: it cannot be read or decoded, has more samples than ``LIMITS.AUDIO_SAMPLES``, or
            a sample is not finite.

    Example:
        >>> samples, sample_rate = read_audio("street.mp4")
    """
    check_regular(path)
    file = AudioFile(path)
    number = int(file._seconds * file.sample_rate) * file.num_channels  # as its header has it
    check_limit("AUDIO_SAMPLES", number, f"{file.name}: samples of audio")
    pieces, number = [np.zeros((file.num_channels, 0), dtype=np.float32)], 0
    for piece in file:
        number += piece.size
        check_limit("AUDIO_SAMPLES", number, f"{file.name}: samples of audio, at least")
        pieces.append(piece)
    samples = np.concatenate(pieces, axis=1)
    finite = np.isfinite(samples).all(axis=0)
    if not finite.all():
        raise ValueError(
            f"{file.name}: {int((~finite).sum())} of {finite.size} samples are not finite, the "
            f"first at {int(finite.argmin()) / file.sample_rate:.3f} s"
        )
    return samples, file.sample_rate


def _to_array(frame: av.AudioFrame) -> np.ndarray:
    """``(channels, n)`` float32; PyAV gives interleaved formats as one row."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    return np.ascontiguousarray(normalize(array), dtype=np.float32)
