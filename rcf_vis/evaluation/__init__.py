"""Evaluation: from frames of instances to tracks, results, and their figures.

Knows no network: it takes Detectron2 ``Instances`` or files in the YouTube-VIS format. What is
imported from here is loaded when it is first used: scoring files does without :mod:`torch`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .average_precision import evaluate_ytvis
    from .identity_metrics import evaluate_identity
    from .submission_check import write_submission
    from .track_accumulator import TrackAccumulator
    from .ytvis_evaluation import YTVISEvaluator

__all__ = [
    "TrackAccumulator",
    "YTVISEvaluator",
    "evaluate_identity",
    "evaluate_ytvis",
    "write_submission",
]

_MODULES = {
    "TrackAccumulator": "track_accumulator",
    "YTVISEvaluator": "ytvis_evaluation",
    "evaluate_identity": "identity_metrics",
    "evaluate_ytvis": "average_precision",
    "write_submission": "submission_check",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
