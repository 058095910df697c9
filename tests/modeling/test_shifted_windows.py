"""Swin at sizes that its windows do not divide: padded first, then rolled."""

import copy

import pytest
import timm
import torch
from torch.nn import functional as F

from rcf_vis.modeling.backbone.shifted_windows import pad_before_shift

from .timm_models import TINY, randomise_norms, tiny


def window_attention(block, x):
    """Every token against every token; those in one shifted window, by their place, are let in."""
    height, width, (window, _), (shift, _) = *x.shape[1:3], block.window_size, block.shift_size
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    rows, columns = x.shape[1:3]
    places = [(r, c) for r in range(rows) for c in range(columns)]
    tokens = x.reshape(len(places), -1)
    heads = block.attn.num_heads
    q, k, v = block.attn.qkv(tokens).reshape(len(places), 3, heads, -1).permute(1, 2, 0, 3)
    scores = q @ k.transpose(1, 2) * q.shape[-1] ** -0.5
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            same = all(
                (p - shift) // window == (o - shift) // window for p, o in zip(a, b, strict=True)
            )
            entry = (a[0] - b[0] + window - 1) * (2 * window - 1) + a[1] - b[1] + window - 1
            if same:
                scores[:, i, j] += block.attn.relative_position_bias_table[entry]
            else:
                scores[:, i, j] = float("-inf")
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).reshape(len(places), -1)
    return block.attn.proj(mixed).reshape(1, rows, columns, -1)[:, :height, :width]


@pytest.mark.parametrize("index", [0, 1])
def test_shifted_windows_at_any_size(index):
    backbone = tiny("swin", model_kwargs={"window_size": 3}).eval()
    block = backbone.body.layers[1].blocks[index]
    assert any(block.shift_size) == bool(index)
    with torch.no_grad():
        torch.nn.init.normal_(block.attn.relative_position_bias_table)
        for size in [(6, 3), (5, 7), (4, 2)]:
            x = torch.randn(1, *size, 16)
            torch.testing.assert_close(block._attn(x), window_attention(block, x))


@pytest.mark.parametrize("family", ["swin", "swinv2"])
def test_the_bottom_of_an_image_is_not_beside_its_top(family):
    backbone = tiny(family, out_features=["res2"], model_kwargs={"window_size": 3}).eval()
    randomise_norms(backbone)
    x = torch.randn(1, 3, 68, 68)  # 17 × 17 cells, which windows of 3 do not divide
    changed = x.clone()
    changed[:, :, -8:], changed[:, :, :, -8:] = 3.0, -3.0
    far = slice(0, 6)  # two blocks reach 5 cells; the change is in the last 2
    with torch.no_grad():
        features = [backbone(image)["res2"][..., far, far] for image in (x, changed)]
    torch.testing.assert_close(*features, rtol=0, atol=0)


def test_blocks_that_pad_first_have_the_same_parameters():
    name, kwargs, _ = TINY["swin"]
    model = timm.create_model(name, strict_img_size=False, always_partition=True, **kwargs).eval()
    x = torch.randn(1, 3, 128, 192)  # whole windows at every level
    before, names = model(x), list(model.state_dict())
    pad_before_shift(model)
    torch.testing.assert_close(model(x), before)
    assert list(model.state_dict()) == names
    torch.testing.assert_close(copy.deepcopy(model)(x), before)
