"""Weights of a file of PyTorch or of safetensors."""

from __future__ import annotations

import os
import pickle
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from rcf_vis.errors import BrokenWeights
from rcf_vis.foreign_files import check_regular, open_regular

from .torch_checks import check_torch_file
from .trust import ADVICE, is_trusted

__all__ = ["read_state_dict", "read_torch_file"]

_SETS = ("state_dict_ema", "model_ema", "state_dict", "model")
_WRAPPERS = ("_orig_mod.", "module.", "_orig_mod.")


def read_torch_file(path: str | os.PathLike) -> Any:
    """The content of a file of ``torch.save`` on the CPU: tensors and plain values, else refused.

    After :func:`~rcf_vis.weight_files.trust_weights` anything, and whatever it does.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        BrokenWeights: it is cut off, or has anything else in it.
    """
    name = os.fspath(path)
    with open_regular(path) as file:
        if is_trusted():
            return _load(file, name, weights_only=False)
        check_torch_file(file, name)
        file.seek(0)
        return _load(file, name, weights_only=True)


def read_state_dict(path: str | os.PathLike) -> dict[str, Tensor]:
    """The weights in a file ``.safetensors`` or of ``torch.save``.

    Of the latter, bare or under one of the names that timm gives them, an average before others;
    without the prefixes of the wrappers of a model that is trained.

    Raises:
        FileNotFoundError, OSError, BrokenWeights: see :func:`read_torch_file`.
    """
    name = os.fspath(path)
    if name.endswith(".safetensors"):
        check_regular(path)
        try:
            return load_file(path)
        except SafetensorError as error:
            raise BrokenWeights(f"{name}: not a complete safetensors file ({error})") from error
    content = read_torch_file(path)
    if isinstance(content, dict):
        content = next((content[k] for k in _SETS if content.get(k) is not None), content)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise BrokenWeights(f"{name}: no weights by name, but a {type(content).__name__}")
    return {_bare(key): value for key, value in content.items()}


def _load(file: Any, name: str, *, weights_only: bool) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=weights_only)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0][:200]
        raise BrokenWeights(f"{name}: could not be read as weights ({reason}); {ADVICE}") from error
    except Exception as error:  # a broken file makes PyTorch raise of any kind
        reason = f"{type(error).__name__}: {error}"
        raise BrokenWeights(f"{name}: could not be read as weights ({reason})") from error


def _bare(name: str) -> str:
    for prefix in _WRAPPERS:
        name = name.removeprefix(prefix)
    return name
