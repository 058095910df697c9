"""The map of an axis against PyTorch's interpolation."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rcf_vis.tracking import Enlargement


@pytest.mark.parametrize(
    "cells, stride, image, output",
    [(14, 4, 56, 192), (24, 4, 93, 320), (5, 8, 33, 33), (9, 4, 36, 7)],
)
def test_it_is_two_interpolations(cells, stride, image, output):
    data = torch.randn(1, 3, cells, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(data, size=cells * stride, mode="linear")[..., :image]
    expected = F.interpolate(expected, size=output, mode="linear")[0].T.numpy()
    enlargement = Enlargement.of(cells, stride, image, output)
    rows = data[0].T.numpy()
    np.testing.assert_allclose(enlargement.apply(rows, 0, output), expected, atol=1e-5)
    np.testing.assert_allclose(enlargement.apply(rows, 2, 5), expected[2:5], atol=1e-5)
    assert enlargement.apply(rows, 3, 3).shape == (0, 3)


def test_what_some_cells_reach():
    enlargement = Enlargement.of(6, 2, 12, 12)
    reached = np.array([True] * 2 + [False] * 4)
    start, stop = enlargement.reached_by(reached)
    data = reached[:, None].astype(np.float32)
    made_of_them = enlargement.apply(data, 0, 12)[:, 0] > 0
    assert (start, stop) == (0, 5) and made_of_them.tolist() == [True] * 5 + [False] * 7
    assert enlargement.reached_by(np.zeros(6, dtype=bool)) == (0, 0)
