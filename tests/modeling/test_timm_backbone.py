"""Models of timm as backbones: levels, equality with timm's own features, preprocessing, errors."""

from pathlib import Path

import pytest
import timm
import torch
from detectron2.config import get_cfg
from detectron2.modeling import build_backbone, build_model
from torch.nn import functional as F

from rcf_vis import add_rcf_config
from rcf_vis.engine import parameter_groups
from rcf_vis.modeling import TimmBackbone

from .timm_models import PLAIN, TINY, randomise_norms, timm_cfg, tiny

CONFIGS = Path(__file__).parents[2] / "configs"
STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}


@pytest.mark.parametrize("family", TINY)
def test_levels_and_gradients(family):
    backbone = tiny(family)
    _, _, channels = TINY[family]
    shapes = backbone.output_shape()
    assert {name: shape.stride for name, shape in shapes.items()} == STRIDES
    assert [shape.channels for shape in shapes.values()] == channels
    assert backbone.size_divisibility == 32
    for height, width in [(64, 96), (75, 101)]:
        features = backbone(torch.randn(2, 3, height, width))
        for (name, data), width_of_level in zip(features.items(), channels, strict=True):
            rows, columns = -(-height // STRIDES[name]), -(-width // STRIDES[name])
            assert data.shape == (2, width_of_level, rows, columns)
    # No parameter may be left over: processes that train together would wait for its gradient.
    sum((data * torch.randn_like(data)).sum() for data in features.values()).backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("family", TINY)
def test_rcf_sees_what_timm_sees(family, patch_cfg):
    """The same picture by timm's own model and normalisation, and by RCF's: the same features."""
    name, kwargs, _ = TINY[family]
    cfg = timm_cfg(patch_cfg, family)
    cfg.MODEL.TIMM.OUT_NORM = False
    model = build_model(cfg).eval()
    randomise_norms(model.backbone.body)
    picture = torch.randint(0, 256, (3, 128, 192), dtype=torch.uint8)

    # timm's model as it stands, built for this size only (but for the grid of 37² of DINOv2)
    size = {"dynamic_img_size": True} if family == "dinov2" else {"img_size": (128, 192)}
    size = {} if family in ("convnext", "resnet") else size
    own = timm.create_model(name, num_classes=0, **{**kwargs, **size}).eval()
    own.load_state_dict(model.backbone.body.state_dict(), strict=False)
    data = timm.data.resolve_model_data_config(own)
    mean, std = (torch.tensor(data[key])[:, None, None] for key in ("mean", "std"))
    pixels = (picture / 255.0 - mean) / std
    with torch.no_grad():
        maps = model.extract_features([picture]).maps
        if family in PLAIN:
            (expected,) = own.forward_intermediates(
                pixels[None], indices=1, norm=True, intermediates_only=True
            )
            expected = F.layer_norm(expected.permute(0, 2, 3, 1), expected.shape[1:2], eps=1e-6)
            expected = expected.permute(0, 3, 1, 2)
            torch.testing.assert_close(maps["res4"].data, expected, rtol=1e-4, atol=1e-4)
            return
        expected = own.forward_intermediates(pixels[None], indices=4, intermediates_only=True)
    for name, level in zip(STRIDES, expected, strict=True):
        torch.testing.assert_close(maps[name].data, level, rtol=1e-4, atol=1e-4)


def test_levels_are_normalised():
    backbone, bare = tiny("swin"), tiny("swin", out_norm=False)
    bare.load_state_dict(backbone.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 64)
    features, raw = backbone.eval()(x), bare.eval()(x)
    for name, data in features.items():
        expected = F.layer_norm(raw[name].permute(0, 2, 3, 1), raw[name].shape[1:2], eps=1e-6)
        torch.testing.assert_close(data, expected.permute(0, 3, 1, 2))


def test_pyramid_of_a_plain_transformer():
    backbone = tiny("dinov3").eval()
    x = torch.randn(1, 3, 64, 96)
    (grid,) = backbone.body.forward_intermediates(x, indices=1, norm=True, intermediates_only=True)
    pooled = F.max_pool2d(grid, 2).permute(0, 2, 3, 1)
    features = backbone(x)
    torch.testing.assert_close(
        features["res5"].permute(0, 2, 3, 1), F.layer_norm(pooled, pooled.shape[-1:], eps=1e-6)
    )
    # The finer levels are made cell by cell: a change of one cell stays in its own cells.
    changed = grid.clone()
    changed[:, :, 1, 2] += torch.randn(grid.shape[1])
    for name, scale in (("res2", 4), ("res3", 2)):
        difference = (backbone.levels(changed)[name] - backbone.levels(grid)[name]).abs().sum(1)
        cells = torch.zeros_like(difference, dtype=torch.bool)
        cells[:, scale : 2 * scale, 2 * scale : 3 * scale] = True
        assert torch.equal(difference > 0, cells)


def test_frames_are_padded_to_one_size():
    backbone = tiny("swin", img_size=64, out_norm=False).eval()
    name, kwargs, _ = TINY["swin"]
    own = timm.create_model(name, num_classes=0, img_size=64, **kwargs).eval()
    own.load_state_dict(backbone.body.state_dict(), strict=False)
    x = torch.randn(1, 3, 40, 60)
    expected = own.forward_intermediates(F.pad(x, (0, 4, 0, 24)), intermediates_only=True)
    for (name, data), level in zip(backbone(x).items(), expected, strict=True):
        rows, columns = -(-40 // STRIDES[name]), -(-60 // STRIDES[name])
        torch.testing.assert_close(data, level[..., :rows, :columns])
    with pytest.raises(ValueError, match=r"32×96 pixels.*MODEL.TIMM.IMG_SIZE 64"):
        backbone(torch.randn(1, 3, 32, 96))


def test_chosen_features():
    backbone = tiny("swin", out_features=["res4", "res2"], out_norm=False).eval()
    assert list(backbone.output_shape()) == ["res2", "res4"]
    assert backbone.size_divisibility == 16
    assert len(backbone.body.layers) == 3  # what comes after res4 is gone
    resnet = tiny("resnet", out_indices=[1, 2, 3, -1])
    assert [shape.stride for shape in resnet.output_shape().values()] == [4, 8, 16, 32]

    first = tiny("dinov3", out_indices=[0]).eval()
    assert len(first.body.blocks) == 1
    x = torch.randn(1, 3, 32, 32)
    (grid,) = first.body.forward_intermediates(x, indices=1, norm=True, intermediates_only=True)
    torch.testing.assert_close(first(x)["res4"], first.levels.levels["res4"](grid))


def test_drop_path_and_other_arguments(patch_cfg):
    cfg = timm_cfg(patch_cfg, "convnext")
    cfg.MODEL.TIMM.DROP_PATH = 0.25
    backbone = build_backbone(cfg)
    assert backbone.body.stages[-1].blocks[-1].drop_path.drop_prob == pytest.approx(0.25)
    swin = tiny("swin")  # -1: the model's own default
    assert swin.body.layers[-1].blocks[-1].drop_path1.drop_prob == pytest.approx(0.1)


def test_arguments_of_the_model_in_a_yaml_file(tmp_path):
    cfg = get_cfg()
    add_rcf_config(cfg)
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "MODEL: {TIMM: {KWARGS: {window_size: 4, embed_dim: 24}}, RCF: {HIDDEN_DIM: 8}}"
    )
    cfg.merge_from_file(str(file))
    assert dict(cfg.clone().MODEL.TIMM.KWARGS) == {"window_size": 4, "embed_dim": 24}


@pytest.mark.parametrize("family", ["swin", "dinov2"])
def test_rcf_trains_on_it(family, patch_cfg, make_clip):
    model = build_model(timm_cfg(patch_cfg, family)).train()
    losses = model([make_clip()])
    sum(losses.values()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize(
    "family, options, message",
    [
        ("swin", {"name": "swin_tiny_window7"}, "MODEL.TIMM.NAME is 'swin_tiny_.*swin_tiny_patch4"),
        ("swin", {"name": "swin_tiny_patch4_window7_224.x"}, "MODEL.TIMM.NAME.*ms_in1k"),
        ("swin", {"out_features": ["res1", "res2"]}, "MODEL.TIMM.OUT_FEATURES.*res1"),
        ("swin", {"out_indices": [0, 1, 2]}, "OUT_INDICES.*4, 8, 16"),
        ("swin", {"out_indices": [0, 1, 3, 3]}, "OUT_INDICES.*4, 8, 32, 32"),
        ("swin", {"out_indices": [0, 1, 2, 4]}, "OUT_INDICES.*4 features"),
        ("swin", {"model_kwargs": {"patch_size": 2}}, r"MODEL.TIMM.OUT_FEATURES.*\[2, 4, 8, 16\]"),
        ("dinov2", {"model_kwargs": {"patch_size": 14}}, "stride 14.*MODEL.TIMM.KWARGS"),
        ("dinov2", {"out_indices": [1, 2]}, "OUT_INDICES.*one block"),
        ("convnext", {"img_size": 224}, "MODEL.TIMM.IMG_SIZE is 224.*any size"),
        ("swin", {"name": "maxvit_tiny_rw_224"}, "MODEL.TIMM.IMG_SIZE is 0"),
    ],
)
def test_what_does_not_suit(family, options, message):
    name, kwargs, _ = TINY[family]
    own = {"name": name, **options, "model_kwargs": {**kwargs, **options.get("model_kwargs", {})}}
    with pytest.raises(ValueError, match=message):
        TimmBackbone(**own)


@pytest.mark.parametrize("pretrained, checkpoint", [(True, ""), (True, "x.pth"), (False, "x.pth")])
@pytest.mark.parametrize(
    "key, value",
    [
        ("MODEL.PIXEL_MEAN", [103.53, 116.28, 123.675]),
        ("MODEL.PIXEL_STD", [1.0, 1.0, 1.0]),
        ("INPUT.FORMAT", "BGR"),
    ],
)
def test_pixels_must_be_what_the_weights_expect(
    patch_cfg, caplog, key, value, pretrained, checkpoint
):
    cfg = timm_cfg(patch_cfg, "convnext")
    cfg.merge_from_list([key, value])
    assert TimmBackbone.from_config(cfg)["pretrained"] is False  # random weights expect nothing
    cfg.MODEL.TIMM.PRETRAINED, cfg.MODEL.TIMM.CHECKPOINT = pretrained, checkpoint
    if pretrained:
        with pytest.raises(ValueError, match=f"MODEL.TIMM.NAME 'convnext.*expect {key} "):
            TimmBackbone.from_config(cfg)
        return
    assert TimmBackbone.from_config(cfg)["pretrained"] is False
    assert f"expect {key} " in caplog.text


@pytest.mark.parametrize(
    "path",
    sorted([*CONFIGS.glob("rcf_swin*.yaml"), *(CONFIGS / "backbones").glob("*.yaml")]),
    ids=lambda path: path.stem,
)
def test_configs(path):
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.merge_from_file(str(path))
    assert cfg.OUTPUT_DIR == f"output/{path.stem}"
    assert cfg.DATASETS.TRAIN == ("ytvis_2019_train",)
    assert cfg.SOLVER.BASE_LR == 3e-4
    assert cfg.SOLVER.WEIGHT_DECAY == 1e-2
    assert cfg.SOLVER.BACKBONE_MULTIPLIER == (0.1 if "dino" in path.stem else 1.0)
    # The published weights exist, and expect the pixels that the config gives.
    arguments = TimmBackbone.from_config(cfg)
    assert arguments["pretrained"] is True
    assert arguments["name"] in timm.list_pretrained()


@pytest.mark.parametrize("family", ["swin", "convnext", "dinov2"])
def test_activation_checkpointing_gives_the_same_gradients(family):
    backbone = tiny(family, drop_path=0.0).double()
    image = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    gradients = []
    for _ in range(2):
        backbone.zero_grad()
        sum(data.square().sum() for data in backbone(image).values()).backward()
        gradients.append([p.grad.clone() for p in backbone.parameters()])
        backbone.set_grad_checkpointing()
    assert any(getattr(module, "grad_checkpointing", False) for module in backbone.modules())
    for plain, again in zip(*gradients, strict=True):
        torch.testing.assert_close(again, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("family", ["swin", "dinov2"])
def test_positions_do_not_decay(family, patch_cfg):
    model = build_model(timm_cfg(patch_cfg, family))
    groups = parameter_groups(model, base_lr=1.0, weight_decay=0.1)
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    words = ("relative_position_bias_table", "pos_embed", "cls_token")
    positions = [n for n, _ in model.backbone.named_parameters() if n.endswith(words)]
    assert positions
    for name, parameter in model.backbone.named_parameters():
        assert decays[id(parameter)] == (0.0 if name in positions else 0.1), name
