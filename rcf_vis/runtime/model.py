"""An exported model: one frame and the state of its video in, instances and the next state out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rcf_vis.tracking import IdentityState

from .description import KEY, ModelDescription, next_name
from .engines import ENGINES
from .instances import RuntimeInstances, decide
from .resizing import resize, resized_shape

__all__ = ["RuntimeModel", "RuntimeState"]


@dataclass(frozen=True)
class RuntimeState:
    """All that is remembered of a video; a new one is a new video.

    Attributes:
        tensors: what the graph takes and gives, by name; none before the first frame.
        identities: last fired masks and slot → identity table.
        frame_size: (height, width) of the frames; None before the first.
    """

    tensors: Mapping[str, np.ndarray] = field(default_factory=dict)
    identities: IdentityState = field(default_factory=IdentityState)
    frame_size: tuple[int, int] | None = None


class RuntimeModel:
    """A file of ``tools/export.py``, run by onnxruntime or OpenVINO on the CPU.

    It remembers nothing: one of them serves any number of videos, each with a state of its own, one
    frame at a time.

    Args:
        path: of the ``.onnx`` file.
        engine: "onnxruntime" or "openvino".
        threads: that compute; None: as many as this process may run at a time.

    Attributes:
        description: what the file says of the model, its class names among it.

    Raises:
        FileNotFoundError: there is no such file.
        ModuleNotFoundError: the engine is not installed.
        ValueError: the file is none of ``tools/export.py``, or the engine is none of these.

    Example:
        >>> model = RuntimeModel("rcf_tiny.onnx")
        >>> instances, state = model.track(frame, RuntimeState())
    """

    def __init__(
        self,
        path: str | os.PathLike,
        *,
        engine: str = "onnxruntime",
        threads: int | None = None,
    ) -> None:
        self.path = Path(path)
        if engine not in ENGINES:
            raise ValueError(f"engine is {engine!r}, expected one of {list(ENGINES)}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}, expected 1 or more")
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path}: no such file")
        self._engine = ENGINES[engine](self.path, threads or _usable_cores())
        self.description = ModelDescription.from_json(self._engine.text, str(self.path))
        self._check_graph()

    def prepare(self, frame: np.ndarray) -> np.ndarray:
        """The graph's ``image`` of a frame ``(H, W, 3)`` uint8, BGR: resized, channels first.

        Raises:
            ValueError: the array is no such frame, or of a size that the file is not for.
        """
        self._check_frame(frame)
        channels = frame if self.description.input_format == "BGR" else frame[:, :, ::-1]
        return resize(channels, self.description.input_size)

    def inputs(
        self, image: np.ndarray, state: RuntimeState, audio: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """All inputs of the graph, by name; see :meth:`step`."""
        feed = {"image": image, **self._tensors_of(state)}
        if self.description.audio_shape is not None:
            feed["audio"] = self._patch(audio)
        elif audio is not None:
            raise ValueError(f"audio for {self.path}, which is a model without sound")
        return feed

    def step(
        self, image: np.ndarray, state: RuntimeState, audio: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
        """The graph alone: what the network says of a frame.

        Args:
            image: uint8 ``(3, h, w)`` of ``description.input_size`` and ``input_format``.
            state: of its video.
            audio: as in :meth:`track`.

        Returns:
            Class logits ``(N, num_classes + 1)``, the empty class last, mask logits
            ``(N, h', w')``, and the tensors of the next state.

        Raises:
            ValueError: the state is of another model, or the audio is not such.
        """
        found = self._engine(self.inputs(image, state, audio))
        tensors = {name: found[next_name(name)] for name in self.description.state}
        return found["logits"], found["masks"], tensors

    def track(
        self, frame: np.ndarray, state: RuntimeState, audio: np.ndarray | None = None
    ) -> tuple[RuntimeInstances, RuntimeState]:
        """One frame of one video, from pixels to identities.

        Args:
            frame: ``(H, W, 3)`` uint8, BGR.
            state: of the video; ``RuntimeState()`` for its first frame.
            audio: of a model with sound: the log-mel patch up to this frame,
                ``description.audio_shape`` float32; None is silence.

        Returns:
            The instances of the slots that fired, and the state for the next frame.

        Raises:
            ValueError: the array is no such frame, or of a size that the file is not for, or not
                of the size of the frames before; or the audio is not such.
        """
        size = self._check_frame(frame, state.frame_size)
        logits, masks, tensors = self.step(self.prepare(frame), state, audio)
        instances, identities = decide(logits, masks, state.identities, size, self.description)
        return instances, RuntimeState(tensors, identities, size)

    def _check_frame(
        self, frame: np.ndarray, size_before: tuple[int, int] | None = None
    ) -> tuple[int, int]:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            found = f"{type(frame).__name__} of {getattr(frame, 'dtype', 'no dtype')}"
            raise ValueError(f"a frame must be an array of uint8, got {found}")
        if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise ValueError(f"a frame must have the shape (H, W, 3), got {frame.shape}")
        description, size = self.description, frame.shape[:2]
        if size_before not in (None, size):
            raise ValueError(
                f"a frame of {size} pixels (height, width) follows frames of {size_before}: a new "
                "size is a new video, RuntimeState()"
            )
        resized = resized_shape(*size, description.min_size, description.max_size)
        if resized != description.input_size:
            raise ValueError(
                f"a frame of {size} pixels (height, width) is resized to {resized}, but "
                f"{self.path} takes {description.input_size}: export one for this size, "
                f"tools/export.py --size {size[1]}x{size[0]}"
            )
        return size

    def _tensors_of(self, state: RuntimeState) -> Mapping[str, np.ndarray]:
        """Those of a state, which must be one of this model; zeros for a new video."""
        ports = {name: self._engine.inputs[name] for name in self.description.state}
        if not state.tensors:
            return {name: np.zeros(port.shape, port.dtype) for name, port in ports.items()}
        found = {name: tensor.shape for name, tensor in state.tensors.items()}
        expected = {name: port.shape for name, port in ports.items()}
        if found != expected:
            raise ValueError(
                f"a state of another model, with tensors {found}; {self.path} takes {expected}"
            )
        return state.tensors

    def _patch(self, audio: np.ndarray | None) -> np.ndarray:
        shape = self.description.audio_shape
        if audio is None:
            return np.full(shape, self.description.silence, dtype=np.float32)
        if audio.shape != shape:
            raise ValueError(f"an audio patch of {audio.shape}, expected {shape}")
        return audio.astype(np.float32)

    def _check_graph(self) -> None:
        """Whether the metadata are of this graph."""
        description, engine = self.description, self._engine
        inputs = {"image", *description.state} | ({"audio"} if description.audio_shape else set())
        outputs = {"logits", "masks", *map(next_name, description.state)}
        image = engine.inputs.get("image")
        size = None if image is None else image.shape[1:]
        if (inputs, outputs, size) != (
            set(engine.inputs),
            set(engine.outputs),
            description.input_size,
        ):
            raise ValueError(
                f"{self.path}: its metadata '{KEY}' are not of its graph, which takes "
                f"{sorted(engine.inputs)}, an image of {size}, and gives {sorted(engine.outputs)}; "
                f"expected {sorted(inputs)}, {description.input_size} and {sorted(outputs)}"
            )


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
