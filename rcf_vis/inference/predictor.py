"""One video, frame by frame, from arrays to instances."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from detectron2.structures import Instances
from torch import Tensor

from rcf_vis.audio import AudioStream
from rcf_vis.checkpoint import RCFCheckpointer, known_class_names, load_part_weights
from rcf_vis.data.augmentation import build_test_augmentation
from rcf_vis.modeling import OnlineState

from .class_names import model_metadata
from .frame_input import frame_input
from .optimize import optimize_for_inference

__all__ = ["OnlinePredictor"]


class OnlinePredictor:
    """Segment, classify and track the objects of a live video.

    Like Detectron2's ``DefaultPredictor``: built from a cfg, loads ``MODEL.WEIGHTS``, takes BGR
    arrays and resizes them to ``INPUT.MIN_SIZE_TEST`` / ``MAX_SIZE_TEST``. Unlike it, what came
    before matters: call it with the frames of one video in order, and :meth:`reset` between
    videos.

    Args:
        cfg: with the keys of :func:`rcf_vis.add_rcf_config`.
        precision, compile: see :func:`~rcf_vis.inference.optimize_for_inference`; None: as
            ``MODEL.RCF.TEST.PRECISION`` and ``COMPILE`` say.

    Attributes:
        metadata: with ``thing_classes``, of ``DATASETS.TEST[0]`` or of the weights; None where
            neither names them.

    Example:
        >>> predictor = OnlinePredictor(cfg)
        >>> for frame in frames:  # H×W×3 uint8 BGR
        ...     instances = predictor(frame)
        ...     print(instances.track_ids, instances.pred_classes, instances.scores)
        >>> predictor.reset()

        An audio-visual model (``MODEL.RCF.AUDIO.ENABLED``) also takes the audio since then:

        >>> instances = predictor(frame, audio=samples, sample_rate=44100)
    """

    def __init__(
        self, cfg: CfgNode, *, precision: str | None = None, compile: bool | None = None
    ) -> None:
        self.cfg = cfg.clone()
        self.model = load_part_weights(build_model(self.cfg), self.cfg)
        self.model.eval()
        loaded = RCFCheckpointer(
            self.model,
            class_names=known_class_names(cfg.DATASETS.TEST),
            load_ema=cfg.SOLVER.EMA.EVALUATE,
        ).load(cfg.MODEL.WEIGHTS)
        test = cfg.MODEL.RCF.TEST
        self.model = optimize_for_inference(
            self.model,
            inplace=True,
            precision=test.PRECISION if precision is None else precision,
            compile=test.COMPILE if compile is None else compile,
        )
        self.metadata = model_metadata(cfg, loaded.get("class_names"))
        self.augmentation = build_test_augmentation(cfg)
        self.input_format = cfg.INPUT.FORMAT
        if self.input_format not in ("RGB", "BGR"):
            raise ValueError(f"INPUT.FORMAT is {self.input_format!r}, expected 'RGB' or 'BGR'")
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next frame is the first of a new one."""
        self._state = OnlineState()
        self._frame_shape: tuple[int, ...] | None = None
        self._audio: AudioStream | None = None

    @torch.no_grad()  # not inference mode, in whose tensors a user could not write
    def __call__(
        self,
        frame: np.ndarray,
        audio: np.ndarray | Tensor | None = None,
        sample_rate: int | None = None,
    ) -> Instances:
        """The instances of the next frame.

        Args:
            frame: ``(H, W, 3)`` uint8, BGR.
            audio: the samples since the last frame, ``(n,)`` or ``(channels, n)``, floats in
                [−1, 1] or integers; those that are not finite count as silence. Without them
                the frame is silent.
            sample_rate: samples a second, the same in all of a video.

        Returns:
            ``Instances`` on the CPU at the frame's size: ``pred_masks`` (bool), ``pred_boxes``,
            ``pred_classes``, ``scores``, ``class_probs``, ``track_ids``. The same object has the
            same track id in all frames of a video; classes and scores are those of this frame.

        Raises:
            ValueError: the array is not such a frame, or not of the size of the frames before; or
                the samples or their rate are not such, or the model has no audio.
        """
        self._check(frame)
        patch = None if audio is None else self._listen(audio, sample_rate)
        image = frame_input(
            frame, self.augmentation, image_format=self.input_format, device=self.model.device
        )
        instances, self._state = self.model.track(image, self._state, frame.shape[:2], patch)
        return instances

    def _listen(self, audio: np.ndarray | Tensor, sample_rate: int | None) -> Tensor:
        """The log-mel patch (η, 64) up to now."""
        if self.model.audio is None:
            raise ValueError("audio for a model without audio: MODEL.RCF.AUDIO.ENABLED is False")
        if sample_rate is None:
            raise ValueError("audio needs its sample_rate, samples a second")
        if self._audio is None:
            self._audio = AudioStream(sample_rate, self.model.audio.patch_frames)
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
        self._frame_shape = frame.shape
