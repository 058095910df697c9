"""The front end of VGGish by its published definition, slowly: sums, no FFT."""

from functools import lru_cache

import numpy as np

ZEROS, ROLLOFF, BETA = 64, 0.9475937167399596, 14.769656459379492  # resampy's "kaiser_best"


def resample(signal: np.ndarray, rate: int) -> np.ndarray:
    """16 kHz by the windowed sinc of resampy: one sum for each sample of the output."""
    if rate == 16000:
        return signal
    scale = min(1.0, 16000 / rate)
    reach = int(np.ceil(ZEROS / (ROLLOFF * scale)))  # in samples of the input
    count = int(np.ceil(len(signal) * 16000 / rate))
    places = np.arange(count) * rate / 16000  # of the output, counted in samples of the input
    neighbours = np.floor(places).astype(int)[:, None] + np.arange(-reach, reach + 2)
    distance = (neighbours - places[:, None]) * ROLLOFF * scale
    inside = np.abs(distance) <= ZEROS
    window = np.i0(BETA * np.sqrt(np.where(inside, 1 - (distance / ZEROS) ** 2, 0))) / np.i0(BETA)
    padded = np.pad(signal, (reach, reach + 2))
    samples = padded[np.clip(neighbours + reach, 0, len(padded) - 1)]
    return ROLLOFF * scale * np.sum(samples * np.sinc(distance) * window * inside, axis=1)


def mel(hertz: float) -> float:
    return 1127.0 * np.log(1.0 + hertz / 700.0)


def band_edges() -> np.ndarray:
    """(66,) in Hz: band k goes from edge k to edge k + 2."""
    return 700.0 * np.expm1(np.linspace(mel(125.0), mel(7500.0), 66) / 1127.0)


@lru_cache
def mel_weights() -> np.ndarray:
    """(257, 64)."""
    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    weights = np.zeros((257, 64))
    for k in range(1, 257):  # not the bin of 0 Hz
        place = mel(k * 8000.0 / 256)
        for band in range(64):
            lower, centre, upper = edges[band : band + 3]
            rising = (place - lower) / (centre - lower)
            falling = (upper - place) / (upper - centre)
            weights[k, band] = max(0.0, min(rising, falling))
    return weights


def log_mel(signal: np.ndarray) -> np.ndarray:
    """All frames that begin in the signal, of 16 kHz, zeros past its end: (frames, 64)."""
    n = np.arange(400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    fourier = np.exp(-2j * np.pi * np.outer(n, np.arange(257)) / 512)
    weights = mel_weights()
    padded = np.concatenate((signal, np.zeros(400)))
    frames = []
    for start in range(0, len(signal), 160):
        magnitudes = np.abs((padded[start : start + 400] * hann) @ fourier)
        frames.append(np.log(magnitudes @ weights + 0.01))
    return np.array(frames).reshape(-1, 64)


def patches(mono: np.ndarray, frame_rate: float, num_frames: int, size: int) -> np.ndarray:
    """For each frame of a video, the spectrogram of the audio of 16 kHz until its end."""
    ends = [int(np.ceil(round((t + 1) * 16000 / frame_rate, 6))) for t in range(num_frames)]
    mono = np.pad(mono, (0, max(0, ends[-1] + 400 - len(mono))))
    # What follows a complete frame does not change it: all frames can be computed at once.
    spectrogram = log_mel(mono)
    before = np.full((size, 64), np.log(0.01))
    result = []
    for end in ends:
        complete = max(0, (end - 400) // 160 + 1)
        result.append(np.concatenate((before, spectrogram[:complete]))[-size:])
    return np.array(result)
