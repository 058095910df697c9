import pytest
import torch
from torch.nn import functional as F

from rcf_vis.modeling import FeatureMap, RobustContextFusion, TokenGroup
from rcf_vis.modeling.transformer import DecoderLayer, EncoderLayer

C, DIM = 6, 8


def attention(module, query, key, value, padding=None):
    """Scaled dot-product attention with several heads, in loops."""
    dim = query.shape[-1]
    wq, wk, wv = module.in_proj_weight.chunk(3)
    bq, bk, bv = module.in_proj_bias.chunk(3)
    heads, width = module.num_heads, dim // module.num_heads
    q, k, v = query @ wq.T + bq, key @ wk.T + bk, value @ wv.T + bv
    out = torch.zeros_like(q)
    for b in range(q.shape[0]):
        for h in range(heads):
            part = slice(h * width, (h + 1) * width)
            scores = q[b, :, part] @ k[b, :, part].T / width**0.5
            if padding is not None:
                scores[:, padding[b]] = float("-inf")
            out[b, :, part] = scores.softmax(-1) @ v[b, :, part]
    return out @ module.out_proj.weight.T + module.out_proj.bias


def feed_forward(layer, x):
    first, last = layer.feed_forward[0], layer.feed_forward[3]
    return F.relu(x @ first.weight.T + first.bias) @ last.weight.T + last.bias


LAYER = {"dim": DIM, "num_heads": 2, "dim_feedforward": 12, "dropout": 0.0}


@pytest.mark.parametrize("pre_norm", [False, True])
def test_encoder_layer(pre_norm):
    layer = EncoderLayer(**LAYER, pre_norm=pre_norm).double()
    x = torch.randn(2, 5, DIM, dtype=torch.float64)
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = True
    n1, n2 = layer.norm_self_attn, layer.norm_feed_forward
    if pre_norm:
        y = n1(x)
        y = x + attention(layer.self_attn, y, y, y, padding)
        expected = y + feed_forward(layer, n2(y))
    else:
        y = n1(x + attention(layer.self_attn, x, x, x, padding))
        expected = n2(y + feed_forward(layer, y))
    torch.testing.assert_close(layer(x, padding), expected)


def test_decoder_layer():
    layer = DecoderLayer(**LAYER, pre_norm=False).double()
    slots, queries = torch.randn(2, 2, 3, DIM, dtype=torch.float64)
    memory = torch.randn(2, 5, DIM, dtype=torch.float64)
    asking = slots + queries
    x = layer.norm_self_attn(slots + attention(layer.self_attn, asking, asking, slots))
    x = layer.norm_cross_attn(x + attention(layer.cross_attn, x + queries, memory, memory))
    expected = layer.norm_feed_forward(x + feed_forward(layer, x))
    torch.testing.assert_close(layer(slots, queries, memory, None), expected)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="HIDDEN_DIM .8. must be a multiple of NHEADS .3."):
        EncoderLayer(**{**LAYER, "num_heads": 3}, pre_norm=False)


def feature_map(seed, size=(3, 4)):
    generator = torch.Generator().manual_seed(seed)
    data = torch.randn(2, C, *size, generator=generator)
    return FeatureMap(data, 32, ((size[0] * 32, size[1] * 32),) * 2)


def fusion(**kwargs):
    arguments = {"in_channels": C, "hidden_dim": DIM, "num_layers": 1, "num_heads": 2}
    return RobustContextFusion(**{**arguments, "dropout": 0.0, "dim_feedforward": 12, **kwargs})


@pytest.mark.parametrize(("delta", "k"), [(0, 2), (1, 1), (1, 2), (2, 4)])
def test_number_of_tokens(delta, k):
    module = fusion(num_reference_frames=delta, ref_token_size=k)
    fused = module(feature_map(0), [feature_map(1 + i) for i in range(delta)])
    assert fused.tokens.shape == (2, 12 + (k * k if delta else 0), DIM)
    assert fused.target.data.shape == (2, DIM, 3, 4)
    torch.testing.assert_close(fused.target.data[:, :, 1, 2], fused.tokens[:, 1 * 4 + 2])
    assert (module.reference_tokens is None) == (delta == 0)


def test_every_source_reaches_the_target():
    module = fusion(num_reference_frames=2)
    references = [feature_map(1), feature_map(2)]
    sound = TokenGroup(torch.randn(2, 3, DIM))
    base = module(feature_map(0), references, [sound])
    assert base.tokens.shape[1] == 12 + 4 + 3
    older = module(feature_map(0), [feature_map(1), feature_map(3)], [sound])
    swapped = module(feature_map(0), references[::-1], [sound])
    louder = module(feature_map(0), references, [TokenGroup(sound.tokens * 2)])
    muted = TokenGroup(sound.tokens, torch.ones(2, 3, dtype=torch.bool))
    without = module(feature_map(0), references)
    for other in (older, swapped, louder, without):
        assert (other.target.data - base.target.data).abs().max() > 1e-3
    silent = module(feature_map(0), references, [muted])
    torch.testing.assert_close(silent.target.data, without.target.data)


def test_negative_delta():
    with pytest.raises(ValueError, match="NUM_REFERENCE_FRAMES is -1"):
        fusion(num_reference_frames=-1)
