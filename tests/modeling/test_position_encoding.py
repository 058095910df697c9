import math

import pytest
import torch

from rcf_vis.modeling.position_encoding import sine_position_encoding


def test_against_the_formula():
    places = torch.tensor([[0.1, 0.7], [0.0, 1.0]], dtype=torch.float64)
    encoded = sine_position_encoding(places, 8, temperature=100.0)
    for place, row in zip(places.tolist(), encoded.tolist(), strict=True):
        expected = []
        for coordinate in place:
            for k in range(2):
                angle = 2 * math.pi * coordinate / 100.0 ** (2 * k * 2 / 8)
                expected += [math.sin(angle), math.cos(angle)]
        assert row == pytest.approx(expected, abs=1e-12)


def test_different_places_differ():
    y, x = torch.meshgrid(torch.arange(12) / 12, torch.arange(20) / 20, indexing="ij")
    encoded = sine_position_encoding(torch.stack((y, x), -1).reshape(-1, 2), 32)
    distances = torch.cdist(encoded, encoded) + torch.eye(240) * 9
    assert distances.min() > 0.05


def test_width_that_does_not_divide():
    with pytest.raises(ValueError, match="that 4 divides, got 6"):
        sine_position_encoding(torch.zeros(1, 2), 6)
