"""Published weights of a part of the network, from a local file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from timm.models import load_state_dict
from torch import Tensor, nn

__all__ = ["load_weights", "read_weights"]

_NAMES_SHOWN = 5


def read_weights(
    path: str,
    model: nn.Module,
    *,
    key: str,
    convert: Callable[[dict[str, Tensor], nn.Module], Mapping[str, Tensor]] | None = None,
) -> dict[str, Tensor]:
    """Read a file of weights.

    Args:
        path: ``.safetensors``, or a file of ``torch.save`` (``.pth``, ``.bin``) with a state dict,
            bare or under ``model`` or ``state_dict``; it is read without running code of it.
        model: whose weights they are.
        key: of the config that names the file, for messages.
        convert: (weights, model) → weights by the names and of the shapes of ``model``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a file of weights, or not of such a model.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{key} {path!r}: no such file")
    try:
        weights = load_state_dict(path)
        return dict(weights if convert is None else convert(weights, model))
    except Exception as error:  # what an unsuitable file makes these raise is of many kinds
        raise ValueError(
            f"{key} {path!r} could not be read as weights of a {type(model).__name__} "
            f"({type(error).__name__}: {error})"
        ) from error


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], *, key: str, path: str) -> None:
    """Load all of ``model`` from ``weights``; what they have beyond it, a classifier, is left out.

    Args:
        model: as it will be used, without the parts that are not needed.
        weights: of :func:`read_weights`.
        key, path: where they come from, for messages.

    Raises:
        ValueError: weights are missing, or have another shape.
    """
    own = model.state_dict()
    missing = [name for name in own if name not in weights]
    other_shape = [
        f"{name} {tuple(weights[name].shape)} for {tuple(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if missing or other_shape:
        unknown = [name for name in weights if name not in own]
        raise ValueError(
            f"{key} {path!r} does not fit a {type(model).__name__}: "
            f"missing {_shown(missing)}; of another shape {_shown(other_shape)}; "
            f"not known to the model {_shown(unknown)}"
        )
    model.load_state_dict({name: weights[name] for name in own})


def _shown(names: Sequence[str]) -> str:
    more = len(names) - _NAMES_SHOWN
    return (", ".join(names[:_NAMES_SHOWN]) or "none") + (f" and {more} more" if more > 0 else "")
