"""What the LazyConfigs call and Detectron2 has only for yaml configs."""

from __future__ import annotations

from typing import Any

from detectron2.data import DatasetCatalog
from fvcore.common.param_scheduler import ParamScheduler

__all__ = ["WarmupPolyMultiplier", "load_dataset"]


class WarmupPolyMultiplier(ParamScheduler):
    """The factor on all learning rates of Detectron2's ``WarmupPolyLR``, as a ``lr_multiplier``.

    (1 − t)^power, and while iteration < warmup_iters times a factor that rises linearly from
    ``warmup_factor`` to 1; t is the share of the training that is done.

    Args:
        max_iter: length of the training in iterations.
        power: of the decay.
        warmup_iters: length of the warm-up in iterations.
        warmup_factor: what it begins with.
    """

    def __init__(
        self, *, max_iter: int, power: float, warmup_iters: int, warmup_factor: float
    ) -> None:
        self.max_iter = max_iter
        self.power = power
        self.warmup_iters = warmup_iters
        self.warmup_factor = warmup_factor

    def __call__(self, where: float) -> float:
        """The factor after the share ``where`` of the training, 0 ≤ where ≤ 1."""
        decay = (1 - where) ** self.power
        done = where * self.max_iter / self.warmup_iters if self.warmup_iters else 1.0
        return decay * (self.warmup_factor * (1 - done) + done if done < 1 else 1.0)


def load_dataset(name: str) -> list[dict[str, Any]]:
    """The records of a registered data set, with or without annotations.

    A function of its own, because a LazyConfig saves what it calls by name, and a method of the
    catalogue's one instance cannot be found again by its name.
    """
    return DatasetCatalog.get(name)
