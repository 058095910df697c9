"""Running RCF on videos."""

from .optimize import optimize_for_inference
from .predictor import OnlinePredictor
from .supervision import to_supervision

__all__ = ["OnlinePredictor", "optimize_for_inference", "to_supervision"]
