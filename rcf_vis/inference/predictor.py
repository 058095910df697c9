"""One video, frame by frame, from arrays to instances."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.structures import Instances
from torch import Tensor

from rcf_vis.modeling import OnlineState

from .loading import load_model
from .one_at_a_time import OneAtATime
from .video_input import VideoInput

__all__ = ["OnlinePredictor"]


class OnlinePredictor:
    """Segment, classify and track the objects of a live video.

    Like Detectron2's ``DefaultPredictor``: built from a cfg, loads ``MODEL.WEIGHTS``, takes BGR
    arrays and resizes them to ``INPUT.MIN_SIZE_TEST`` / ``MAX_SIZE_TEST``. Unlike it, what came
    before matters: call it with the frames of one video in order, and :meth:`reset` between
    videos. Several videos at once: :class:`~rcf_vis.StreamPool`.

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
        self.model, self.metadata = load_model(self.cfg, precision=precision, compile=compile)
        self._alone = OneAtATime(
            "a predictor has the past of one video; give each video a predictor of its own, or all "
            "of them one StreamPool"
        )
        self.reset()

    def reset(self) -> None:
        """Forget the video: the next frame is the first of a new one."""
        self._state = OnlineState()
        self._input = VideoInput(self.cfg, self.model)

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
            RuntimeError: another thread's call has not come back yet.
        """
        with self._alone():
            image, patch = self._input.next(frame, audio, sample_rate)
            instances, self._state = self.model.track(image, self._state, frame.shape[:2], patch)
            return instances
