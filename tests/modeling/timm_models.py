"""Very small variants of timm's models, with random weights."""

import torch
from detectron2.config import CfgNode

from rcf_vis.modeling import TimmBackbone

# family → name, further arguments of the timm model, channels of the four levels
TINY = {
    "swin": (
        "swin_tiny_patch4_window7_224.ms_in1k",
        {"embed_dim": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4], "window_size": 2},
        [8, 16, 32, 64],
    ),
    "swinv2": (
        "swinv2_tiny_window8_256.ms_in1k",
        {"embed_dim": 8, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 2, 4], "window_size": 2},
        [8, 16, 32, 64],
    ),
    "convnext": (
        "convnext_tiny.fb_in22k",
        {"depths": [1, 1, 1, 1], "dims": [8, 12, 16, 24]},
        [8, 12, 16, 24],
    ),
    "resnet": (
        "resnet18.a1_in1k",
        {"layers": [1, 1, 1, 1], "channels": [8, 12, 16, 24]},
        [8, 12, 16, 24],
    ),
    "dinov2": (
        "vit_small_patch14_dinov2.lvd142m",
        {"embed_dim": 16, "depth": 3, "num_heads": 2, "patch_size": 16, "img_size": 592},
        [4, 8, 16, 16],
    ),
    "dinov3": (
        "vit_small_patch16_dinov3.lvd1689m",
        {"embed_dim": 32, "depth": 3, "num_heads": 2},
        [8, 16, 32, 32],
    ),
}
PLAIN = ("dinov2", "dinov3")


def timm_cfg(cfg: CfgNode, family: str) -> CfgNode:
    """``cfg`` with the small model of ``family`` as its backbone, and ImageNet's mean and std."""
    name, kwargs, _ = TINY[family]
    cfg.MODEL.BACKBONE.NAME = "build_timm_backbone"
    cfg.MODEL.PIXEL_MEAN = [123.675, 116.28, 103.53]
    cfg.MODEL.PIXEL_STD = [58.395, 57.12, 57.375]
    cfg.MODEL.TIMM.NAME = name
    cfg.MODEL.TIMM.KWARGS.update(kwargs)
    return cfg


def tiny(family: str, **options) -> TimmBackbone:
    """The small model of ``family`` as a backbone, with further arguments of the wrapper."""
    name, kwargs, _ = TINY[family]
    model_kwargs = {**kwargs, **options.pop("model_kwargs", {})}
    return TimmBackbone(name=name, model_kwargs=model_kwargs, **options)


def randomise_norms(model: torch.nn.Module) -> None:
    """Swin V2 starts with norms of weight 0, and its attention has no effect."""
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            torch.nn.init.normal_(module.weight)
