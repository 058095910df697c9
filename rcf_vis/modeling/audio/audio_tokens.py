"""Audio tokens O_aud of the features a_{t−δ} … a_t (section III-C3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rcf_vis.modeling.position_encoding import sine_position_encoding
from rcf_vis.modeling.tokens import TokenGroup

__all__ = ["AudioTokenizer"]


class AudioTokenizer(nn.Module):
    """A bidirectional LSTM over the features, then two linear layers with a ReLU between them.

    The position of a token is its time within the window, as sines and cosines [ours].

    Args:
        feature_dim: C_a.
        hidden_dim: C'.
        lstm_hidden: width of each direction, and between the linear layers [ours].
        lstm_layers: layers of the LSTM.
    """

    def __init__(
        self, *, feature_dim: int, hidden_dim: int, lstm_hidden: int = 512, lstm_layers: int = 2
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            feature_dim, lstm_hidden, lstm_layers, batch_first=True, bidirectional=True
        )
        self.proj = nn.Sequential(
            nn.Linear(2 * lstm_hidden, lstm_hidden), nn.ReLU(), nn.Linear(lstm_hidden, hidden_dim)
        )

    def forward(self, features: Sequence[Tensor]) -> TokenGroup:
        """a_{t−δ} … a_t, ``(B, C_a)`` each, oldest first → 1 + δ tokens of width C'."""
        hidden, _ = self.lstm(torch.stack(tuple(features), dim=1))
        tokens = self.proj(hidden)
        count, width = tokens.shape[1:]
        times = (torch.arange(count, device=tokens.device, dtype=torch.float32) + 0.5) / count
        return TokenGroup(tokens + sine_position_encoding(times[:, None], width).to(tokens.dtype))
