"""Pairs of the best total against scipy's, and by hand where there are ties."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from rcf_vis.tracking.assignment import best_pairs


def test_the_total_is_the_best():
    rng = np.random.default_rng(0)
    for number in range(400):
        weights = rng.random(rng.integers(0, 12, 2)).astype(np.float32)
        if number % 3 == 0:  # many ties
            weights = np.round(weights * 4) / 4
        weights[weights < 0.7 * rng.random()] = 0
        pairs = best_pairs(weights)
        rows, columns = zip(*pairs, strict=True) if pairs else ((), ())
        assert list(rows) == sorted(set(rows)) and len(set(columns)) == len(columns)
        assert all(weights[pair] > 0 for pair in pairs)
        best = weights[linear_sum_assignment(weights, maximize=True)].sum()
        assert sum(weights[pair] for pair in pairs) == pytest.approx(best, abs=1e-5)


def test_ties_and_what_is_no_pair():
    assert best_pairs(np.ones((3, 3))) == [(0, 0), (1, 1), (2, 2)]
    assert best_pairs(np.ones((3, 2))) == [(0, 0), (1, 1)]
    assert best_pairs(np.array([[0.6, 0.0], [0.9, 0.0]])) == [(1, 0)]
    assert best_pairs(np.array([[0.6, 0.9], [0.0, 0.8]])) == [(0, 0), (1, 1)]
    assert best_pairs(np.zeros((2, 0))) == best_pairs(np.zeros((2, 2))) == []
