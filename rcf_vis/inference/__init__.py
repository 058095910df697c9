"""Running RCF on videos."""

from .predictor import OnlinePredictor

__all__ = ["OnlinePredictor"]
