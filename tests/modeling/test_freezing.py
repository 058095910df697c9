"""Stages and batch norms of timm models that do not train."""

import copy

import pytest
import torch
from timm.layers import FrozenBatchNormAct2d
from torch import nn

from rcf_vis.modeling import TimmBackbone
from rcf_vis.modeling.folding import fold_batch_norms, scale_weights_by_frozen_norms

from .timm_models import TINY, randomise_norms

LITE = {"name": "tf_efficientnet_lite0"}


def backbone(**options):
    torch.manual_seed(0)
    made = TimmBackbone(**{**LITE, **options})
    randomise_norms(made.body)
    return made


def trained_names(made):
    return {name for name, p in made.body.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("family", "freeze_at", "frozen"),
    [
        ("swin", 2, ("patch_embed", "layers.0")),
        ("convnext", 3, ("stem", "stages.0", "stages.1")),
        ("resnet", 1, ("conv1", "bn1")),
        ("resnet", 2, ("conv1", "bn1", "layer1")),
    ],
)
def test_what_comes_before_a_stride_and_has_it_does_not_train(family, freeze_at, frozen):
    name, kwargs, _ = TINY[family]
    all_train = TimmBackbone(name=name, model_kwargs=kwargs)
    made = TimmBackbone(name=name, model_kwargs=kwargs, freeze_at=freeze_at)
    expected = {n for n in trained_names(all_train) if not n.startswith(tuple(frozen))}
    assert trained_names(made) == expected and len(expected) < len(trained_names(all_train))
    assert made.state_dict().keys() >= {f"body.{name}" for name in trained_names(all_train)}


def test_statistics_stay_where_nothing_trains():
    made = backbone(freeze_at=2).train()
    before = copy.deepcopy(made.state_dict())
    made(torch.randn(2, 3, 64, 64))
    moved = {n for n, value in made.state_dict().items() if not torch.equal(value, before[n])}
    assert moved and not any(
        n.startswith(("body.bn1", "body.blocks.0", "body.blocks.1")) for n in moved
    )


def test_frozen_norms_give_what_evaluation_gives():
    free, frozen = backbone().eval(), backbone(freeze_norm=True).train()
    frozen.load_state_dict(free.state_dict(), strict=False)
    x = torch.randn(2, 3, 64, 96)
    for name, data in free(x).items():
        torch.testing.assert_close(frozen(x)[name], data, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in frozen.modules())
    free.load_state_dict({k: v for k, v in frozen.state_dict().items()}, strict=False)


def test_weights_scaled_by_the_norms_give_the_same_features_gradients_and_names():
    made = backbone(freeze_norm=True).double().train()
    scaled = copy.deepcopy(made)
    scale_weights_by_frozen_norms(scaled)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    outputs = [net(x) for net in (made, scaled)]
    for name, data in outputs[0].items():
        torch.testing.assert_close(outputs[1][name], data)
    for output in outputs:
        sum(data.square().mean() for data in output.values()).backward()
    assert list(scaled.state_dict()) == list(made.state_dict())
    gradients = [dict(net.named_parameters()) for net in (made, scaled)]
    for name, parameter in gradients[0].items():
        torch.testing.assert_close(gradients[1][name].grad, parameter.grad, msg=name)


def test_no_norm_passes_over_features_and_no_statistic_moves(monkeypatch):
    made = backbone(freeze_at=2).train()
    kept = copy.deepcopy(made.state_dict())
    calls = []
    scale_weights_by_frozen_norms(made)
    assert all(torch.equal(value, kept[name]) for name, value in made.state_dict().items())
    assert made.body.training
    monkeypatch.setattr(FrozenBatchNormAct2d, "forward", lambda *_: calls.append(1))
    made(torch.randn(2, 3, 64, 64))
    assert calls == []


def test_scaled_weights_can_be_folded_for_good():
    made = backbone(freeze_norm=True).eval()
    x = torch.randn(1, 3, 64, 64)
    expected = made(x)
    scale_weights_by_frozen_norms(made)
    folded = fold_batch_norms(made)
    assert not any(isinstance(m, FrozenBatchNormAct2d) for m in folded.modules())
    for name, data in folded(x).items():
        torch.testing.assert_close(data, expected[name], atol=1e-4, rtol=1e-4)


def test_no_stage_to_freeze():
    name, kwargs, _ = TINY["convnext"]
    with pytest.raises(ValueError, match="FREEZE_AT is 1, but no level of ConvNeXt.* stride of 2"):
        TimmBackbone(name=name, model_kwargs=kwargs, freeze_at=1)
