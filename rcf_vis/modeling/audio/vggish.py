"""VGGish without its last linear layer: the audio net of the paper (section III-C2)."""

from __future__ import annotations

from torch import Tensor, nn

from rcf_vis.audio.log_mel import NUM_MELS

__all__ = ["VGGish"]

_WIDTHS = ((64,), (128,), (256, 256), (512, 512))  # of the convolutions between two poolings
_FEATURE_DIM = 4096


class VGGish(nn.Module):
    """Convolutions and two fully connected layers, with the parameter names of the public weights.

    The third linear layer of the original (``embeddings.4``, 4096 → 128) is left out, so a_t is
    what the second one gives after its ReLU.

    Args:
        patch_frames: η; the public weights are for 96.

    Attributes:
        feature_dim: C_a = 4096.
    """

    feature_dim = _FEATURE_DIM

    def __init__(self, *, patch_frames: int = 96) -> None:
        super().__init__()
        shrinking = 2 ** len(_WIDTHS)
        if patch_frames < shrinking:
            raise ValueError(
                f"MODEL.RCF.AUDIO.NUM_FRAMES is {patch_frames}, VGGish needs at least {shrinking}"
            )
        layers: list[nn.Module] = []
        channels = 1
        for widths in _WIDTHS:
            for width in widths:
                layers += [nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(kernel_size=2))
        self.features = nn.Sequential(*layers)
        cells = (patch_frames // shrinking) * (NUM_MELS // shrinking)
        self.embeddings = nn.Sequential(
            nn.Linear(channels * cells, _FEATURE_DIM),
            nn.ReLU(),
            nn.Linear(_FEATURE_DIM, _FEATURE_DIM),
            nn.ReLU(),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Log-mel patches ``(B, η, 64)`` → a_t, ``(B, 4096)``."""
        maps = self.features(patches.unsqueeze(1))
        # In the order time, frequency, channel, which is that of the published weights
        return self.embeddings(maps.permute(0, 2, 3, 1).flatten(1))
