"""What the camera does to a clean picture; no function here moves anything."""

from __future__ import annotations

import cv2
import numpy as np

from .spec import SynthVISSpec

__all__ = ["Camera", "motion_blur"]


def motion_blur(image: np.ndarray, velocity: np.ndarray, shutter: float) -> np.ndarray:
    """Smears an image along `velocity`, centred, over `shutter` of the way.

    Args:
        image: uint8 (h, w, c); outside counts as 0.
        velocity: (2,), pixels a frame.
    """
    dx, dy = shutter * velocity
    reach = int(np.ceil(max(abs(dx), abs(dy)) / 2))
    if max(abs(dx), abs(dy)) < 0.75:
        return image
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for u in np.linspace(-0.5, 0.5, 8 * reach + 1):
        x, y = reach + u * dx, reach + u * dy
        left, top = int(np.floor(x)), int(np.floor(y))
        for col, row, weight in (
            (left, top, (left + 1 - x) * (top + 1 - y)),
            (left + 1, top, (x - left) * (top + 1 - y)),
            (left, top + 1, (left + 1 - x) * (y - top)),
            (left + 1, top + 1, (x - left) * (y - top)),
        ):
            if weight > 0:
                kernel[row, col] += weight
    kernel /= kernel.sum()
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_CONSTANT)


class Camera:
    """Haze, flicker, defocus and noise of one video, each under its knob.

    Every effect draws the same random numbers whatever the other knobs are.
    """

    def __init__(self, spec: SynthVISSpec, rng: np.random.Generator) -> None:
        self._noise_rng, flicker_rng, blur_rng, level_rng = rng.spawn(4)
        self._sigma = 28 * spec.knob("noise") * level_rng.uniform(0.6, 1.0)
        self._contrast = 1 - 0.6 * spec.knob("contrast") * level_rng.uniform(0.5, 1.0)
        self._haze = level_rng.uniform(100, 150)
        self._gain = self._draw_gain(spec, flicker_rng)
        self._defocus = self._draw_defocus(spec, blur_rng)

    @staticmethod
    def _draw_gain(spec: SynthVISSpec, rng: np.random.Generator) -> np.ndarray:
        """Factors of the three channels, float32 (length, 3): a common flicker and a tint."""
        steps = rng.normal(size=(spec.length, 4))
        state, rows = np.zeros(4), []
        for step in steps:
            state = 0.6 * state + 0.8 * step
            rows.append(state[:1] + 0.25 * state[1:])
        return np.exp(0.16 * spec.knob("flicker") * np.array(rows)).astype(np.float32)

    @staticmethod
    def _draw_defocus(spec: SynthVISSpec, rng: np.random.Generator) -> np.ndarray:
        """Standard deviation of the defocus at each frame in pixels, (length,)."""
        phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(15, 40)
        wave = np.sin(phase + 2 * np.pi * np.arange(spec.length) / period)
        most = 2.4 * spec.knob("blur") * rng.uniform(0.2, 1.0) * min(spec.width, spec.height) / 192
        return most * np.clip(0.5 + 0.8 * wave, 0, 1)

    def __call__(self, image: np.ndarray, frame: int) -> np.ndarray:
        """The picture of frame `frame`; to be called once a frame, in order.

        Args:
            image: uint8 (h, w, 3) RGB.

        Returns:
            uint8 (h, w, 3).
        """
        sigma = float(self._defocus[frame])
        if sigma > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), sigma)
        result = self._haze + np.float32(self._contrast) * (image.astype(np.float32) - self._haze)
        result *= self._gain[frame]
        grain = self._noise_rng.standard_normal(image.shape, dtype=np.float32)
        result += np.float32(self._sigma) * grain
        return np.clip(np.round(result), 0, 255).astype(np.uint8)
