"""Equations 1 and 2 against loops, and what padding may not do."""

import math

import pytest
import torch
from torch import nn

from rcf_vis.modeling import FeatureMap, ReferenceTokenizer, TargetTokenizer
from rcf_vis.modeling.position_encoding import sine_position_encoding
from rcf_vis.modeling.tokens import adaptive_pool_weights

C, DIM = 6, 8


def feature_map(size=(5, 7), batch=1, image_size=None, seed=0) -> FeatureMap:
    generator = torch.Generator().manual_seed(seed)
    data = torch.randn(batch, C, *size, generator=generator, dtype=torch.float64)
    image_size = image_size or (size[0] * 32, size[1] * 32)
    return FeatureMap(data, 32, (image_size,) * batch)


def position(y, x):
    return sine_position_encoding(torch.tensor([y, x], dtype=torch.float64), DIM)


def test_equation_1():
    f = feature_map((3, 4), image_size=(90, 128))
    tokenizer = TargetTokenizer(in_channels=C, hidden_dim=DIM).double()
    tokens = tokenizer(f).tokens[0]
    weight, bias = tokenizer.proj.weight[:, :, 0, 0], tokenizer.proj.bias
    for y in range(3):
        for x in range(4):
            expected = weight @ f.data[0, :, y, x] + bias
            expected = expected + position((y + 0.5) * 32 / 90, (x + 0.5) * 32 / 128)
            torch.testing.assert_close(tokens[y * 4 + x], expected)


@pytest.mark.parametrize("act", ["sigmoid", "none", "softmax"])
@pytest.mark.parametrize(("delta", "k"), [(1, 2), (3, 2), (2, 1), (1, 4)])
def test_equation_2(act, delta, k):
    height, width = 5, 7
    references = [feature_map((height, width), seed=i) for i in range(delta)]
    tokenizer = ReferenceTokenizer(
        in_channels=C, hidden_dim=DIM, num_frames=delta, token_size=k, weight_act=act
    ).double()
    tokens = tokenizer(references).tokens[0]
    assert tokens.shape == (k * k, DIM)

    f_ref = torch.cat([r.data[0] for r in references])  # newest first
    logits = (tokenizer.weight.weight[0, :, 0, 0][:, None, None] * f_ref).sum(0)
    logits = logits + tokenizer.weight.bias
    w = {
        "sigmoid": lambda: 1 / (1 + torch.exp(-logits)),
        "none": lambda: logits,
        "softmax": lambda: torch.exp(logits) / torch.exp(logits).sum(),
    }[act]()
    for i in range(k):
        for j in range(k):
            rows = range(i * height // k, math.ceil((i + 1) * height / k))
            columns = range(j * width // k, math.ceil((j + 1) * width / k))
            cells = [w[y, x] * f_ref[:, y, x] for y in rows for x in columns]
            mean = sum(cells) / len(cells)
            expected = tokenizer.proj.weight[:, :, 0, 0] @ mean + tokenizer.proj.bias
            y = sum((r + 0.5) / height for r in rows) / len(rows)
            x = sum((c + 0.5) / width for c in columns) / len(columns)
            torch.testing.assert_close(tokens[i * k + j], expected + position(y, x))


def test_weight_off_is_a_weight_of_one():
    references = [feature_map()]
    on = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, weight_act="none").double()
    off = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, weight_on=False).double()
    assert off.weight is None
    nn.init.zeros_(on.weight.weight)
    nn.init.ones_(on.weight.bias)
    on.proj.load_state_dict(off.proj.state_dict())
    torch.testing.assert_close(on(references).tokens, off(references).tokens)


def test_depthwise_convolution_begins_as_the_average():
    f = feature_map((8, 16))
    conv = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, pool="dwconv").double()
    pool = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1).double()
    assert pool.pool is None and conv.pool.groups == C
    pool.load_state_dict(conv.state_dict(), strict=False)
    torch.testing.assert_close(conv([f]).tokens, pool([f]).tokens)
    nn.init.normal_(conv.pool.weight)
    assert not torch.allclose(conv([f]).tokens, pool([f]).tokens)


@pytest.mark.parametrize(("valid", "bins"), [(7, 2), (7, 3), (3, 3), (2, 4), (1, 2)])
def test_pool_weights_are_those_of_adaptive_pooling(valid, bins):
    x = torch.randn(valid, dtype=torch.float64)
    weights = adaptive_pool_weights(valid, valid + 3, bins)
    assert weights[:, valid:].abs().max() == 0
    expected = nn.AdaptiveAvgPool1d(bins)(x[None])[0]
    torch.testing.assert_close(weights[:, :valid] @ x, expected)


def test_both_grids_speak_of_the_same_places():
    """With K as large as the map, cell for cell, the positions are those of the target."""
    f = feature_map((4, 4), image_size=(100, 128))
    reference = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, token_size=4)
    target = TargetTokenizer(in_channels=C, hidden_dim=DIM)
    for tokenizer in (reference.double(), target.double()):
        nn.init.zeros_(tokenizer.proj.weight)
        nn.init.zeros_(tokenizer.proj.bias)
    torch.testing.assert_close(reference([f]).tokens, target(f).tokens)


@pytest.mark.parametrize("act", ["sigmoid", "none", "softmax"])
@pytest.mark.parametrize("pool", ["pool", "dwconv"])
def test_padding_is_not_seen(act, pool):
    alone = feature_map((3, 4), image_size=(90, 120))
    padded = torch.full((1, C, 6, 9), 1e3, dtype=torch.float64)
    padded[:, :, :3, :4] = alone.data
    padded = FeatureMap(padded, 32, alone.image_sizes)
    reference = ReferenceTokenizer(
        in_channels=C, hidden_dim=DIM, num_frames=2, weight_act=act, pool=pool
    ).double()
    expected = reference([alone, alone]).tokens
    torch.testing.assert_close(reference([padded, padded]).tokens, expected)

    target = TargetTokenizer(in_channels=C, hidden_dim=DIM).double()
    group = target(padded)
    torch.testing.assert_close(group.tokens[~group.padding], target(alone).tokens[0])
    assert int((~group.padding).sum()) == 12


def test_wrong_number_of_references_and_unknown_switches():
    tokenizer = ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=2)
    with pytest.raises(ValueError, match="expected 2 reference frames, got 1"):
        tokenizer([feature_map()])
    with pytest.raises(ValueError, match="REF_WEIGHT_ACT is 'relu'"):
        ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, weight_act="relu")
    with pytest.raises(ValueError, match="REF_POOL is 'max'"):
        ReferenceTokenizer(in_channels=C, hidden_dim=DIM, num_frames=1, pool="max")
