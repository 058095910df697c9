"""Small audio files, and the patch of a frame, computed the slow way."""

import io
import json
import math
import struct
from pathlib import Path

import av
import numpy as np
import torch
from scipy.io import wavfile

from rcf_vis.audio import LogMelSpectrogram

from .clip_data import make_content, write_frames

SILENCE = math.log(0.01)


def noise(seconds: float, rate: int = 16000, channels: int = 1, seed: int = 0) -> np.ndarray:
    """(n, channels) int16."""
    generator = np.random.default_rng(seed)
    return (generator.normal(size=(round(seconds * rate), channels)) * 6000).astype(np.int16)


def write_wav(path: Path, samples: np.ndarray, rate: int = 16000) -> None:
    """Samples (n,) or (n, channels)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, samples)


def wav_header_with_rate(path: Path, rate: int) -> None:
    """Overwrite the sample rate that a wav file says it has."""
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", rate)
    path.write_bytes(content)


def write_video_file(path: Path, audio: np.ndarray | None, rate: int = 16000) -> None:
    """A Matroska file of six pictures, six a second, with a mono int16 audio track or without."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        video = container.add_stream("mpeg4", rate=6)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        if audio is not None:
            track = container.add_stream("pcm_s16le", rate=rate)
            track.layout = "mono"
        for _ in range(6):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode())
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(audio.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate = rate
            container.mux(track.encode(frame))
            container.mux(track.encode())
    path.write_bytes(buffer.getvalue())


def expected_patch(
    samples: np.ndarray, frame: int, frame_rate: float, patch_frames: int
) -> torch.Tensor:
    """The patch of a frame, of int16 samples (n, channels) at 16 kHz, by the definition."""
    mono = torch.from_numpy(samples.astype(np.float64).mean(axis=1) / 2**15)
    end = math.ceil((frame + 1) * 16000 / frame_rate)
    mono = torch.nn.functional.pad(mono, (0, max(0, end - len(mono))))[:end]
    complete = max(0, (end - 400) // 160 + 1)
    log_mel = LogMelSpectrogram()(mono)[:complete].float()
    return torch.cat((torch.full((patch_frames, 64), SILENCE), log_mel))[-patch_frames:]


def content_with_audio(lengths: tuple[int, ...], frame_rate: float | None = None) -> dict:
    content = make_content(lengths=lengths)
    if frame_rate is not None:
        for video in content["videos"]:
            video["frame_rate"] = frame_rate
    return content


def write_audio_dataset(
    root: Path, audio: dict[str, np.ndarray], *, lengths: tuple[int, ...], **kwargs
) -> tuple[str, str, str]:
    """A json, frames, and wav files of 16 kHz by the name of their video → the three paths."""
    content = content_with_audio(lengths, **kwargs)
    write_frames(content, root / "JPEGImages")
    (root / "instances.json").write_text(json.dumps(content))
    (root / "audio").mkdir(exist_ok=True)
    for name, samples in audio.items():
        write_wav(root / "audio" / f"{name}.wav", samples)
    return str(root / "instances.json"), str(root / "JPEGImages"), str(root / "audio")
