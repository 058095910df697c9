"""The convolutions of an exported step in int8, calibrated on videos."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from rcf_vis.errors import extra
from rcf_vis.runtime import ModelDescription, RuntimeModel, RuntimeState
from rcf_vis.runtime.description import KEY

__all__ = ["quantize_convolutions"]

_FRAMES, _EVERY = 30, 3  # of a video: how many are tracked, and each which is calibrated on


def quantize_convolutions(path: str | os.PathLike, videos: Iterable[Iterable[np.ndarray]]) -> None:
    """Let the convolutions of an exported file compute in int8 (in place).

    Weights have a scale for each channel; of what comes in and goes out the range is taken that the
    videos show. All else, attention among it, stays in float32: there int8 saves no time.

    Args:
        path: a file of :func:`~rcf_vis.inference.export.export_onnx`.
        videos: of frames ``(H, W, 3)`` uint8, BGR, as the model will see them; of each the first
            30 frames are used.

    Raises:
        ValueError: there is no frame, or one of a size that the file is not for.
    """
    with extra("export"):
        import onnx
        from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        prepared, made = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(path, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            made,
            _Inputs(_calibration_inputs(RuntimeModel(path), videos)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        content = onnx.load(made)
    for entry in content.metadata_props:
        if entry.key == KEY:
            description = ModelDescription.from_json(entry.value, str(path))
            entry.value = replace(description, precision="int8").to_json()
    onnx.save(content, path)


class _Inputs:
    """What onnxruntime calibrates on, one step after the other."""

    def __init__(self, feeds: Iterator[dict[str, np.ndarray]]) -> None:
        self._feeds = feeds

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def _calibration_inputs(
    model: RuntimeModel, videos: Iterable[Iterable[np.ndarray]]
) -> Iterator[dict[str, np.ndarray]]:
    number = 0
    for frames in videos:
        state = RuntimeState()
        for number, frame in enumerate(islice(frames, _FRAMES), 1):
            if number % _EVERY == 1:
                yield model.inputs(model.prepare(frame), state)
            _, state = model.track(frame, state)
    if not number:
        raise ValueError(f"{model.path}: no frame to calibrate on")
