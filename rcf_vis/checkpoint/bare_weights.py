"""The weights of a training checkpoint, without what only the training needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

__all__ = ["read_bare_weights"]


def read_bare_weights(checkpoint: Path, *, ema: bool = False) -> dict[str, Any]:
    """Read ``{"model": weights}``, and ``class_names`` where the checkpoint has them.

    Args:
        checkpoint: of Detectron2's trainer.
        ema: take the averaged weights (``SOLVER.EMA``) instead of the last ones.

    Raises:
        KeyError: the file is no checkpoint of Detectron2's trainer, or has no averaged weights.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    key = "ema" if ema else "model"
    if key not in content:
        raise KeyError(f"{checkpoint}: expected the key {key!r}, it has {sorted(content)}")
    kept = {"model": content[key]}
    if "class_names" in content:
        kept["class_names"] = content["class_names"]
    return kept
