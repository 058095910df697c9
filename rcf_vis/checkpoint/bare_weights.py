"""Files of bare weights: a model as it is published, without what only its training needs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rcf_vis.errors import BrokenWeights, shown
from rcf_vis.files import whole_file
from rcf_vis.foreign_files import check_regular
from rcf_vis.weight_files import read_torch_file

__all__ = ["check_content", "read_bare_weights", "read_safetensors", "save_bare_weights"]

_CLASS_NAMES = "class_names"


def read_bare_weights(path: str | os.PathLike, *, ema: bool = False) -> dict[str, Any]:
    """Read ``{"model": weights}``, and ``class_names`` where the file has them.

    Args:
        path: a checkpoint of Detectron2's trainer, or a file of :func:`save_bare_weights`.
        ema: take the averaged weights (``SOLVER.EMA``) instead of the last ones. A published file
            has one set of weights and no average.

    Raises:
        KeyError: the file is no checkpoint of Detectron2's trainer, or has no averaged weights.
        BrokenWeights: it is broken, or has more in it than weights.
    """
    if Path(path).suffix == ".safetensors":
        content = read_safetensors(path)
    else:
        content = read_torch_file(path)
    key = "ema" if ema else "model"
    if not isinstance(content, dict) or key not in content:
        found = sorted(map(str, content)) if isinstance(content, dict) else type(content).__name__
        raise KeyError(f"{path}: expected the key {key!r}, it has {found}")
    kept = {"model": content[key]}
    if _CLASS_NAMES in content:
        kept[_CLASS_NAMES] = content[_CLASS_NAMES]
    check_content(kept, path)
    return kept


def check_content(content: dict[str, Any], path: str | os.PathLike) -> None:
    """Raise BrokenWeights where ``model`` is no dict of tensors, or ``class_names`` no names."""
    weights, names = content["model"], content.get(_CLASS_NAMES)
    if not isinstance(weights, dict) or not all(isinstance(key, str) for key in weights):
        raise BrokenWeights(f"{path}: 'model' has no weights by name")
    for key, value in weights.items():
        if not isinstance(value, (torch.Tensor, np.ndarray)):
            raise BrokenWeights(f"{path}: {shown(key)} is no tensor, but {shown(value)}")
    is_list = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    if names is not None and not is_list:
        raise BrokenWeights(f"{path}: {_CLASS_NAMES} are {shown(names)}, expected a list of str")


def read_safetensors(path: str | os.PathLike) -> dict[str, Any]:
    """Read ``{"model": weights}``, and ``class_names`` where the file's metadata has them.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        BrokenWeights: it is no safetensors file or was cut off, or its class names are not a list.
    """
    check_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            content = {"model": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise BrokenWeights(f"{path}: not a complete safetensors file ({error})") from error
    if _CLASS_NAMES in metadata:
        content[_CLASS_NAMES] = _parse_names(metadata[_CLASS_NAMES], path)
    return content


def save_bare_weights(content: dict[str, Any], path: str | os.PathLike) -> None:
    """Write what :func:`read_bare_weights` gives; the write is atomic.

    Args:
        content: ``model``, the weights by name, and optionally ``class_names``, a list of str.
        path: ``.safetensors``, with the class names as a JSON list in the metadata; or ``.pth``,
            of ``torch.save``.

    Raises:
        ValueError: another suffix.
    """
    suffix = Path(path).suffix
    if suffix not in (".safetensors", ".pth"):
        raise ValueError(f"{path}: weights are written as .safetensors or .pth, not {suffix!r}")
    with whole_file(path) as temporary:
        if suffix == ".pth":
            torch.save(content, temporary)
            return
        names = content.get(_CLASS_NAMES)
        text = json.dumps(list(names), ensure_ascii=False) if names is not None else ""
        # One entry alone: of several the order, and so the file's hash, would change.
        metadata = {_CLASS_NAMES: text} if text else None
        # The format knows neither strides (channels-last) nor tensors that share their memory.
        weights = {
            name: tensor.clone(memory_format=torch.contiguous_format)
            for name, tensor in content["model"].items()
        }
        temporary.write_bytes(save(weights, metadata))  # save_file makes the file private


def _parse_names(text: str, path: str | os.PathLike) -> list[str]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BrokenWeights(
            f"{path}: expected a JSON list of class_names, its metadata has {shown(text)}"
        )
    return names
