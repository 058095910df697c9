"""The audio of a video, frame by frame, as an audio-visual model takes it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np

from rcf_vis.audio import AudioFile, GrowingTrack, NoAudioTrack, samples_before

from .video_io import FrameSource, TimedFrame, VideoFile

__all__ = ["VideoSound", "open_audio"]

logger = logging.getLogger(__name__)


def open_audio(frames: FrameSource) -> AudioFile | None:
    """The audio track of a video file; None, which is logged, where there is none."""
    if isinstance(frames, VideoFile):
        try:
            return AudioFile(frames.name)
        except NoAudioTrack:
            pass
    logger.warning("%s has no audio track: the model gets silence", frames.name)
    return None


class VideoSound:
    """The samples of each frame by its time; a track that breaks off goes on as silence.

    Args:
        audio: the track.
    """

    def __init__(self, audio: AudioFile) -> None:
        self._sample_rate = audio.sample_rate
        self._track = GrowingTrack(_decoded(audio))

    def of(self, frame: TimedFrame) -> dict[str, Any]:
        """``audio`` and ``sample_rate`` of the next frame, see :class:`rcf_vis.OnlinePredictor`."""
        samples = self._track.up_to(samples_before(frame.end, self._sample_rate))
        return {"audio": samples, "sample_rate": self._sample_rate}


def _decoded(audio: AudioFile) -> Iterator[np.ndarray]:
    try:
        yield from audio
    except ValueError as error:
        logger.warning("%s; from there on the model gets silence", error)
