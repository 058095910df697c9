"""The frames and the audio of one video, checked, as the network takes them."""

from __future__ import annotations

import numpy as np
from detectron2.config import CfgNode
from torch import Tensor

from rcf_vis.audio import AudioStream
from rcf_vis.data.augmentation import build_test_augmentation
from rcf_vis.modeling import RCF

from .frame_input import frame_input

__all__ = ["VideoInput"]


class VideoInput:
    """What one video sends to the network; a new one is a new video.

    Args:
        cfg: ``INPUT.MIN_SIZE_TEST``, ``MAX_SIZE_TEST`` and ``FORMAT``.
        model: that takes it.

    Raises:
        ValueError: ``INPUT.FORMAT`` is neither "RGB" nor "BGR".
    """

    def __init__(self, cfg: CfgNode, model: RCF) -> None:
        if cfg.INPUT.FORMAT not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT is {cfg.INPUT.FORMAT!r}, expected 'RGB' or 'BGR'")
        self._format = cfg.INPUT.FORMAT
        self._resize = build_test_augmentation(cfg)
        self._model = model
        self._frame_shape: tuple[int, ...] | None = None
        self._audio: AudioStream | None = None

    def next(
        self, frame: np.ndarray, audio: np.ndarray | Tensor | None, sample_rate: int | None
    ) -> tuple[Tensor, Tensor | None]:
        """The next frame, ``(3, h, w)``, and its log-mel patch ``(η, 64)``; None without audio.

        Args:
            frame, audio, sample_rate: as :meth:`rcf_vis.OnlinePredictor.__call__` takes them.

        Raises:
            ValueError: they are not as asked for there. The video can go on with another frame.
        """
        self._check(frame)
        patch = None if audio is None else self._listen(audio, sample_rate)
        self._frame_shape = frame.shape
        image = frame_input(
            frame, self._resize, image_format=self._format, device=self._model.device
        )
        return image, patch

    def _listen(self, audio: np.ndarray | Tensor, sample_rate: int | None) -> Tensor:
        """The log-mel patch (η, 64) up to now."""
        if self._model.audio is None:
            raise ValueError("audio for a model without audio: MODEL.RCF.AUDIO.ENABLED is False")
        if sample_rate is None:
            raise ValueError("audio needs its sample_rate, samples a second")
        if self._audio is None:
            self._audio = AudioStream(sample_rate, self._model.audio.patch_frames)
        if sample_rate != self._audio.sample_rate:
            raise ValueError(
                f"audio of {sample_rate} samples a second follows audio of "
                f"{self._audio.sample_rate}; call reset() before a new video"
            )
        return self._audio.push(audio)

    def _check(self, frame: np.ndarray) -> None:
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            found = f"{type(frame).__name__} of {getattr(frame, 'dtype', 'no dtype')}"
            raise ValueError(f"a frame must be an array of uint8, got {found}")
        if frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise ValueError(f"a frame must have the shape (H, W, 3), got {frame.shape}")
        if self._frame_shape not in (None, frame.shape):
            raise ValueError(
                f"a frame of shape {frame.shape} follows frames of shape {self._frame_shape}; "
                "call reset() before a new video"
            )
