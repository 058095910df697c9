import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis.config import read_config
from tests.scripts import ROOT, load_script

CONFIG = str(ROOT / "configs" / "synthvis" / "rcf_tiny.yaml")
NARROW = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.RESNETS.WIDTH_PER_GROUP", "8"]


@pytest.fixture
def tool():
    return load_script("experiments/widen_backbone.py")


@pytest.fixture
def narrow():
    """A model whose BatchNorms have statistics of their own."""
    torch.manual_seed(0)
    model = build_model(read_config(CONFIG, NARROW)).train()
    with torch.no_grad():
        for _ in range(3):
            model.backbone(torch.randn(2, 3, 64, 96))
    return model.eval()


def test_a_wider_backbone_computes_the_same_and_learns_in_its_new_channels(tool, narrow, tmp_path):
    checkpoint, output = tmp_path / "narrow.pth", tmp_path / "wide.pth"
    torch.save({"model": narrow.state_dict(), "class_names": ["a"], "iteration": 5}, checkpoint)
    width = ["MODEL.RESNETS.WIDTH_PER_GROUP", "12"]
    tool.main(["--config-file", CONFIG, str(checkpoint), str(output), "--opts", *width])

    content = torch.load(output, weights_only=True)
    assert content["class_names"] == ["a"] and "iteration" not in content
    wide = build_model(read_config(CONFIG, [*NARROW, *width])).eval()
    wide.load_state_dict(content["model"])
    x = torch.randn(1, 3, 64, 96)
    expected, found = narrow.backbone(x), wide.backbone(x)
    assert expected.keys() == found.keys()
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])

    sum(level.square().sum() for level in found.values()).backward()
    block = wide.backbone.res3[1]
    assert block.conv2.weight.shape == (24, 24, 3, 3)
    # Behind zeros at first: the last convolution learns to take the new channels, then all do.
    assert block.conv3.weight.grad[:, 16:].ne(0).float().mean() > 0.5
    assert not block.conv2.weight.grad[16:].any()


def test_what_is_not_a_wider_backbone(tool, narrow):
    old = narrow.state_dict()

    def new(*opts):
        return build_model(read_config(CONFIG, [*NARROW, *opts])).state_dict()

    with pytest.raises(ValueError, match=r"mask_decoder.*expected no difference but wider"):
        tool.widen(old, new("MODEL.RCF.MASK_DECODER_DIMS", "[128, 96, 96]"))
    with pytest.raises(ValueError, match=r"backbone.*expected no difference but wider"):
        tool.widen(old, new("MODEL.RESNETS.WIDTH_PER_GROUP", "4"))
    with pytest.raises(ValueError, match=r"differ in .*instance_decoder"):
        tool.widen(old, new("MODEL.RCF.DEC_LAYERS", "2"))
