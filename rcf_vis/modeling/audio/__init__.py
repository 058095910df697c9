"""Audio in the network: patches → features a_t → audio tokens (sections III-C2, III-C3)."""

from .audio_context import AudioContext
from .audio_tokens import AudioTokenizer
from .nets import build_audio_net
from .small_net import SmallAudioNet
from .vggish import VGGish

__all__ = ["AudioContext", "AudioTokenizer", "SmallAudioNet", "VGGish", "build_audio_net"]
