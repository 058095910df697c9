"""The inner loop of training: one optimizer step from one or several passes, if it is sound."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import torch
from detectron2.engine import AMPTrainer, SimpleTrainer
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

__all__ = ["AccumulatingAMPTrainer", "AccumulatingTrainer", "build_loop", "check_batch_size"]

_DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}


class AccumulatingTrainer(SimpleTrainer):
    """Splits each batch of the loader into parts that pass the network one after the other.

    An iteration is still one batch and one optimizer step, so schedule, hooks and checkpoints are
    what they are without it; only the memory shrinks to that of a part. The gradient is the mean
    over the parts: that of the joint batch where the loss is a mean over its items, as RCF's is.
    Statistics of a BatchNorm that is trained are those of a part. ``HookBase.after_backward``,
    which Detectron2 0.6 does not know, is not called.

    A step whose loss or gradient is not finite is not made.

    Args:
        model: gives a dict of losses for a list of inputs; may be distributed.
        data_loader: gives lists of inputs, of a length that ``steps`` divides.
        optimizer: steps once a batch; clips there, if at all, hence the whole gradient.
        steps: number of parts.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Iterable[list[dict]],
        optimizer: torch.optim.Optimizer,
        *,
        steps: int,
    ) -> None:
        super().__init__(model, data_loader, optimizer)
        self.steps = steps

    def run_step(self) -> None:
        """One batch, part by part, and one optimizer step.

        Raises:
            FloatingPointError: an output of the network, a loss or a gradient is not finite; says
                which and in which iteration.
        """
        try:
            self._run_step()
        except FloatingPointError as error:
            raise FloatingPointError(
                f"iteration {self.iter}: {error}. The step was not made, and the last checkpoint "
                "is of before. A lower SOLVER.BASE_LR, a longer warm-up or "
                "SOLVER.CLIP_GRADIENTS may help"
            ) from error

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As Detectron2's, but learning rate, weight decay and the like are the command's."""
        own, saved = self.optimizer.state_dict(), state_dict["optimizer"]
        if len(own["param_groups"]) == len(saved["param_groups"]):
            saved["param_groups"] = [
                {"initial_lr": mine["lr"], **mine, "params": theirs["params"]}
                for mine, theirs in zip(own["param_groups"], saved["param_groups"], strict=True)
            ]
        super().load_state_dict(state_dict)

    def _run_step(self) -> None:
        started = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time = time.perf_counter() - started
        if len(batch) % self.steps:
            raise ValueError(
                f"the loader gives a batch of {len(batch)}, which cannot be split into "
                f"{self.steps} equal parts (accumulation steps)"
            )
        size = len(batch) // self.steps
        self.optimizer.zero_grad()
        metrics: dict[str, Tensor] = defaultdict(float)
        for start in range(0, len(batch), size):
            is_last = start + size == len(batch)
            with nullcontext() if is_last else self._no_sync():
                losses = self._losses(batch[start : start + size])
                self._backward(sum(losses.values()) / self.steps)
            for name, loss in losses.items():
                metrics[name] += loss.detach() / self.steps
        self._check_losses(metrics)
        self._check_gradients()
        self._write_metrics(metrics, data_time)
        self._step()

    def _check_losses(self, losses: dict[str, Tensor]) -> None:
        # After the backward pass, which processes make together: none is left waiting.
        values = torch.stack([loss.float() for loss in losses.values()]).tolist()
        bad = {k: v for k, v in zip(losses, values, strict=True) if not math.isfinite(v)}
        if bad:
            raise FloatingPointError(f"losses are not finite: {bad}")

    def _check_gradients(self) -> None:
        named = [(k, p) for k, p in self.model.named_parameters() if p.grad is not None]
        largest = nn.utils.get_total_norm([p.grad for _, p in named], norm_type=math.inf)
        if not largest.isfinite():
            bad = [name for name, p in named if not p.grad.isfinite().all()]
            raise FloatingPointError(
                f"the gradients of {len(bad)} of {len(named)} parameters are not finite, "
                f"{bad[0]} the first of them"
            )

    def _no_sync(self):
        """Processes exchange gradients with the last part only, when they are complete."""
        distributed = isinstance(self.model, DistributedDataParallel)
        return self.model.no_sync() if distributed else nullcontext()

    def _losses(self, part: list[dict]) -> dict[str, Tensor]:
        return self.model(part)

    def _backward(self, loss: Tensor) -> None:
        loss.backward()

    def _step(self) -> None:
        self.optimizer.step()


class AccumulatingAMPTrainer(AccumulatingTrainer, AMPTrainer):
    """:class:`AccumulatingTrainer` in mixed precision, as Detectron2's ``AMPTrainer`` has it.

    Unlike that one it also runs on a CPU, where it computes in bfloat16 in any case, and it takes
    ``torch.amp``, not the deprecated ``torch.cuda.amp``.

    Args:
        precision: "fp16", with the loss scaled, or "bf16", which needs no scaling.

    Raises:
        ValueError: the precision is neither.
    """

    def __init__(
        self,
        model: nn.Module,
        data_loader: Iterable[list[dict]],
        optimizer: torch.optim.Optimizer,
        *,
        steps: int = 1,
        precision: str = "fp16",
    ) -> None:
        if precision not in _DTYPES:
            raise ValueError(
                f"SOLVER.AMP.PRECISION is {precision!r}, expected one of {list(_DTYPES)}"
            )
        device = next(model.parameters()).device.type
        self.dtype = torch.bfloat16 if device == "cpu" else _DTYPES[precision]
        scaler = torch.amp.GradScaler(device, enabled=self.dtype == torch.float16)
        AMPTrainer.__init__(self, model, data_loader, optimizer, grad_scaler=scaler)
        self.steps = steps

    def _losses(self, part: list[dict]) -> dict[str, Tensor]:
        with torch.autocast(next(self.model.parameters()).device.type, self.dtype):
            return super()._losses(part)

    def _backward(self, loss: Tensor) -> None:
        self.grad_scaler.scale(loss).backward()

    def _check_gradients(self) -> None:
        if not self.grad_scaler.is_enabled():  # else it leaves such a step out itself
            super()._check_gradients()

    def _step(self) -> None:
        self.grad_scaler.step(self.optimizer)
        self.grad_scaler.update()


def build_loop(
    model: nn.Module,
    data_loader: Iterable[list[dict]],
    optimizer: torch.optim.Optimizer,
    *,
    amp: bool = False,
    precision: str = "fp16",
    accumulate_steps: int = 1,
) -> AccumulatingTrainer:
    """The inner loop of training.

    Args:
        amp: train in mixed precision, of which ``precision`` is the lower one.
    """
    parts = (model, data_loader, optimizer)
    if amp:
        return AccumulatingAMPTrainer(*parts, steps=accumulate_steps, precision=precision)
    return AccumulatingTrainer(*parts, steps=accumulate_steps)


def check_batch_size(
    batch_size: int,
    accumulate_steps: int,
    num_processes: int,
    *,
    keys: tuple[str, str] = ("SOLVER.IMS_PER_BATCH", "SOLVER.ACCUMULATE_STEPS"),
) -> None:
    """ValueError where a batch cannot be shared out equally among processes and passes.

    Args:
        batch_size: of one optimizer step, over all processes.
        keys: of the config, for the message: of the batch size and of the steps.
    """
    batch_key, steps_key = keys
    if not isinstance(accumulate_steps, int) or accumulate_steps < 1:
        raise ValueError(f"{steps_key} is {accumulate_steps!r}, expected an integer from 1 on")
    if batch_size < 1 or batch_size % (num_processes * accumulate_steps):
        raise ValueError(
            f"{batch_key} is {batch_size}, expected a multiple of "
            f"{num_processes * accumulate_steps}: {num_processes} processes × {steps_key} "
            f"{accumulate_steps}"
        )
