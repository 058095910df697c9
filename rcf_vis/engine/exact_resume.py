"""What a run that is resumed needs to go on as if it had never ended."""

from __future__ import annotations

import json
import logging
import os
import random
from typing import Any

import numpy as np
import torch
from detectron2.engine import HookBase
from detectron2.utils import comm
from detectron2.utils.events import EventStorage

from rcf_vis.data import StreamSampler

__all__ = ["ExactResume", "follow_command"]

logger = logging.getLogger(__name__)

_WINDOW = 20  # values of a scalar that Detectron2's writers take the median of
_TIMES = ("time", "data_time", "rank_data_time")  # of this process, not of the run
_STEP = 1  # so that a step's numbers are not those of a clip


class ExactResume(HookBase):
    """Clips, random numbers and smoothed metrics of a resumed run are those of one that went on.

    The seed of the run is drawn at its start (from ``SEED``, if that is set) and saved. What an
    iteration draws depends on it, the iteration and the process alone; the stream of clips goes on
    where it was. ``metrics.json`` loses the lines of iterations that are done again.

    Args:
        loader: of :func:`rcf_vis.data.build_train_loader`; with one of another kind the clips begin
            anew.
        output_dir: of ``metrics.json``.
        period: of Detectron2's writers, in iterations.
    """

    def __init__(self, loader: Any, output_dir: str, period: int = 20) -> None:
        sampler = getattr(loader, "sampler", None)
        self._stream = sampler if isinstance(sampler, StreamSampler) else None
        self._batch_size = getattr(loader, "batch_size", None)
        self._seed = self._stream.seed if self._stream else comm.shared_random_seed()
        self._metrics_file = os.path.join(output_dir, "metrics.json")
        self._period = period
        self._scalars: dict[str, list] = {}  # name → [smoothed, [[value, iteration], …]]

    def before_train(self) -> None:
        start = self.trainer.start_iter
        if self._stream is not None:
            self._stream.seed = self._seed
            self._stream.start = start * self._batch_size
        if not start:
            return
        # Where nothing is left to do, the writers would write again what was written.
        ended = start >= self.trainer.max_iter
        storage = EventStorage(start) if ended else self.trainer.storage
        for name, (smoothed, values) in self._scalars.items():
            for value, iteration in values:
                storage.iter = iteration
                storage.put_scalar(name, value, smoothing_hint=smoothed)
        storage.iter = start
        if comm.is_main_process():
            last = _cut_metrics(self._metrics_file, start)
            if (start % self._period == 0 or ended) and last != start - 1:
                with open(self._metrics_file, "a", encoding="utf-8") as file:
                    file.write(self._line(storage, start - 1))

    def after_train(self) -> None:
        # Detectron2 counts one more where no iteration was left; an evaluation bears that number.
        if self.trainer.iter > self.trainer.max_iter:
            self.trainer.iter = self.trainer.storage.iter = self.trainer.max_iter

    def before_step(self) -> None:
        numbers = (self._seed, comm.get_rank(), self.trainer.iter, _STEP)
        seeds = np.random.SeedSequence(numbers).generate_state(3)
        random.seed(int(seeds[0]))
        np.random.seed(seeds[1])
        torch.manual_seed(int(seeds[2]))

    def state_dict(self) -> dict[str, Any]:
        storage = getattr(self.trainer, "storage", None)
        if storage is None:  # saved outside of the training
            return {"seed": self._seed, "scalars": self._scalars}
        hints, latest = storage.smoothing_hints(), storage.latest()
        scalars = {
            name: [hints[name], [list(pair) for pair in storage.history(name).values()[-_WINDOW:]]]
            for name in hints
            if name not in _TIMES and latest[name][1] == storage.iter
        }
        return {"seed": self._seed, "scalars": scalars}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._seed, self._scalars = state["seed"], state["scalars"]

    @staticmethod
    def _line(storage: EventStorage, iteration: int) -> str:
        """What Detectron2's writer would have written of an iteration, but for the times."""
        latest = storage.latest_with_smoothing_hint(_WINDOW)
        scalars = {name: value for name, (value, when) in latest.items() if when == iteration}
        return json.dumps({"iteration": iteration, **scalars}, sort_keys=True) + "\n"


def follow_command(saved: dict[str, Any], own: dict[str, Any], what: str) -> dict[str, Any]:
    """A saved state whose settings are those of the command, not of the run that saved it.

    Args:
        saved, own: states of the same kind; how far the run is (``last_epoch`` and what begins with
            an underscore) is taken from the one, all else from the other.
        what: is logged with each setting that changes.
    """
    kept = {k: v for k, v in saved.items() if k == "last_epoch" or k.startswith("_")}
    for name in sorted(own.keys() & saved.keys() - kept.keys()):
        if own[name] != saved[name]:
            logger.info("%s: %s is %s, no longer %s", what, name, own[name], saved[name])
    return {**own, **kept}


def _cut_metrics(path: str, end: int) -> int | None:
    """Cut off, at the end, the lines of iterations from ``end`` on, and what is no whole line.

    Returns:
        The iteration of the last line that stays.
    """
    try:
        with open(path, "rb") as file:
            lines = file.readlines()
    except FileNotFoundError:
        return None
    last = None
    while lines:
        try:
            last = json.loads(lines[-1])["iteration"]
        except (ValueError, KeyError, TypeError):
            last = None
        if last is not None and last < end and lines[-1].endswith(b"\n"):
            break
        lines.pop()
        last = None
    os.truncate(path, sum(map(len, lines)))  # in place: Detectron2's writer has it open
    return last
