"""Built without a cfg, the parts are those of the default config."""

import inspect

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec

from rcf_vis import add_rcf_config
from rcf_vis.modeling import (
    HungarianMatcher,
    InstanceDecoder,
    InstanceHeads,
    MaskDecoder,
    RobustContextFusion,
    SetCriterion,
)
from rcf_vis.modeling.transformer import build_layers
from rcf_vis.tracking import IdentityRules

SHAPES = {f"res{k}": ShapeSpec(channels=256 * 2 ** (k - 2), stride=2**k) for k in range(2, 6)}
PARTS = [
    (HungarianMatcher, ()),
    (InstanceDecoder, ()),
    (InstanceHeads, ()),
    (MaskDecoder, (SHAPES,)),
    (RobustContextFusion, (SHAPES,)),
    (SetCriterion, ()),
]


@pytest.fixture
def cfg():
    cfg = get_cfg()
    add_rcf_config(cfg)
    return cfg


@pytest.mark.parametrize(("part", "more"), PARTS, ids=[part.__name__ for part, _ in PARTS])
def test_defaults_of_constructors_are_those_of_the_config(cfg, part, more):
    from_config = part.from_config(cfg, *more)
    signature = inspect.signature(inspect.unwrap(part.__init__))
    defaults = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    assert defaults
    for name, default in defaults.items():
        found = from_config[name]
        assert (list(found) == list(default)) if isinstance(default, tuple) else found == default


def test_defaults_of_the_identity_rules(cfg):
    test = cfg.MODEL.RCF.TEST
    assert IdentityRules() == IdentityRules(
        slot_identity=test.SLOT_IDENTITY,
        iou_identity=test.IOU_IDENTITY,
        iou_thresh=test.MATCH_IOU_THRESH,
        max_age=test.MAX_AGE,
    )


def test_layers_begin_xavier_uniform():
    """Matrices within the bound of Xavier's uniform distribution and up to it; vectors as built."""
    torch.manual_seed(0)

    class Layer(torch.nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.linear = torch.nn.Linear(dim, 3 * dim)
            torch.nn.init.constant_(self.linear.weight, 9.0)
            torch.nn.init.constant_(self.linear.bias, 7.0)

    layers = build_layers(Layer, 2, dim=50)
    bound = (6 / (50 + 150)) ** 0.5
    for layer in layers:
        assert 0.98 * bound < float(layer.linear.weight.detach().abs().max()) <= bound
        assert (layer.linear.bias == 7.0).all()
