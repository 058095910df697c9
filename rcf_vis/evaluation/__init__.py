"""Evaluation: from frames of instances to tracks, results, and their figures.

Knows no network: it takes Detectron2 ``Instances`` or files in the YouTube-VIS format.
"""

from .average_precision import evaluate_ytvis
from .event_metrics import evaluate_events
from .identity_metrics import evaluate_identity
from .region_similarity import evaluate_regions
from .submission_check import write_submission
from .track_accumulator import TrackAccumulator
from .ytvis_evaluation import YTVISEvaluator

__all__ = [
    "TrackAccumulator",
    "YTVISEvaluator",
    "evaluate_events",
    "evaluate_identity",
    "evaluate_regions",
    "evaluate_ytvis",
    "write_submission",
]
