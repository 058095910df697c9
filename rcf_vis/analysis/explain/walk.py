"""Run a predictor over videos and keep what the paper's figures are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import torch
from detectron2.structures import Instances
from torch import Tensor

from rcf_vis import OnlinePredictor
from rcf_vis.audio import AudioFile, NoAudioTrack
from rcf_vis.data import read_frame
from rcf_vis.data.ground_truth import decode_masks, objects_of
from rcf_vis.inference.video_io import FrameSource, TimedFrame, VideoFile
from rcf_vis.inference.video_sound import VideoSound

from .recorder import StepRecord, StepRecorder

__all__ = ["ExplainedFrame", "VideoSource", "explain_frames", "video_of_frames", "video_of_record"]


@dataclass(frozen=True)
class VideoSource:
    """A video to explain.

    Attributes:
        name: for files and tables.
        length: frames, where it is known; for a video file an estimate.
        frames: a call gives its frames from the start.
        truth: frame number → id → ``(H, W)`` bool; None without annotations.
        audio: a file with the audio track; None is silence.
    """

    name: str
    length: int | None
    frames: Callable[[], Iterable[TimedFrame]]
    truth: Callable[[int], Mapping[int, Tensor]] | None = None
    audio: str | None = None

    def open_audio(self) -> AudioFile | None:
        """The audio track; None where there is none."""
        try:
            return None if self.audio is None else AudioFile(self.audio)
        except NoAudioTrack:
            return None

    def spread(self, count: int) -> list[int]:
        """Numbers of up to ``count`` frames that have one before them, spread over the video."""
        last = max((self.length or count + 1) - 1, 1)
        return sorted({round(t) for t in np.linspace(1, last, min(count, last)).tolist()})


@dataclass(frozen=True)
class ExplainedFrame:
    """A frame, what was predicted, and what happened inside.

    Attributes:
        number: from 0.
        picture: ``(H, W, 3)`` uint8 BGR.
        instances: as :class:`rcf_vis.OnlinePredictor` gives them.
        step: what was recorded.
    """

    number: int
    picture: np.ndarray
    instances: Instances
    step: StepRecord

    @property
    def slots(self) -> list[int]:
        """Those that fired, ascending; one an instance."""
        return self.instances.slots.tolist()


def explain_frames(
    predictor: OnlinePredictor,
    video: VideoSource,
    attention: Collection[int] = (),
    *,
    length: int | None = None,
) -> Iterator[ExplainedFrame]:
    """Predict a video, one frame at a time, and look inside.

    Args:
        predictor: is reset first.
        video: an audio-visual model takes its audio too.
        attention: numbers of the frames whose attention is recorded.
        length: end after so many frames; default: all.
    """
    predictor.reset()
    audio = None if predictor.model.audio is None else video.open_audio()
    sound = None if audio is None else VideoSound(audio)
    with StepRecorder(predictor.model) as recorder:
        for number, frame in enumerate(islice(video.frames(), length)):
            recorder.attention = number in attention
            given = {} if sound is None else sound.of(frame)
            instances = predictor(frame.image, **given)
            yield ExplainedFrame(number, frame.image, instances, recorder.take())


def video_of_frames(frames: FrameSource, name: str) -> VideoSource:
    """A file or a folder of images, which has no annotations."""
    audio = frames.name if isinstance(frames, VideoFile) else None
    return VideoSource(name, frames.num_frames, frames.timed, audio=audio)


def video_of_record(record: dict[str, Any]) -> VideoSource:
    """A video of a data set (see :func:`~rcf_vis.data.load_ytvis_json`)."""
    size = {key: record[key] for key in ("height", "width")}

    def frames() -> Iterator[TimedFrame]:
        # Without a frame rate there is no audio either, and no time is asked for.
        seconds = 1 / Fraction(record.get("frame_rate") or 1)
        for t, name in enumerate(record["file_names"]):
            image = read_frame(name, image_format="BGR", video_id=record["video_id"], **size)
            yield TimedFrame(image, t * seconds, (t + 1) * seconds)

    def truth(number: int) -> dict[int, Tensor]:
        objects = objects_of(record, number)
        shown = zip(objects, decode_masks(record, number, objects), strict=True)
        return {item["id"]: torch.from_numpy(mask.astype(bool)) for item, mask in shown}

    return VideoSource(
        str(record["video_id"]),
        record["length"],
        frames,
        truth if "annotations" in record else None,
        record.get("audio_file"),
    )
