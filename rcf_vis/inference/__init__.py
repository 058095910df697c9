"""Running RCF on videos."""

from .optimize import optimize_for_inference
from .predictor import OnlinePredictor
from .stream_pool import StreamPool
from .supervision import to_supervision

__all__ = ["OnlinePredictor", "StreamPool", "optimize_for_inference", "to_supervision"]
