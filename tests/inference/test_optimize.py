"""The same numbers with folded batch norms."""

import copy
import shutil

import numpy as np
import pytest
import torch
from detectron2.layers import FrozenBatchNorm2d
from detectron2.modeling import build_model
from torch import nn

from rcf_vis import OnlinePredictor, optimize_for_inference
from rcf_vis.config import read_config
from rcf_vis.modeling import OnlineState
from rcf_vis.modeling.folding import fold_batch_norms
from tests.scripts import ROOT

NORMS = (nn.BatchNorm2d, FrozenBatchNorm2d)


def trained(config, *opts):
    """A model whose batch norms have seen something."""
    cfg = read_config(str(ROOT / config), ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", *opts])
    torch.manual_seed(0)
    model = build_model(cfg)
    for module in model.modules():
        if isinstance(module, NORMS):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
    return model


def norms_of(model):
    return sum(isinstance(module, NORMS) for module in model.modules())


@pytest.mark.parametrize(
    "config",
    ["configs/rcf_r50.yaml", "configs/real/rcf_lite.yaml", "configs/synthvis/rcf_tiny.yaml"],
)
def test_equal_numbers_without_batch_norms(config):
    model = trained(config).eval()
    fast = optimize_for_inference(model)
    assert norms_of(model) > 10 and norms_of(fast) == 0
    assert fast.mask_decoder.steps[0].smooth[0].weight.stride(1) == 1  # channels-last
    states = [OnlineState(), OnlineState()]
    for number in range(3):
        image = torch.randint(0, 256, (3, 90, 150), dtype=torch.uint8)
        found = []
        for k, network in enumerate((model, fast)):
            with torch.no_grad():
                output, states[k] = network.step(network.extract_features([image]), states[k])
            found.append(output)
        for name in ("logits", "masks"):
            expected, got = (getattr(output, name) for output in found)
            assert (expected - got).abs().max() < 1e-4 * expected.abs().max(), (name, number)


def test_the_model_itself_stays_trainable():
    model = trained("configs/real/rcf_lite.yaml").train()
    before = copy.deepcopy(model.state_dict())
    fast = optimize_for_inference(model)
    assert not fast.training and not any(p.requires_grad for p in fast.parameters())
    assert model.training and all(p.requires_grad for p in model.heads.parameters())
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert optimize_for_inference(model, inplace=True) is model


class Branches(nn.Module):
    """A convolution whose output is used twice, one that is called twice, one with more between."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)
        self.norm.running_mean.fill_(0.5)
        self.norm.running_var.fill_(3.0)

    def forward(self, x):
        y = self.conv(x)
        if self.kind == "used twice":
            return {"out": y + self.norm(y)}
        if self.kind == "called twice":
            return {"out": self.norm(self.conv(y))}
        return {"out": self.norm(y.relu())}


@pytest.mark.parametrize("kind", ["used twice", "called twice", "not neighbours"])
def test_what_cannot_be_folded_stays(kind):
    network = Branches(kind).eval()
    images = torch.randn(2, 3, 8, 8)
    expected = network(images)["out"]
    folded = fold_batch_norms(copy.deepcopy(network))
    assert norms_of(folded) == 1
    torch.testing.assert_close(folded(images)["out"], expected)
    with pytest.raises(ValueError, match="in evaluation mode"):
        fold_batch_norms(network.train())


def test_the_predictor_does_so_by_itself():
    cfg = read_config(
        str(ROOT / "configs/real/rcf_lite.yaml"), ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", ""]
    )
    assert norms_of(OnlinePredictor(cfg).model) == 0


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_backbone_gives_the_same():
    opts = ["MODEL.RCF.TEST.SCORE_THRESH", "0.0", "MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", ""]
    config = str(ROOT / "configs/synthvis/rcf_tiny.yaml")
    torch.manual_seed(0)
    plain = OnlinePredictor(read_config(config, opts))
    compiled = OnlinePredictor(read_config(config, [*opts, "MODEL.RCF.TEST.COMPILE", "True"]))
    compiled.model.load_state_dict(plain.model.state_dict())
    frames = np.random.default_rng(0).integers(0, 256, (3, 48, 80, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        expected, found = plain(frame), compiled(frame)
        torch.testing.assert_close(found.class_probs, expected.class_probs, atol=1e-4, rtol=1e-4)
        assert torch.equal(found.track_ids, expected.track_ids), number
    assert "forward" in vars(compiled.model.backbone)
    assert "forward" not in vars(plain.model.backbone)
