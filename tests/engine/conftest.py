import pytest
import torch


@pytest.fixture
def double_precision(monkeypatch):
    """Models and losses in float64, also where the package says float32."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def small_resnet(patch_cfg):
    """The cfg with a ResNet-50 of a few channels, whose BatchNorm is trained."""
    patch_cfg.MODEL.BACKBONE.NAME = "build_resnet_backbone"
    patch_cfg.MODEL.BACKBONE.FREEZE_AT = 0
    resnets = patch_cfg.MODEL.RESNETS
    resnets.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    resnets.NORM, resnets.STRIDE_IN_1X1 = "BN", False
    resnets.STEM_OUT_CHANNELS, resnets.RES2_OUT_CHANNELS, resnets.WIDTH_PER_GROUP = 4, 8, 2
    return patch_cfg
