"""Exported models in a Python without PyTorch and Detectron2: numpy and onnxruntime alone."""

from .description import ModelDescription
from .instances import RuntimeInstances
from .model import RuntimeModel, RuntimeState
from .predictor import RuntimePredictor

__all__ = [
    "ModelDescription",
    "RuntimeInstances",
    "RuntimeModel",
    "RuntimePredictor",
    "RuntimeState",
]
