"""Instances for the library ``supervision``: its annotators, zones, counters and trackers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from detectron2.structures import Instances

if TYPE_CHECKING:
    import supervision

__all__ = ["to_supervision"]


def to_supervision(
    instances: Instances, class_names: Sequence[str] | None = None
) -> supervision.Detections:
    """The instances of a frame as ``supervision.Detections``.

    Args:
        instances: of :class:`~rcf_vis.inference.OnlinePredictor`.
        class_names: of the model, such as ``predictor.metadata.thing_classes``; they go to
            ``detections["class_name"]``.

    Returns:
        n detections: ``xyxy`` (n, 4) float32, ``mask`` (n, H, W) bool, ``confidence`` (n,) float32,
        ``class_id`` (n,) and ``tracker_id`` (n,) int64. Masks share the memory of the instances.

    Raises:
        ModuleNotFoundError: it is not installed (``pip install 'rcf_vis[supervision]'``).

    Example::

        detections = rcf_vis.to_supervision(predictor(frame), predictor.metadata.thing_classes)
        frame = supervision.MaskAnnotator().annotate(frame, detections)
    """
    from supervision import Detections

    instances = instances.to("cpu")
    classes = instances.pred_classes.numpy()
    data = {}
    if class_names is not None:
        data["class_name"] = np.array([class_names[c] for c in classes.tolist()], dtype=str)
    return Detections(
        xyxy=instances.pred_boxes.tensor.numpy().astype(np.float32),
        mask=instances.pred_masks.numpy(),
        confidence=instances.scores.numpy(),
        class_id=classes,
        tracker_id=instances.track_ids.numpy(),
        data=data,
    )
