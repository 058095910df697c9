"""Run a predictor over videos and keep what the paper's figures are made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

import numpy as np
import torch
from detectron2.structures import Instances
from torch import Tensor

from rcf_vis import OnlinePredictor
from rcf_vis.audio import AudioFile, NoAudioTrack, split_by_frames
from rcf_vis.data import read_frame
from rcf_vis.data.ground_truth import decode_masks, objects_of
from rcf_vis.inference.video_io import FrameSource, VideoFile

from .recorder import StepRecord, StepRecorder

__all__ = ["ExplainedFrame", "VideoSource", "explain_frames", "video_of_frames", "video_of_record"]


@dataclass(frozen=True)
class VideoSource:
    """A video to explain.

    Attributes:
        name: for files and tables.
        length: frames, where it is known; for a video file an estimate.
        frames: a call gives its frames from the start, ``(H, W, 3)`` uint8 BGR.
        truth: frame number → id → ``(H, W)`` bool; None without annotations.
        audio: a file with the audio track, and frames a second; None is silence.
    """

    name: str
    length: int | None
    frames: Callable[[], Iterable[np.ndarray]]
    truth: Callable[[int], Mapping[int, Tensor]] | None = None
    audio: tuple[str, float] | None = None

    def audio_of_frames(self) -> Iterator[dict[str, Any]]:
        """For each frame, without an end, what :class:`OnlinePredictor` takes of its audio."""
        try:
            file = None if self.audio is None else AudioFile(self.audio[0])
        except NoAudioTrack:
            file = None
        if file is None:
            return repeat({})
        rates = {"sample_rate": file.sample_rate, "frame_rate": self.audio[1]}
        pieces = split_by_frames(file, **rates)
        return ({"audio": piece, "sample_rate": file.sample_rate} for piece in pieces)

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
    audio = repeat({}) if predictor.model.audio is None else video.audio_of_frames()
    frames = islice(video.frames(), length)
    with StepRecorder(predictor.model) as recorder:
        for number, (picture, given) in enumerate(zip(frames, audio, strict=False)):
            recorder.attention = number in attention
            instances = predictor(picture, **given)
            yield ExplainedFrame(number, picture, instances, recorder.take())


def video_of_frames(frames: FrameSource, name: str) -> VideoSource:
    """A file or a folder of images, which has no annotations."""
    audio = None
    if isinstance(frames, VideoFile) and frames.frame_rate:
        audio = (frames.name, float(frames.frame_rate))
    return VideoSource(name, frames.num_frames, lambda: frames, audio=audio)


def video_of_record(record: dict[str, Any]) -> VideoSource:
    """A video of a data set (see :func:`~rcf_vis.data.load_ytvis_json`)."""
    size = {key: record[key] for key in ("height", "width")}

    def frames() -> Iterator[np.ndarray]:
        for name in record["file_names"]:
            yield read_frame(name, image_format="BGR", video_id=record["video_id"], **size)

    def truth(number: int) -> dict[int, Tensor]:
        objects = objects_of(record, number)
        shown = zip(objects, decode_masks(record, number, objects), strict=True)
        return {item["id"]: torch.from_numpy(mask.astype(bool)) for item, mask in shown}

    file = record.get("audio_file")
    return VideoSource(
        str(record["video_id"]),
        record["length"],
        frames,
        truth if "annotations" in record else None,
        None if file is None else (file, record["frame_rate"]),
    )
