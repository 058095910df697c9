"""Several data sets in one stream of clips, in given shares (``DATASETS.DATASET_RATIO``)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from numbers import Real

import numpy as np
from detectron2.utils import comm
from torch.utils.data import Sampler

__all__ = ["RatioSampler", "dataset_shares"]

_DRAWS_AT_ONCE = 1024


def dataset_shares(ratio: Sequence[float], names: Sequence[str]) -> list[float] | None:
    """``DATASETS.DATASET_RATIO`` as shares that add up to 1; None where it is empty.

    Args:
        ratio: a number a data set; only their proportion counts.
        names: ``DATASETS.TRAIN``.

    Raises:
        ValueError: another number of entries, an entry that is no finite number >= 0, or none > 0.
    """
    if not ratio:
        return None
    valid = (
        len(ratio) == len(names)
        and all(isinstance(part, Real) and 0 <= part < math.inf for part in ratio)
        and sum(ratio) > 0
    )
    if not valid:
        raise ValueError(
            f"DATASETS.DATASET_RATIO is {list(ratio)}, expected {len(names)} numbers >= 0, not all "
            f"0, one for each set of DATASETS.TRAIN ({', '.join(names)}), or [] to mix by size"
        )
    total = sum(ratio)
    return [part / total for part in ratio]


class RatioSampler(Sampler[int]):
    """An endless stream of indices into data sets that stand one behind the other in a list.

    Each index is drawn in two steps: the data set, with the probability that is its share, and then
    the next index of this set's own sampler. So the shares hold in expectation from the first clip
    on, and a set is gone through as its own sampler does it, whatever the others do.

    Each process draws its own sequence of data sets; the samplers see to it that processes get
    different indices of a set, as Detectron2's do.

    Args:
        samplers: one a data set, each an endless stream of indices into this set alone.
        sizes: the number of records of each set.
        shares: the probability of each set; they add up to 1.
        seed: the same in all processes; by default one is drawn and shared among them.
    """

    def __init__(
        self,
        *,
        samplers: Sequence[Sampler],
        sizes: Sequence[int],
        shares: Sequence[float],
        seed: int | None = None,
    ) -> None:
        if not len(samplers) == len(sizes) == len(shares):
            raise ValueError(
                f"{len(samplers)} samplers, {len(sizes)} sizes and {len(shares)} shares; expected "
                "one of each for a data set"
            )
        self.samplers = list(samplers)
        self.offsets = [sum(sizes[:k]) for k in range(len(sizes))]
        self.shares = list(shares)
        self._seed = comm.shared_random_seed() if seed is None else seed
        self._rank = comm.get_rank()

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng([self._seed, self._rank])
        streams = [iter(sampler) for sampler in self.samplers]
        while True:
            for chosen in generator.choice(len(streams), size=_DRAWS_AT_ONCE, p=self.shares):
                yield self.offsets[chosen] + next(streams[chosen])
