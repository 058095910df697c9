"""One video, frame by frame, without PyTorch."""

from __future__ import annotations

import os

import numpy as np

from .instances import RuntimeInstances
from .model import RuntimeModel, RuntimeState

__all__ = ["RuntimePredictor"]


class RuntimePredictor:
    """Segment, classify and track the objects of a live video with an exported model.

    As :class:`rcf_vis.OnlinePredictor`, but of an ONNX file, with numpy and onnxruntime (or
    OpenVINO) alone. Call it with the frames of one video in order, and :meth:`reset` between
    videos.

    Args:
        model: the file, or a model that is open; other videos may go through the same one.
        engine, threads: see :class:`RuntimeModel`; of a file alone.

    Attributes:
        description: what the file says of the model, its class names among it.

    Example:
        >>> predictor = RuntimePredictor("rcf_tiny.onnx")
        >>> for frame in frames:  # H×W×3 uint8 BGR
        ...     instances = predictor(frame)
        ...     print(instances.track_ids, instances.pred_classes, instances.scores)
        >>> predictor.reset()
    """

    def __init__(
        self,
        model: str | os.PathLike | RuntimeModel,
        *,
        engine: str = "onnxruntime",
        threads: int | None = None,
    ) -> None:
        if not isinstance(model, RuntimeModel):
            model = RuntimeModel(model, engine=engine, threads=threads)
        self.model = model
        self.description = model.description
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next frame is the first of a new one."""
        self._state = RuntimeState()

    def __call__(self, frame: np.ndarray, audio: np.ndarray | None = None) -> RuntimeInstances:
        """The instances of the next frame; see :meth:`RuntimeModel.track`."""
        instances, self._state = self.model.track(frame, self._state, audio)
        return instances
