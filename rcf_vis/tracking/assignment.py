"""Pairs of the best total: the assignment problem, in numpy alone."""

from __future__ import annotations

import numpy as np

__all__ = ["best_pairs"]


def best_pairs(weights: np.ndarray) -> list[tuple[int, int]]:
    """Pair rows with columns, one to one, so that the sum of the weights is the largest.

    Args:
        weights: ``(n, m)``, 0 or more; 0 = no pair.

    Returns:
        (row, column) of each pair, by ascending rows.
    """
    positive = weights > 0
    if positive.sum(0).max(initial=0) > 1 or positive.sum(1).max(initial=0) > 1:
        turned = len(weights) > weights.shape[1]
        columns = _cheapest_columns(-(weights.T if turned else weights).astype(np.float64))
        chosen = np.zeros_like(positive.T if turned else positive)
        chosen[np.arange(len(columns)), columns] = True
        positive &= chosen.T if turned else chosen
    return [(int(row), int(column)) for row, column in zip(*np.nonzero(positive), strict=True)]


def _cheapest_columns(costs: np.ndarray) -> np.ndarray:
    """A column for each row of ``(n, m)``, n ≤ m, all different, of the least total.

    One row after the other is added along the shortest path of exchanges to a free column. Prices
    of rows and columns keep the reduced costs of all exchanges at 0 or more.
    """
    rows, columns = costs.shape
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    row_of = np.full(columns, -1)
    for added in range(rows):
        distance, before = np.full(columns, np.inf), np.full(columns, -1)
        reached = np.zeros(columns, dtype=bool)
        row, column, length = added, -1, 0.0
        while row >= 0:
            through = length + costs[row] - row_price[row] - column_price
            shorter = ~reached & (through < distance)
            distance[shorter], before[shorter] = through[shorter], column
            column = int(np.where(reached, np.inf, distance).argmin())
            length, row = distance[column], row_of[column]
            reached[column] = row >= 0
        gained = length - distance[reached]
        column_price[reached] -= gained
        row_price[row_of[reached]] += gained
        row_price[added] += length
        while column >= 0:
            source = before[column]
            row_of[column] = added if source < 0 else row_of[source]
            column = source
    taken = np.flatnonzero(row_of >= 0)
    return taken[np.argsort(row_of[taken])]
