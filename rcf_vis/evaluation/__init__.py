"""Evaluation: from frames of instances to tracks, results, and average precision.

Knows no network: it takes Detectron2 ``Instances`` or files in the YouTube-VIS format.
"""

from .average_precision import evaluate_ytvis
from .track_accumulator import TrackAccumulator
from .ytvis_evaluation import YTVISEvaluator

__all__ = ["TrackAccumulator", "YTVISEvaluator", "evaluate_ytvis"]
