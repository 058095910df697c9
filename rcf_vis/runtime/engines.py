"""The libraries that compute an exported graph."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .description import KEY

__all__ = ["ENGINES", "OnnxRuntimeEngine", "OpenVinoEngine", "Port"]

_DTYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64,
    "tensor(float)": np.float32,
}


class Port(NamedTuple):
    """An input or an output of a graph.

    Attributes:
        dtype: None where it is not one of these graphs.
    """

    shape: tuple[int, ...]
    dtype: type | None


class OnnxRuntimeEngine:
    """onnxruntime on the CPU.

    Args:
        path: of the ``.onnx`` file.
        threads: that compute.

    Attributes:
        text: the metadata of rcf_vis; None: the file has none.
        inputs, outputs: of the graph, by name.

    Raises:
        ModuleNotFoundError: onnxruntime is not installed.
        ValueError: the file is no ONNX file.
    """

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise _not_installed(error, "onnxruntime") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Threads that spin while they wait keep a busy core from those who have work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its kinds of error are not of one class
            raise ValueError(f"{path} is no ONNX file that onnxruntime can run: {error}") from error
        self.text = self._session.get_modelmeta().custom_metadata_map.get(KEY)
        self.inputs, self.outputs = (
            {port.name: Port(tuple(port.shape), _DTYPES.get(port.type)) for port in ports}
            for ports in (self._session.get_inputs(), self._session.get_outputs())
        )

    def __call__(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of the graph for these inputs, by name."""
        return dict(zip(self.outputs, self._session.run(None, dict(feed)), strict=True))


class OpenVinoEngine:
    """OpenVINO on the CPU; as :class:`OnnxRuntimeEngine`, in float32 where the file is."""

    def __init__(self, path: Path, threads: int) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise _not_installed(error, "openvino") from error
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        core = openvino.Core()
        try:
            model = core.read_model(path)
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ValueError(f"{path} is no ONNX file that OpenVINO can run: {error}") from error
        place = ["framework", KEY]
        self.text = model.get_rt_info(place).astype(str) if model.has_rt_info(place) else None
        self.inputs, self.outputs = (
            {port.get_any_name(): _openvino_port(port) for port in ports}
            for ports in (model.inputs, model.outputs)
        )
        self._request = self._compiled.create_infer_request()

    def __call__(self, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = self._request.infer(dict(feed), share_inputs=True)
        return dict(zip(self.outputs, (np.array(found[k]) for k in range(len(found))), strict=True))


ENGINES = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}


def _openvino_port(port: Any) -> Port:
    shape = tuple(port.shape) if port.partial_shape.is_static else ()
    return Port(shape, port.element_type.to_dtype().type)


def _not_installed(error: ModuleNotFoundError, package: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(
        f"{error.name} is not installed: pip install {package}", name=error.name
    )
