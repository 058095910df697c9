"""A small audio net, for the bundled model and for experiments without VGGish [ours]."""

from __future__ import annotations

from torch import Tensor, nn

from rcf_vis.audio.log_mel import NUM_MELS

__all__ = ["SmallAudioNet"]

_WIDTHS = (16, 32, 64, 64)
_GROUPS = 8  # of the normalisation


class SmallAudioNet(nn.Module):
    """Four convolutions of stride 2 and one linear layer; 0.26 M parameters for C_a = 128.

    Args:
        feature_dim: C_a.
        patch_frames: η.
    """

    def __init__(self, *, feature_dim: int = 128, patch_frames: int = 96) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        layers: list[nn.Module] = []
        channels, height, width = 1, patch_frames, NUM_MELS
        for next_channels in _WIDTHS:
            layers += [
                nn.Conv2d(channels, next_channels, kernel_size=3, stride=2, padding=1),
                nn.GroupNorm(_GROUPS, next_channels),
                nn.ReLU(),
            ]
            channels, height, width = next_channels, -(-height // 2), -(-width // 2)
        self.features = nn.Sequential(*layers)
        # Both the time within the patch and the pitch matter: no average over either.
        self.embeddings = nn.Sequential(
            nn.Linear(channels * height * width, feature_dim), nn.ReLU()
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Log-mel patches ``(B, η, 64)`` → a_t, ``(B, C_a)``."""
        return self.embeddings(self.features(patches.unsqueeze(1)).flatten(1))
