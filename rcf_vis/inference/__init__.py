"""Running RCF on videos."""

from .predictor import OnlinePredictor
from .supervision import to_supervision

__all__ = ["OnlinePredictor", "to_supervision"]
