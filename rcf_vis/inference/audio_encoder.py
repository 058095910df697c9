"""The audio track of a video that is being written."""

from fractions import Fraction

import av
import numpy as np

__all__ = ["AudioEncoder"]

# What AAC can have; audio of another rate is resampled to the last one.
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 88200, 96000, 48000)


class AudioEncoder:
    """Encodes samples as AAC, in stereo, into an open container.

    Args:
        sample_rate: samples a second.
    """

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self._num_samples = 0
        self._container = None
        self._stream = None

    def open(self, container: "av.container.OutputContainer") -> None:
        """Add the track; to be called before anything is written to the container."""
        rate = self.sample_rate if self.sample_rate in _AAC_RATES else _AAC_RATES[-1]
        self._container = container
        self._stream = container.add_stream("aac", rate=rate, layout="stereo")

    def write(self, samples: np.ndarray) -> None:
        """Append ``(channels, n)`` floats in [−1, 1]; what is not finite becomes silence."""
        if samples.shape[1] == 0:
            return
        samples = np.clip(np.nan_to_num(samples, posinf=0.0, neginf=0.0), -1.0, 1.0)
        if len(samples) != 2:
            samples = np.repeat(samples.mean(axis=0, keepdims=True), 2, axis=0)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, dtype=np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate = self.sample_rate
        frame.time_base = Fraction(1, self.sample_rate)
        frame.pts = self._num_samples
        self._num_samples += samples.shape[1]
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))
