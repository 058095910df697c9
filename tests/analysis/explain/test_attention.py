"""Attention weights, maps between groups of tokens, and their numbers, against loops."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from rcf_vis.analysis.explain.attention import (
    EncoderAttention,
    attention_weights,
    head_pca,
    lift,
    sharpness,
)

HEADS, DIM = 2, 8


def weights_in_loops(module, query, key, padding):
    """softmax(QKᵀ/√d_k), one head of one clip after the other."""
    wq, wk, _ = module.in_proj_weight.chunk(3)
    bq, bk, _ = module.in_proj_bias.chunk(3)
    width = query.shape[-1] // module.num_heads
    out = torch.zeros(len(query), module.num_heads, query.shape[1], key.shape[1])
    for b in range(len(query)):
        for head in range(module.num_heads):
            part = slice(head * width, (head + 1) * width)
            q, k = query[b] @ wq[part].T + bq[part], key[b] @ wk[part].T + bk[part]
            scores = q @ k.T / math.sqrt(width)
            scores[:, padding[b]] = float("-inf")
            out[b, head] = scores.softmax(-1)
    return out


@pytest.mark.parametrize("gradients", [False, True])  # without them PyTorch takes its fast path
@pytest.mark.parametrize("itself", [True, False])
def test_weights_of_a_call_that_did_not_ask_for_them(gradients, itself):
    module = nn.MultiheadAttention(DIM, HEADS, batch_first=True).eval()
    nn.init.normal_(module.in_proj_bias)
    query = torch.randn(2, 5, DIM)
    key = query if itself else torch.randn(2, 5, DIM)
    padding = torch.zeros(2, 5, dtype=torch.bool)
    padding[1, 3:] = True
    seen = []

    def look(module, args, kwargs, output):
        seen.append(attention_weights(module, args, kwargs))

    with torch.set_grad_enabled(gradients):
        call = {"key_padding_mask": padding, "need_weights": False}
        expected, _ = module(query, key, key, **call)
        handle = module.register_forward_hook(look, with_kwargs=True)
        observed, _ = module(query, key, key, **call)
        handle.remove()
        after, _ = module(query, key, key, **call)
        reference = weights_in_loops(module, query, key, padding)
    assert len(seen) == 1 and seen[0].shape == (2, HEADS, 5, 5)
    torch.testing.assert_close(seen[0], reference)
    torch.testing.assert_close(seen[0].sum(-1), torch.ones(2, HEADS, 5))
    assert torch.equal(observed, expected) and torch.equal(after, expected)


@pytest.fixture
def attention():
    """3×2 target cells, the last row padding, then 2 references and 1 token of audio."""
    padding = torch.tensor([False] * 4 + [True] * 2 + [False] * 3)
    scores = torch.randn(HEADS, 9, 9)
    scores[:, :, padding] = float("-inf")
    return EncoderAttention(
        weights=scores.softmax(-1),
        groups={"target": 6, "reference": 2, "audio": 1},
        padding=padding,
        grid=(3, 2),
        valid=(2, 2),
    )


def test_maps_by_hand(attention):
    w = attention.weights
    to_target = attention.map("reference", "target")
    from_target = attention.map("target", "reference")
    among = attention.map("target", "target")
    assert to_target.shape == from_target.shape == among.shape == (HEADS, 2, 2)
    for head in range(HEADS):
        for y in range(2):
            for x in range(2):
                cell = 2 * y + x
                asked = [float(w[head, k, cell]) for k in (6, 7)]
                assert float(to_target[head, y, x]) == pytest.approx(sum(asked) / 2)
                given = [float(w[head, cell, k]) for k in (6, 7)]
                assert float(from_target[head, y, x]) == pytest.approx(sum(given))
                received = [float(w[head, k, cell]) for k in range(4)]  # 4 and 5 are padding
                assert float(among[head, y, x]) == pytest.approx(sum(received) / 4)
    assert torch.equal(attention.map("audio", "target")[:, 1, 0], w[:, 8, 2])
    with pytest.raises(ValueError, match="'audio' to 'reference' has no map"):
        attention.map("audio", "reference")


def test_shares_add_up(attention):
    for asking in attention.groups:
        total = sum(attention.share(asking, asked) for asked in attention.groups)
        assert total == pytest.approx(1.0)
    by_hand = [float(attention.weights[h, k, 8]) for h in range(HEADS) for k in range(4)]
    assert attention.share("target", "audio") == pytest.approx(np.mean(by_hand))


def test_views_are_those_that_have_a_map(attention):
    views = [("reference", "target"), ("audio", "target"), ("target", "target")]
    assert attention.views() == [*views, ("target", "reference"), ("target", "audio")]
    for asking, asked in attention.views():
        attention.map(asking, asked)


def test_pca_of_the_heads():
    maps = torch.rand(8, 4, 6, dtype=torch.float64) * torch.arange(1, 9)[:, None, None]
    picture = head_pca(maps).numpy()
    assert picture.shape == (4, 6, 3)
    pixels = maps.flatten(1).T.numpy()
    _, vectors = np.linalg.eigh(np.cov(pixels.T))
    for channel in range(3):
        axis = vectors[:, -1 - channel] * np.sign(vectors[:, -1 - channel].sum())
        values = (pixels - pixels.mean(0)) @ axis
        expected = (values - values.min()) / (values.max() - values.min())
        np.testing.assert_allclose(picture[..., channel].ravel(), expected, atol=1e-9)


def test_pca_of_what_has_fewer_components():
    assert not head_pca(torch.full((8, 3, 3), 0.25)).any()
    one = torch.linspace(0, 1, 6).reshape(1, 2, 3)
    picture = head_pca(one.expand(8, 2, 3))
    torch.testing.assert_close(picture[..., 0], one[0].double())
    assert not picture[..., 1:].any()


def test_sharpness():
    assert sharpness(torch.ones(3, 2, 2)) == pytest.approx(0)
    peak = torch.zeros(1, 2, 2)
    peak[0, 1, 1] = 0.3
    assert sharpness(peak) == pytest.approx(1)
    halves = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    assert sharpness(torch.cat((peak, halves))) == pytest.approx((1 + 0.5) / 2)
    assert sharpness(torch.ones(2, 1, 1)) == 1


def test_lift():
    maps = torch.tensor([[[6.0, 2.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert lift(maps, torch.tensor([[1.0, 0.0], [0.0, 0.0]])) == pytest.approx((6 / 2 + 1) / 2)
    assert lift(maps[:1], torch.tensor([[0.5, 0.5], [0, 0]])) == pytest.approx(4 / 2)
    assert lift(maps, torch.zeros(2, 2)) is None
