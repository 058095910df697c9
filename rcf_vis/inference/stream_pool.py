"""Many videos through one model: a frame of each in one step."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from torch import Tensor

from rcf_vis.modeling import OnlineState

from .loading import load_model
from .video_input import VideoInput

__all__ = ["PoolResults", "StreamPool"]


class PoolResults(NamedTuple):
    """What a step gives.

    Attributes:
        instances: stream → those of its frame, as :class:`~rcf_vis.OnlinePredictor` gives them.
        errors: stream → what is wrong with its frame, which did not enter: the stream may go on
            with another one.
    """

    instances: dict[Hashable, Instances]
    errors: dict[Hashable, ValueError]


@dataclass
class _Stream:
    input: VideoInput
    state: OnlineState = field(default_factory=OnlineState)


class _Frame(NamedTuple):
    name: Hashable
    image: Tensor
    audio: Tensor | None
    size: tuple[int, int]


class StreamPool:
    """Segment, classify and track the objects of many live videos with one model.

    Streams join and leave at any time; a step takes a frame of as many of them as have one, and
    frames of one size go through the network together. Each stream has the identities that it would
    have alone; the numbers behind them are equal up to the rounding of larger matrices.

    Calls from several threads wait for one another.

    Args:
        cfg: with the keys of :func:`rcf_vis.add_rcf_config`.
        precision, compile: see :func:`~rcf_vis.inference.optimize_for_inference`; None: as
            ``MODEL.RCF.TEST.PRECISION`` and ``COMPILE`` say.
        max_batch: most frames that go through the network together, for the device's memory.

    Attributes:
        metadata: with ``thing_classes``, of ``DATASETS.TEST[0]`` or of the weights; None where
            neither names them.

    Example:
        >>> pool = StreamPool(cfg)
        >>> pool.join("door")
        >>> pool.join("yard")
        >>> instances, errors = pool.step({"door": frame, "yard": other_frame})
        >>> print(instances["door"].track_ids)
        >>> pool.leave("door")
    """

    def __init__(
        self,
        cfg: CfgNode,
        *,
        precision: str | None = None,
        compile: bool | None = None,
        max_batch: int = 32,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch is {max_batch}, expected 1 or more frames")
        self.cfg = cfg.clone()
        self.max_batch = max_batch
        self.model, self.metadata = load_model(self.cfg, precision=precision, compile=compile)
        self._streams: dict[Hashable, _Stream] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Number of streams."""
        return len(self._streams)

    def __contains__(self, stream: Hashable) -> bool:
        return stream in self._streams

    def join(self, stream: Hashable) -> None:
        """Begin a video.

        Raises:
            ValueError: there is such a stream.
        """
        with self._lock:
            if stream in self._streams:
                raise ValueError(f"stream {stream!r} has joined already: leave() ends its video")
            self._streams[stream] = _Stream(VideoInput(self.cfg, self.model))

    def leave(self, stream: Hashable) -> None:
        """End a video and forget it; a step that has a frame of it is waited for.

        Raises:
            ValueError: there is no such stream.
        """
        with self._lock:
            if self._streams.pop(stream, None) is None:
                raise ValueError(f"no stream {stream!r} to leave; there are {list(self._streams)}")

    @torch.no_grad()
    def step(
        self,
        frames: Mapping[Hashable, np.ndarray],
        audio: Mapping[Hashable, np.ndarray | Tensor] | None = None,
        sample_rates: Mapping[Hashable, int] | None = None,
    ) -> PoolResults:
        """The instances of the next frames.

        Args:
            frames: stream → its next frame, ``(H, W, 3)`` uint8, BGR, of one size in all of a
                video; streams without a frame wait.
            audio: stream → the samples since its last frame, of an audio-visual model, see
                :class:`~rcf_vis.OnlinePredictor`; a stream without them is silent.
            sample_rates: stream → samples a second, of those with audio.
        """
        with self._lock:
            taken, errors = self._take(frames, audio or {}, sample_rates or {})
            instances: dict[Hashable, Instances] = {}
            for batch in self._batches(taken):
                streams = [self._streams[frame.name] for frame in batch]
                results = self.model.track_each(
                    [frame.image for frame in batch],
                    [stream.state for stream in streams],
                    batch[0].size,
                    [frame.audio for frame in batch],
                )
                for frame, stream, (found, state) in zip(batch, streams, results, strict=True):
                    instances[frame.name], stream.state = found, state
            in_order = {name: instances[name] for name in frames if name in instances}
            return PoolResults(in_order, errors)

    def _take(
        self,
        frames: Mapping[Hashable, np.ndarray],
        audio: Mapping[Hashable, np.ndarray | Tensor],
        sample_rates: Mapping[Hashable, int],
    ) -> tuple[list[_Frame], dict[Hashable, ValueError]]:
        taken, errors = [], {}
        for name in [*frames, *(name for name in audio if name not in frames)]:
            try:
                if name not in self._streams:
                    raise ValueError(f"no such stream has joined; there are {list(self._streams)}")
                if name not in frames:
                    raise ValueError("audio without a frame: give it with the next frame")
                image, patch = self._streams[name].input.next(
                    frames[name], audio.get(name), sample_rates.get(name)
                )
            except ValueError as error:
                errors[name] = error
            else:
                taken.append(_Frame(name, image, patch, frames[name].shape[:2]))
        return taken, errors

    def _batches(self, frames: list[_Frame]) -> Iterator[list[_Frame]]:
        """Frames that can go through the network together."""
        groups: dict[tuple, list[_Frame]] = {}
        for frame in frames:
            has_begun = self._streams[frame.name].state.has_begun
            groups.setdefault((frame.size, has_begun), []).append(frame)
        for group in groups.values():
            for start in range(0, len(group), self.max_batch):
                yield group[start : start + self.max_batch]
