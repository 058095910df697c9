"""The exponential moving average of the weights (EMA), kept beside the model that is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["ModelEMA"]


class ModelEMA:
    """A copy of a model whose weights follow it slowly: w̄ ← decay · w̄ + (1 − decay) · w.

    After the first update it equals the model, whatever was loaded into that before. Buffers, such
    as BatchNorm's running statistics, are averaged like the weights that they belong to; counters
    are copied.

    Args:
        model: what is trained, on its device and not wrapped for distributed training: processes
            with the same weights have the same average.
        decay: the share of the average that stays at an update, 0 ≤ decay < 1.

    Example:
        >>> ema = ModelEMA(model, decay=0.999)
        >>> for batch in loader:
        ...     train_step(model, batch)
        ...     ema.update()
        >>> evaluate(ema.model)
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"SOLVER.EMA.DECAY is {decay}, expected 0 <= DECAY < 1")
        self._source = model
        self._averaged = AveragedModel(
            model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True
        )
        self._averaged.requires_grad_(False)

    @property
    def model(self) -> nn.Module:
        """The model with the averaged weights."""
        return self._averaged.module

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now; to be called after each optimizer step."""
        self._averaged.update_parameters(self._source)
        for average, current in zip(self.model.buffers(), self._source.buffers(), strict=True):
            if not current.is_floating_point():
                average.copy_(current)

    def state_dict(self) -> dict[str, Tensor]:
        """The averaged weights under the names that they have in the model."""
        return self.model.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from the averaged weights of a checkpoint."""
        self.model.load_state_dict(state)
        self._averaged.n_averaged.fill_(1)  # 0 would copy the model at the next update
