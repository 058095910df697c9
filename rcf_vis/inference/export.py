"""A predictor's step written to a file: an ONNX graph, or a program of torch.export."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from detectron2.data import transforms as T

import rcf_vis
from rcf_vis.audio.log_mel import NUM_MELS, SILENCE
from rcf_vis.data.augmentation import build_test_augmentation
from rcf_vis.errors import extra
from rcf_vis.files import whole_file
from rcf_vis.runtime import ModelDescription, RuntimeModel, RuntimeState
from rcf_vis.runtime.description import KEY, next_name

from .predictor import OnlinePredictor
from .quantization import quantize_convolutions
from .step_module import StepModule

__all__ = ["describe_export", "export_onnx", "export_program"]

logger = logging.getLogger(__name__)

_PRECISIONS = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_TRIED_FRAMES = 3
_TOLERANCE = {"fp32": 1e-3, "fp16": 5e-2}  # of the largest number that PyTorch gives


def export_onnx(
    predictor: OnlinePredictor,
    path: str | os.PathLike,
    frame_size: tuple[int, int],
    calibration: Iterable[Iterable[np.ndarray]] | None = None,
) -> dict[str, float]:
    """Write the step as an ONNX file, which :mod:`rcf_vis.runtime` runs, and try it.

    Args:
        predictor: not compiled, of "fp32" or "fp16".
        path: of the file; it is written once it has been tried.
        frame_size: (height, width) of the frames of the videos that it will see; it also takes
            others that are resized to the same size.
        calibration: videos, on which convolutions are calibrated to compute in int8; see
            :func:`~rcf_vis.inference.quantization.quantize_convolutions`.

    Returns:
        The largest difference from PyTorch of logits and of mask logits, over a few frames of
        noise, in float32.

    Raises:
        ModuleNotFoundError: the extra "export" is not installed.
        ValueError: the precision is one that ONNX on a CPU does not have.
        RuntimeError: the file gives other numbers than the model.
    """
    with extra("export"):
        import onnxruntime  # noqa: F401  (that try it)
        import onnxscript  # noqa: F401  (that torch.onnx needs)

    step, description = _prepared(predictor, frame_size)
    if description.precision not in _TOLERANCE:
        raise ValueError(
            f"MODEL.RCF.TEST.PRECISION (--precision) is {description.precision!r}, which no engine "
            f"runs from an ONNX file on a CPU; expected one of {list(_TOLERANCE)}"
        )
    outputs = ["logits", "masks", *map(next_name, description.state)]
    with torch.no_grad():
        exported = torch.export.export(step, step.example(), strict=False)
        program = torch.onnx.export(
            exported,
            input_names=step.input_names,
            output_names=outputs,
            dynamo=True,
            verbose=False,
        )
    program.model.metadata_props[KEY] = description.to_json()
    with whole_file(path) as temporary:
        program.save(temporary)
        differences = _differences(step, temporary, Path(path))
        if calibration is not None:
            quantize_convolutions(temporary, calibration)
    return differences


def export_program(
    predictor: OnlinePredictor, path: str | os.PathLike, frame_size: tuple[int, int]
) -> None:
    """Write the step as a program of ``torch.export``, a ``.pt2`` file, for PyTorch without us.

    Args:
        predictor, frame_size: see :func:`export_onnx`; any precision.

    Example:
        >>> files = {"rcf_vis": ""}  # the description, as json
        >>> program = torch.export.load("rcf_tiny.pt2", extra_files=files)
        >>> logits, masks, *state = program.module()(image, *state)
    """
    step, description = _prepared(predictor, frame_size)
    with torch.no_grad():
        exported = torch.export.export(step, step.example(), strict=False)
    with whole_file(path) as temporary:
        torch.export.save(exported, temporary, extra_files={KEY: description.to_json()})


def describe_export(
    predictor: OnlinePredictor, image_size: tuple[int, int], step: StepModule
) -> ModelDescription:
    """What goes into the file beside the graph."""
    cfg, model, metadata = predictor.cfg, predictor.model, predictor.metadata
    names = ids = None
    if metadata is not None:
        names = tuple(metadata.thing_classes)
        places = metadata.get("thing_dataset_id_to_contiguous_id") or {}
        ids = tuple(sorted(places, key=places.get)) or tuple(range(1, len(names) + 1))
    return ModelDescription(
        version=rcf_vis.__version__,
        config_digest=hashlib.sha256(cfg.dump().encode()).hexdigest(),
        class_names=names,
        category_ids=ids,
        input_format=cfg.INPUT.FORMAT,
        input_size=image_size,
        min_size=cfg.INPUT.MIN_SIZE_TEST,
        max_size=cfg.INPUT.MAX_SIZE_TEST,
        pixel_mean=tuple(model.pixel_mean.flatten().tolist()),
        pixel_std=tuple(model.pixel_std.flatten().tolist()),
        precision=_PRECISIONS[model.dtype],
        stride=step.stride,
        num_reference_frames=model.num_reference_frames,
        score_thresh=model.score_thresh,
        mask_thresh=model.mask_thresh,
        identity_rules=model.identity_rules,
        labels_per_track=cfg.MODEL.RCF.TEST.LABELS_PER_TRACK,
        state=tuple(step.state),
        audio_shape=None if model.audio is None else (model.audio.patch_frames, NUM_MELS),
        silence=SILENCE,
    )


def _prepared(
    predictor: OnlinePredictor, frame_size: tuple[int, int]
) -> tuple[StepModule, ModelDescription]:
    height, width = frame_size
    resize = build_test_augmentation(predictor.cfg)
    transform = resize.get_transform(np.zeros((height, width, 3), np.uint8))
    size = (height, width)
    if isinstance(transform, T.ResizeTransform):
        size = (transform.new_h, transform.new_w)
    step = StepModule(predictor.model, size).eval()
    return step, describe_export(predictor, size, step)


@torch.no_grad()
def _differences(step: StepModule, written: Path, path: Path) -> dict[str, float]:
    model = RuntimeModel(written)
    description = model.description
    frames = np.random.default_rng(0).integers(
        0, 256, (_TRIED_FRAMES, 3, *description.input_size), dtype=np.uint8
    )
    tensors, state = step.example(), RuntimeState()
    found = {"logits": 0.0, "masks": 0.0}
    for image in frames:
        logits, masks, *following = step(
            torch.from_numpy(image).to(tensors[0].device), *tensors[1:]
        )
        tensors = (*tensors[: len(tensors) - len(following)], *following)
        *got, state_tensors = model.step(image, state)
        state = RuntimeState(state_tensors)
        for name, expected, array in zip(found, (logits, masks), got, strict=True):
            expected = expected.cpu().numpy()
            difference = float(np.abs(expected - array).max())
            found[name] = max(found[name], difference)
            if not difference <= _TOLERANCE[description.precision] * np.abs(expected).max():
                raise RuntimeError(
                    f"{path} is not written: its {name} differ from PyTorch's by {difference}, "
                    f"where the largest is {np.abs(expected).max()}"
                )
    return found
