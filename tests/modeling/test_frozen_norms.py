"""Frozen batch norms that scale the weights: the same features, gradients and checkpoints."""

import copy

import pytest
import torch
from detectron2.layers import Conv2d, FrozenBatchNorm2d
from torch import nn
from torch.nn import functional as F

from rcf_vis.modeling.folding import fold_batch_norms, scale_weights_by_frozen_norms


class Network(nn.Module):
    """As of a ResNet: with and without a bias, strided, grouped, with an activation."""

    def __init__(self):
        super().__init__()
        options = {"kernel_size": 3, "padding": 1}
        self.layers = nn.Sequential(
            Conv2d(3, 8, bias=False, norm=FrozenBatchNorm2d(8), activation=F.relu, **options),
            Conv2d(8, 8, stride=2, groups=4, norm=FrozenBatchNorm2d(8), **options),
            Conv2d(8, 6, bias=False, norm=nn.BatchNorm2d(6), **options),
            nn.Conv2d(6, 4, 1),
        )

    def forward(self, x):
        return {"out": self.layers(x)}


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = Network().double()
    for module in made.modules():
        if isinstance(module, (FrozenBatchNorm2d, nn.BatchNorm2d)):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(-1, 1)
            module.bias.data.normal_()
    return made


def test_the_same_features_gradients_and_names(network):
    scaled = copy.deepcopy(network)
    scale_weights_by_frozen_norms(scaled)
    x = torch.randn(2, 3, 9, 12, dtype=torch.float64)
    pictures = [x.clone().requires_grad_(), x.clone().requires_grad_()]
    outputs = [
        net(picture)["out"] for net, picture in zip((network, scaled), pictures, strict=True)
    ]
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(pictures[0].grad, pictures[1].grad)
    assert list(scaled.state_dict()) == list(network.state_dict())
    for (name, a), b in zip(network.named_parameters(), scaled.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name)


def test_no_pass_of_a_norm_is_left(network, monkeypatch):
    """Only the norm that is trained runs over features."""
    calls = []
    monkeypatch.setattr(FrozenBatchNorm2d, "forward", lambda *_: calls.append(1))
    scale_weights_by_frozen_norms(network)
    network(torch.randn(1, 3, 8, 8, dtype=torch.float64))
    assert calls == [] and isinstance(network.layers[2].norm, nn.BatchNorm2d)


def test_it_can_still_be_folded_for_good(network):
    network.float().eval()
    x = torch.randn(1, 3, 8, 8)
    expected = network(x)["out"]
    scale_weights_by_frozen_norms(network)
    folded = fold_batch_norms(copy.deepcopy(network))
    assert not any(isinstance(m, FrozenBatchNorm2d) for m in folded.modules())
    torch.testing.assert_close(folded(x)["out"], expected, atol=1e-5, rtol=1e-4)
