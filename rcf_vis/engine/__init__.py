"""Training of RCF with Detectron2's loop."""

from .checkpoint import RCFCheckpointer
from .optimizer import FullModelClippingAdamW, build_optimizer, parameter_groups
from .trainer import Trainer

__all__ = [
    "FullModelClippingAdamW",
    "RCFCheckpointer",
    "Trainer",
    "build_optimizer",
    "parameter_groups",
]
