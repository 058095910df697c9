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
    audio = TokenGroup(torch.randn(2, 3, DIM))
    base = module(feature_map(0), references, [audio])
    assert base.tokens.shape[1] == 12 + 4 + 3
    older = module(feature_map(0), [feature_map(1), feature_map(3)], [audio])
    swapped = module(feature_map(0), references[::-1], [audio])
    louder = module(feature_map(0), references, [TokenGroup(audio.tokens * 2)])
    muted = TokenGroup(audio.tokens, torch.ones(2, 3, dtype=torch.bool))
    without = module(feature_map(0), references)
    for other in (older, swapped, louder, without):
        assert (other.target.data - base.target.data).abs().max() > 1e-3
    silent = module(feature_map(0), references, [muted])
    torch.testing.assert_close(silent.target.data, without.target.data)


@pytest.mark.parametrize("delta", [1, 3])
def test_full_references_in_the_encoder_by_hand(delta):
    """Table IV, "full_encoder": δ·H·W reference tokens beside those of the target."""
    module = fusion(num_reference_frames=delta, fusion="full_encoder")
    target, *references = (feature_map(seed) for seed in range(delta + 1))
    frames = module.reference_tokens.frames
    groups = [module.target_tokens(target)]
    groups += [frame(reference) for frame, reference in zip(frames, references, strict=True)]
    expected = torch.cat([group.tokens for group in groups], dim=1)
    assert expected.shape[1] == (1 + delta) * 12
    for layer in module.layers:
        expected = layer(expected, None)
    torch.testing.assert_close(module(target, references).tokens, expected)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_full_references_join_before_the_decoder(pre_norm):
    """Table IV, "full_decoder": two encoders that know nothing of each other."""
    module = fusion(num_reference_frames=2, fusion="full_decoder", pre_norm=pre_norm)
    target, *references = (feature_map(seed) for seed in range(3))
    fused = module(target, references)
    apart = [module.target_tokens(target).tokens, module.reference_tokens(references).tokens]
    stacks = [(module.layers, module.norm), (module.reference_layers, module.reference_norm)]
    for k, (layers, norm) in enumerate(stacks):
        for layer in layers:
            apart[k] = layer(apart[k], None)
        apart[k] = norm(apart[k])
    torch.testing.assert_close(fused.tokens, torch.cat(apart, dim=1))
    others = module(target, [feature_map(7), feature_map(8)])
    torch.testing.assert_close(others.target.data, fused.target.data)
    assert (others.tokens[:, 12:] - fused.tokens[:, 12:]).abs().max() > 1e-3


def test_ages_of_full_references_are_told_apart():
    module = fusion(num_reference_frames=2, fusion="full_encoder")
    target, newer, older = (feature_map(seed) for seed in range(3))
    one, other = module(target, [newer, older]), module(target, [older, newer])
    assert (one.target.data - other.target.data).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["full_encoder", "full_decoder"])
def test_padding_of_full_references_is_not_seen(kind):
    module = fusion(num_reference_frames=1, fusion=kind)
    alone = [feature_map(seed) for seed in range(2)]
    padded = []
    for map_ in alone:
        data = torch.full((*map_.data.shape[:2], 3, 6), 50.0)
        data[..., :4] = map_.data
        padded.append(FeatureMap(data, map_.stride, map_.image_sizes))
    expected = module(alone[0], alone[1:]).target.data
    torch.testing.assert_close(module(padded[0], padded[1:]).target.data[..., :4], expected)


def test_unknown_fusion():
    with pytest.raises(ValueError, match=r"MODEL\.RCF\.FUSION is 'sum'"):
        fusion(fusion="sum")


def test_negative_delta():
    with pytest.raises(ValueError, match="NUM_REFERENCE_FRAMES is -1"):
        fusion(num_reference_frames=-1)
