"""Pretrained weights: from timm, from a local file, and none where a trained RCF brings its own."""

import logging
from urllib.error import URLError

import pytest
import timm
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.modeling import build_model
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed

from rcf_vis.checkpoint import load_part_weights
from rcf_vis.checkpoint.part_weights import load_backbone_weights
from rcf_vis.modeling import TimmBackbone

from .timm_models import TINY, timm_cfg


def own_model(family, **kwargs):
    """timm's complete model, with a classifier."""
    name, tiny, _ = TINY[family]
    return timm.create_model(name, num_classes=5, **{**tiny, **kwargs})


def load(family, path, **kwargs):
    name, tiny, _ = TINY[family]
    backbone = TimmBackbone(name=name, model_kwargs={**tiny, **kwargs})
    load_backbone_weights(backbone, str(path))
    return backbone


@pytest.mark.parametrize(
    "family, suffix", [*((family, ".pth") for family in TINY), ("swin", ".safetensors")]
)
def test_a_local_file(family, suffix, tmp_path):
    weights = {k: torch.randn_like(v.float()) for k, v in own_model(family).state_dict().items()}
    path = tmp_path / f"weights{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    loaded = load(family, path).body.state_dict()
    assert len(loaded) > 10
    for name, value in loaded.items():
        torch.testing.assert_close(value, weights[name].to(value.dtype))


def test_the_layout_of_the_original_swin(tmp_path):
    """There a level's patch merging comes at its end; timm has it at the beginning of the next."""
    weights = own_model("swin").state_dict()
    original = {}
    for name, value in weights.items():
        parts = name.split(".")
        if "downsample" in parts:
            parts[1] = str(int(parts[1]) - 1)
        original[".".join(parts).replace("head.fc", "head")] = value
    torch.save({"model": original}, tmp_path / "swin.pth")
    for name, value in load("swin", tmp_path / "swin.pth").body.state_dict().items():
        torch.testing.assert_close(value, weights[name])


def test_patches_of_14_pixels_become_16(tmp_path):
    published = own_model("dinov2", patch_size=14, img_size=518)
    torch.save(published.state_dict(), tmp_path / "dinov2.pth")
    body = load("dinov2", tmp_path / "dinov2.pth").body
    assert body.patch_embed.proj.weight.shape[-2:] == (16, 16)
    # The grid of positions stays what it was, and a patch of one colour says what it said.
    torch.testing.assert_close(body.pos_embed, published.pos_embed)
    before, after = (m.patch_embed.proj.weight.sum((2, 3)) for m in (published, body))
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)
    # Another grid is resampled.
    body = load("dinov2", tmp_path / "dinov2.pth", img_size=320).body
    expected = resample_abs_pos_embed(published.pos_embed, new_size=(20, 20), num_prefix_tokens=1)
    torch.testing.assert_close(body.pos_embed, expected)


def test_a_file_that_does_not_fit(tmp_path):
    path = tmp_path / "weights.pth"
    weights = own_model("convnext").state_dict()
    torch.save({k: v for k, v in weights.items() if not k.startswith("stem.0")}, path)
    with pytest.raises(ValueError, match=r"weights.pth.*missing stem.0.weight, stem.0.bias;"):
        load("convnext", path)
    torch.save({**weights, "stem.1.bias": torch.zeros(9)}, path)
    with pytest.raises(ValueError, match=r"of another shape stem.1.bias \(9,\) for \(8,\);"):
        load("convnext", path)
    torch.save({"something": torch.zeros(2), "else": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match=r"and \d+ more.*not known to the model something, else"):
        load("swin", path)
    path.write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"MODEL.TIMM.CHECKPOINT .*weights.pth.*could not be read"):
        load("swin", path)
    with pytest.raises(FileNotFoundError, match="MODEL.TIMM.CHECKPOINT '/no/where.pth'"):
        load("swin", "/no/where.pth")


@pytest.fixture
def no_network(monkeypatch):
    """timm without a network: random weights only."""
    create = timm.create_model

    def offline(name, pretrained=False, **kwargs):
        if pretrained:
            raise URLError("no route to host")
        return create(name, pretrained=False, **kwargs)

    monkeypatch.setattr(timm, "create_model", offline)


def test_without_a_network_the_error_says_what_to_do(patch_cfg, no_network):
    cfg = timm_cfg(patch_cfg, "swin")
    cfg.MODEL.TIMM.PRETRAINED = True
    with pytest.raises(RuntimeError) as info:
        build_model(cfg)
    for part in (
        "MODEL.TIMM.PRETRAINED is True",
        "no route to host",
        "'timm/swin_tiny_patch4_window7_224.ms_in1k' on the Hugging Face hub",
        "https://github.com/SwinTransformer/storage/releases/download/v1.0.0/",
        "MODEL.TIMM.CHECKPOINT",
        "MODEL.WEIGHTS",
        torch.hub.get_dir(),
    ):
        assert part in str(info.value)


def test_a_local_file_needs_no_network(patch_cfg, no_network, tmp_path):
    weights = own_model("swin").state_dict()
    torch.save(weights, tmp_path / "swin.pth")
    cfg = timm_cfg(patch_cfg, "swin")
    cfg.MODEL.TIMM.PRETRAINED, cfg.MODEL.TIMM.CHECKPOINT = True, str(tmp_path / "swin.pth")
    body = load_part_weights(build_model(cfg), cfg).backbone.body
    torch.testing.assert_close(body.patch_embed.proj.weight, weights["patch_embed.proj.weight"])


def test_a_trained_rcf_needs_neither(patch_cfg, no_network, tmp_path, caplog):
    cfg = timm_cfg(patch_cfg, "swin")
    trained = build_model(cfg)
    torch.save({"model": trained.state_dict()}, tmp_path / "model_final.pth")
    cfg.MODEL.TIMM.PRETRAINED, cfg.MODEL.TIMM.CHECKPOINT = True, "/gone/swin.pth"
    cfg.MODEL.WEIGHTS = str(tmp_path / "model_final.pth")
    with caplog.at_level(logging.INFO):
        model = load_part_weights(build_model(cfg), cfg)
    assert "the weights come from" in caplog.text
    DetectionCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], value)


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("hf-hub:someone/model", {}, "NAME is 'hf-hub:someone/model', expected a name of timm's"),
        ("resnet18", {"checkpoint_path": "x.pth"}, r"KWARGS has \['checkpoint_path'\], expected"),
        (
            "resnet18",
            {"pretrained_cfg_overlay": {"file": "x.pth"}},
            "has .'pretrained_cfg_overlay'",
        ),
    ],
)
def test_timm_reads_no_file_of_its_own(name, kwargs, message):
    with pytest.raises(ValueError, match=message):
        TimmBackbone(name=name, model_kwargs=kwargs)
