"""How one axis of a frame is made of the cells of the segmentation map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

__all__ = ["BLOCK", "Enlargement"]

BLOCK = 128


@dataclass(frozen=True, eq=False)
class Enlargement:
    """A linear map of one axis, of which each output is a mean of a few neighbouring cells.

    Attributes:
        matrix: ``(outputs, cells)`` float32.
        first, last: ``(outputs,)`` int, the first and the last cell of each output; ascending.
    """

    matrix: np.ndarray
    first: np.ndarray
    last: np.ndarray

    @classmethod
    def of(cls, cells: int, stride: int, image: int, output: int) -> Enlargement:
        """To ``cells · stride`` pixels, of which the first ``image``, to ``output``; bilinearly."""
        return _made(cells, stride, image, output)

    def reached_by(self, cells: np.ndarray) -> tuple[int, int]:
        """The outputs, from and up to, that are made of some of these cells, bool ``(cells,)``."""
        places = np.flatnonzero(cells)
        if not len(places):
            return 0, 0
        start = int(np.searchsorted(self.last, places[0]))
        return start, max(start, int(np.searchsorted(self.first, places[-1], side="right")))

    def blocks(self, start: int, stop: int, block: int = BLOCK) -> Iterator[tuple[slice, slice]]:
        """The outputs ``start`` … ``stop − 1`` in blocks, and the cells that each is made of.

        For many outputs the matrix is mostly zeros, which need not be multiplied.
        """
        for low in range(start, stop, block):
            high = min(low + block, stop)
            yield slice(low, high), slice(int(self.first[low]), int(self.last[high - 1]) + 1)

    def apply(self, data: np.ndarray, start: int, stop: int) -> np.ndarray:
        """The outputs ``start`` … ``stop − 1`` of ``(cells, n)``: ``(stop − start, n)``."""
        blocks = self.blocks(start, stop)
        parts = [self.matrix[outputs, cells] @ data[cells] for outputs, cells in blocks]
        return np.concatenate([data[:0], *parts])


@lru_cache(maxsize=32)
def _made(cells: int, stride: int, image: int, output: int) -> Enlargement:
    matrix = _bilinear(cells, cells * stride)[:image]
    if image != output:
        matrix = _bilinear(image, output) @ matrix
    matrix = matrix.astype(np.float32)
    used = matrix > 0
    return Enlargement(matrix, used.argmax(1), cells - 1 - used[:, ::-1].argmax(1))


def _bilinear(given: int, wanted: int) -> np.ndarray:
    """``(wanted, given)``: PyTorch's linear interpolation, which does not smooth."""
    places = np.maximum((np.arange(wanted) + 0.5) * given / wanted - 0.5, 0)
    before = np.minimum(places.astype(int), given - 1)
    after = np.minimum(before + 1, given - 1)
    matrix = np.zeros((wanted, given))
    rows = np.arange(wanted)
    np.add.at(matrix, (rows, before), 1 - (places - before))
    np.add.at(matrix, (rows, after), places - before)
    return matrix
