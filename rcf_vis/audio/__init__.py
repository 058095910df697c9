"""Audio: reading files and streams, log-mel spectrograms, patches for frames, cached features."""

from .log_mel import SILENCE, LogMelSpectrogram
from .patches import GrowingTrack, audio_patches, samples_before, split_by_frames
from .reading import AudioFile, NoAudioTrack, read_audio
from .samples import to_mono
from .stream import AudioStream

__all__ = [
    "SILENCE",
    "AudioFile",
    "AudioStream",
    "GrowingTrack",
    "LogMelSpectrogram",
    "NoAudioTrack",
    "audio_patches",
    "read_audio",
    "samples_before",
    "split_by_frames",
    "to_mono",
]
