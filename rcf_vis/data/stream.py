"""The stream of training clips: what stands at a place in it depends on the seed and the place."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch
from detectron2.data import DatasetFromList
from detectron2.utils import comm
from detectron2.utils.serialize import PicklableWrapper
from torch.utils.data import Dataset, Sampler

__all__ = ["Clips", "StreamSampler", "seeded"]

logger = logging.getLogger(__name__)

_MOST_TRIES = 100  # of a mapper that gives None


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """In the block, Python, NumPy and PyTorch's CPU draw what ``numbers`` say; then as before."""
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


class StreamSampler(Sampler[tuple[int, int, int]]):
    """The places of a process in an endless stream of clips, from any of them on.

    Args:
        build: gives the sampler of indices for a seed; what it yields must depend on that alone.
        seed: of the stream, the same in all processes; by default one is drawn and shared.

    Attributes:
        seed: may be set, with ``start``, before the stream is read: a run that is resumed goes on
            in the stream that it began with.
        start: clips of this process that are passed over.
    """

    def __init__(self, build: Callable[[int], Sampler[int]], seed: int | None = None) -> None:
        self._build = build
        self.seed = comm.shared_random_seed() if seed is None else seed
        self.start = 0

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """(seed of the clip, its place among those of this process, index of its record)."""
        own = self.seed + comm.get_rank()
        indices = islice(self._build(self.seed), self.start, None)
        for place, index in enumerate(indices, self.start):
            yield own, place, int(index)


class Clips(Dataset):
    """Records, mapped to clips with random numbers of their place in the stream.

    So a clip is the same whichever worker makes it, after whatever others. Where the mapper gives
    None, another record is tried in its place, as Detectron2 does.

    Args:
        records: of videos.
        mapper: of one record.
    """

    def __init__(
        self, records: Sequence[dict[str, Any]], mapper: Callable[[dict[str, Any]], Any]
    ) -> None:
        self._records = DatasetFromList(list(records), copy=False)
        self._mapper = PicklableWrapper(mapper)  # a lambda may go to a worker

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, place: tuple[int, int, int]) -> Any:
        seed, number, index = place
        with seeded(seed, number):
            for _ in range(_MOST_TRIES):
                clip = self._mapper(self._records[index])
                if clip is not None:
                    return clip
                logger.warning("The mapper gives None for record %d; another is tried", index)
                index = np.random.randint(len(self._records))
        raise RuntimeError(f"the mapper gave None for {_MOST_TRIES} records, one after the other")
