"""The audio tokens against an LSTM in loops."""

import math

import pytest
import torch

from rcf_vis.modeling.audio import AudioTokenizer

C_A, DIM, HIDDEN = 5, 8, 3


def lstm_direction(lstm, suffix, sequence):
    """The hidden states of one direction of one layer over a list of vectors."""
    w_input, w_hidden = (getattr(lstm, f"weight_{k}_{suffix}") for k in ("ih", "hh"))
    bias = getattr(lstm, f"bias_ih_{suffix}") + getattr(lstm, f"bias_hh_{suffix}")
    hidden, cell, states = torch.zeros(HIDDEN), torch.zeros(HIDDEN), []
    for x in sequence:
        i, f, g, o = (w_input @ x + w_hidden @ hidden + bias).chunk(4)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        states.append(hidden)
    return states


def expected_tokens(module, sequence):
    for layer in (0, 1):
        forward = lstm_direction(module.lstm, f"l{layer}", sequence)
        backward = lstm_direction(module.lstm, f"l{layer}_reverse", sequence[::-1])[::-1]
        sequence = [torch.cat(pair) for pair in zip(forward, backward, strict=True)]
    first, last = module.proj[0], module.proj[2]
    tokens = []
    for k, x in enumerate(sequence):
        token = last.weight @ (first.weight @ x + first.bias).clamp(min=0) + last.bias
        time = (k + 0.5) / len(sequence)
        for pair in range(DIM // 2):
            angle = 2 * math.pi * time / 10000 ** (2 * pair / DIM)
            token[2 * pair] += math.sin(angle)
            token[2 * pair + 1] += math.cos(angle)
        tokens.append(token)
    return torch.stack(tokens)


@pytest.mark.parametrize("delta", [0, 1, 3])
def test_tokens_by_hand(delta):
    module = AudioTokenizer(feature_dim=C_A, hidden_dim=DIM, lstm_hidden=HIDDEN)
    features = torch.randn(1 + delta, 2, C_A)
    with torch.no_grad():
        group = module(features)
        assert group.tokens.shape == (2, 1 + delta, DIM) and group.padding is None
        for b in range(2):
            expected = expected_tokens(module, list(features[:, b]))
            torch.testing.assert_close(group.tokens[b], expected, atol=1e-5, rtol=1e-5)
