"""The audio branch of the network: the audio net, and the tokens of its features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from detectron2.config import CfgNode, configurable
from torch import Tensor, nn

from rcf_vis.audio.log_mel import NUM_MELS, SILENCE
from rcf_vis.modeling.tokens import TokenGroup

from .audio_tokens import AudioTokenizer
from .nets import build_audio_net

__all__ = ["AudioContext"]


class AudioContext(nn.Module):
    """From log-mel patches to audio tokens, in two steps, as each a_t is used 1 + δ times.

    Args:
        net: ``(B, η, 64)`` → ``(B, C_a)``.
        tokens: a_{t−δ} … a_t → audio tokens.
        freeze: leave the weights of ``net`` as they are; it then stays in evaluation mode.
        patch_frames: η.
    """

    @configurable
    def __init__(
        self, *, net: nn.Module, tokens: AudioTokenizer, freeze: bool = True, patch_frames: int = 96
    ) -> None:
        super().__init__()
        self.net = net
        self.tokens = tokens
        self.frozen = freeze
        self.patch_frames = patch_frames
        if freeze:
            net.requires_grad_(False)
            net.eval()

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        audio = cfg.MODEL.RCF.AUDIO
        return {
            "net": build_audio_net(cfg),
            "tokens": AudioTokenizer(
                feature_dim=audio.FEATURE_DIM,
                hidden_dim=cfg.MODEL.RCF.HIDDEN_DIM,
                lstm_hidden=audio.LSTM_HIDDEN,
                lstm_layers=audio.LSTM_LAYERS,
            ),
            "freeze": audio.FREEZE,
            "patch_frames": audio.NUM_FRAMES,
        }

    @property
    def device(self) -> torch.device:
        return self.tokens.lstm.weight_ih_l0.device

    @property
    def dtype(self) -> torch.dtype:
        return self.tokens.lstm.weight_ih_l0.dtype

    def train(self, mode: bool = True) -> AudioContext:
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self

    def features(self, patches: Tensor) -> Tensor:
        """a_t of patches ``(B, η, 64)`` on any device: ``(B, C_a)``.

        Raises:
            ValueError: the patches have another shape.
        """
        expected = (self.patch_frames, NUM_MELS)
        if patches.dim() != 3 or tuple(patches.shape[1:]) != expected:
            raise ValueError(
                f"audio patches of {tuple(patches.shape)}, expected (B, {self.patch_frames}, "
                f"{NUM_MELS})"
            )
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return self.net(patches.to(self.device, self.dtype))

    def features_of_frame(self, audio: Tensor | None) -> Tensor:
        """a_t of one frame, ``(1, C_a)``.

        Args:
            audio: its patch, ``(η, 64)``, or a_t itself, ``(C_a,)``; None is silence.
        """
        if audio is not None and audio.dim() == 1:
            return self._check_width(audio.to(self.device, self.dtype)[None])
        return self.features((self.silence(self.device) if audio is None else audio)[None])

    def features_of_clips(self, clips: Sequence[Mapping], num_frames: int) -> Tensor:
        """a_t of each frame of a batch of clips, ``(T, B, C_a)``.

        Args:
            clips: each with ``audio``, ``(T, η, 64)``, or ``audio_features``, ``(T, C_a)``; one
                with neither is silent.
            num_frames: T.

        Raises:
            ValueError: another number of frames, another width, or features that were computed
                before for a net that is to be trained.
        """
        if all("audio_features" in clip for clip in clips):
            if self.training and not self.frozen:
                raise ValueError(
                    "audio_features of a cache train no audio net: set MODEL.RCF.AUDIO.FREEZE True "
                    "or DATASETS.AUDIO_CACHE ''"
                )
            features = torch.stack([clip["audio_features"] for clip in clips], dim=1)
            _check_length(len(features), num_frames)
            return self._check_width(features.to(self.device))
        silent = self.silence().expand(num_frames, -1, -1)
        patches = torch.stack([clip.get("audio", silent) for clip in clips], dim=1)
        _check_length(len(patches), num_frames)
        return self.features(patches.flatten(0, 1)).unflatten(0, (num_frames, len(clips)))

    def silence(self, device: torch.device | str = "cpu") -> Tensor:
        """The patch ``(η, 64)`` of a silent frame."""
        return torch.full((self.patch_frames, NUM_MELS), SILENCE, device=device)

    def forward(self, features: Sequence[Tensor]) -> TokenGroup:
        """Audio tokens of a_{t−δ} … a_t, see :class:`AudioTokenizer`."""
        return self.tokens(features)

    def _check_width(self, features: Tensor) -> Tensor:
        expected = self.tokens.lstm.input_size
        if features.shape[-1] != expected:
            raise ValueError(
                f"audio features of {features.shape[-1]} numbers, expected {expected} "
                "(MODEL.RCF.AUDIO.FEATURE_DIM)"
            )
        return features


def _check_length(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"a clip of {expected} frames with audio for {found} of them")
