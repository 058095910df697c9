"""Instance decoder, mask decoder and heads."""

import math

import pytest
import torch
from torch import nn

from rcf_vis.modeling import (
    FeatureMap,
    FusedContext,
    InstanceDecoder,
    InstanceHeads,
    MaskDecoder,
)

DIMS = (16, 12, 8, 4)


def levels(image_size=(64, 96), channels=(20, 10, 6)):
    maps = []
    for stride, c in zip((16, 8, 4), channels, strict=True):
        size = [-(-side // stride) for side in image_size]
        maps.append(FeatureMap(torch.randn(1, c, *size), stride, (image_size,)))
    return maps


def mask_decoder(**kwargs):
    arguments = {"in_channels": 16, "lateral_channels": (20, 10, 6), "dims": DIMS, "mask_dim": 5}
    return MaskDecoder(**{**arguments, **kwargs})


def test_segmentation_map_has_stride_4():
    top = FeatureMap(torch.randn(1, 16, 2, 3), 32, ((64, 96),))
    segmentation = mask_decoder()(top, levels())
    assert segmentation.data.shape == (1, 5, 16, 24)
    assert segmentation.stride == 4


def test_places_are_added_to_the_segmentation_map():
    """A linear map of sines and cosines of 1, 2, 4 and 8 periods over the image, not the batch."""
    top = FeatureMap(torch.randn(1, 16, 2, 3), 32, ((60, 96),))
    placed = mask_decoder(positions=True)
    plain = mask_decoder()
    missing = plain.load_state_dict(placed.state_dict(), strict=False)
    assert missing.unexpected_keys == ["positions.weight"]
    finer = [FeatureMap(level.data, level.stride, ((60, 96),)) for level in levels()]
    before = plain(top, finer).data
    torch.testing.assert_close(placed(top, finer).data, before)  # it begins at 0
    weight = torch.randn(5, 16)
    placed.positions.weight.data.copy_(weight)
    added = (placed(top, finer).data - before)[0]
    for row, column in ((0, 0), (7, 20), (14, 23)):
        waves = [
            wave(2 * math.pi * periods * place)
            for place in ((4 * row + 2) / 60, (4 * column + 2) / 96)
            for periods in (1, 2, 4, 8)
            for wave in (math.sin, math.cos)
        ]
        expected = weight @ torch.tensor(waves)
        torch.testing.assert_close(added[:, row, column], expected, atol=1e-4, rtol=1e-4)


def test_width_halves_as_the_resolution_doubles():
    decoder = MaskDecoder(in_channels=256, lateral_channels=(1024, 512, 256))
    widths = [step.smooth[0].out_channels for step in decoder.steps]
    assert (decoder.top[0].out_channels, *widths) == (256, 256, 128, 64)
    assert decoder.segmentation.out_channels == 64


def test_every_level_matters():
    top = FeatureMap(torch.randn(1, 16, 2, 3), 32, ((64, 96),))
    finer, decoder = levels(), mask_decoder()
    base = decoder(top, finer).data
    for i, level in enumerate(finer):
        changed = FeatureMap(level.data + torch.randn_like(level.data), level.stride, ((64, 96),))
        other = decoder(top, [*finer[:i], changed, *finer[i + 1 :]]).data
        assert (other - base).abs().max() > 1e-3


def test_number_of_widths_is_checked():
    with pytest.raises(ValueError, match="MASK_DECODER_DIMS has 3 widths, expected 4"):
        mask_decoder(dims=(16, 8, 4))


def test_masks_are_dot_products():
    heads = InstanceHeads(hidden_dim=6, num_classes=3, mask_dim=4).double()
    code = torch.randn(2, 5, 6, dtype=torch.float64)
    segmentation = torch.randn(2, 4, 3, 7, dtype=torch.float64)
    logits, masks = heads(code, segmentation)
    assert logits.shape == (2, 5, 4)
    first, last = heads.filters[0], heads.filters[2]
    for b in range(2):
        for n in range(5):
            theta = last.weight @ (first.weight @ code[b, n] + first.bias).clamp(min=0) + last.bias
            for y in range(3):
                for x in range(7):
                    expected = (theta * segmentation[b, :, y, x]).sum()
                    torch.testing.assert_close(masks[b, n, y, x], expected)


def instance_decoder():
    return InstanceDecoder(
        num_queries=4, hidden_dim=8, num_layers=3, num_heads=2, dim_feedforward=12, dropout=0.0
    )


def fused_context(padding=None):
    tokens = torch.randn(2, 6, 8)
    padding = torch.zeros(2, 6, dtype=torch.bool) if padding is None else padding
    return FusedContext(tokens, padding, FeatureMap(torch.zeros(2, 8, 2, 3), 32, ((64, 96),) * 2))


def test_slot_i_is_query_i():
    decoder, context = instance_decoder(), fused_context()
    codes = decoder(context)
    assert [code.shape for code in codes] == [(2, 4, 8)] * 3
    order = torch.tensor([2, 0, 3, 1])
    decoder.queries.weight.data = decoder.queries.weight.data[order]
    torch.testing.assert_close(decoder(context)[-1], codes[-1][:, order])


def test_padded_tokens_are_not_attended_to():
    padding = torch.zeros(2, 6, dtype=torch.bool)
    padding[:, 4:] = True
    decoder, context = instance_decoder(), fused_context(padding)
    expected = decoder(context)[-1]
    context.tokens[:, 4:] = torch.randn(2, 2, 8) * 100
    torch.testing.assert_close(decoder(context)[-1], expected)
    context.tokens[:, 3] += 1
    assert (decoder(context)[-1] - expected).abs().max() > 1e-4


def test_queries_break_the_symmetry():
    decoder = instance_decoder()
    nn.init.zeros_(decoder.queries.weight)
    code = decoder(fused_context())[-1]
    torch.testing.assert_close(code, code[:, :1].expand_as(code))
