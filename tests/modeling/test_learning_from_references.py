"""What only a reference shows can be learned through it, whichever way it is fused."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from rcf_vis.modeling import FeatureMap, InstanceDecoder, RobustContextFusion

C, DIM, SIDE = 8, 32, 4
LAYERS = {"num_layers": 1, "num_heads": 4, "dim_feedforward": 64, "dropout": 0.0}


def clips(age, delta):
    """Four clips with one target; the reference of this age shows a thing in a quarter of it."""
    generator = torch.Generator().manual_seed(0)
    background, thing = torch.randn(2, C, generator=generator)
    still = background[:, None, None].expand(4, C, SIDE, SIDE)
    shown = still.clone()
    for quarter in range(4):
        row, column = divmod(quarter, 2)
        shown[quarter, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = thing[:, None, None]
    size = (SIDE * 16, SIDE * 16)
    frames = [FeatureMap(shown if k == age else still, 16, (size,) * 4) for k in range(delta)]
    return FeatureMap(still, 16, (size,) * 4), frames


class WhereItWas(nn.Module):
    def __init__(self, fusion, delta):
        super().__init__()
        self.fusion = RobustContextFusion(
            in_channels=C, hidden_dim=DIM, num_reference_frames=delta, fusion=fusion, **LAYERS
        )
        self.decoder = InstanceDecoder(num_queries=1, hidden_dim=DIM, **LAYERS)
        self.quarter = nn.Linear(DIM, 4)

    def forward(self, target, references):
        return self.quarter(self.decoder(self.fusion(target, references))[-1][:, 0])


@pytest.mark.parametrize("fusion", ["token", "full_encoder", "full_decoder"])
@pytest.mark.parametrize(("age", "delta"), [(0, 1), (1, 2)])
def test_the_place_of_a_thing_that_the_target_does_not_show(fusion, age, delta):
    torch.manual_seed(0)
    target, references = clips(age, delta)
    model = WhereItWas(fusion, delta)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    quarters = torch.arange(4)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(model(target, references), quarters).backward()
        optimizer.step()
    probabilities = model(target, references).softmax(-1)
    assert probabilities.diagonal().min() > 0.9
    # Of the target alone, the four clips are one.
    blind = model(target, [target] * delta)
    torch.testing.assert_close(blind, blind[:1].expand(4, 4))
