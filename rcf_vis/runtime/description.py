"""What an exported file says of its model: all that is needed beside the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from rcf_vis.tracking import IdentityRules

__all__ = ["KEY", "ModelDescription", "next_name"]

KEY = "rcf_vis"  # of the description among the metadata of a file
_FORM = 1  # of the json; to be counted up when a reader of before could not use it


@dataclass(frozen=True)
class ModelDescription:
    """The metadata of an exported model.

    The graph takes ``image``, with sound also ``audio``, and the tensors of the state; it gives
    ``logits``, ``masks`` and each tensor of the next state under :func:`next_name`. A state of
    zeros is a new video.

    Attributes:
        version: of rcf_vis that wrote the file.
        config_digest: SHA-256 of the config of the model.
        class_names: of the classes; None where nothing named them.
        category_ids: number of each class in results; as ``class_names``.
        input_format: "RGB" or "BGR", the order of the channels of ``image``.
        input_size: (height, width) of ``image``, uint8 ``(3, height, width)``, a resized frame.
        min_size, max_size: short and long side that frames are resized to; 0 = not resized.
        pixel_mean, pixel_std: of the channels, in this order; the graph applies them.
        precision: of the weights, "fp32", "bf16" or "fp16".
        stride: of ``masks``, in pixels of ``image``.
        num_reference_frames: δ.
        score_thresh: a slot fires when its best class probability reaches it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds it.
        identity_rules: how slots get identities.
        labels_per_track: how many classes of a track are output as results.
        state: names of the tensors of the state, in their order.
        audio_shape: of ``audio``, a log-mel patch (η, 64) float32; None: a model without sound.
        silence: value of a silent patch.
    """

    version: str
    config_digest: str
    class_names: tuple[str, ...] | None
    category_ids: tuple[int, ...] | None
    input_format: str
    input_size: tuple[int, int]
    min_size: int
    max_size: int
    pixel_mean: tuple[float, ...]
    pixel_std: tuple[float, ...]
    precision: str
    stride: int
    num_reference_frames: int
    score_thresh: float
    mask_thresh: float
    identity_rules: IdentityRules
    labels_per_track: int
    state: tuple[str, ...]
    audio_shape: tuple[int, int] | None
    silence: float

    def to_json(self) -> str:
        return json.dumps({"form": _FORM, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | None, where: str) -> ModelDescription:
        """Of the metadata of a file.

        Args:
            text: None where the file has none.
            where: the file, for messages.

        Raises:
            ValueError: it is no description that this version reads.
        """
        if not text:
            raise ValueError(
                f"{where} has no metadata '{KEY}': expected a file that tools/export.py wrote"
            )
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}: its metadata '{KEY}' are no json ({error})") from None
        if not isinstance(content, Mapping) or content.get("form") != _FORM:
            form = content.get("form") if isinstance(content, Mapping) else None
            raise ValueError(
                f"{where}: its metadata '{KEY}' have the form {form!r}, expected {_FORM}: it was "
                "exported by another version of rcf_vis"
            )
        names = {field.name for field in fields(cls)}
        missing = sorted(names - set(content))
        if missing:
            raise ValueError(f"{where}: its metadata '{KEY}' lack {', '.join(missing)}")
        values = {name: _frozen(content[name]) for name in names}
        try:
            values["identity_rules"] = IdentityRules(**content["identity_rules"])
        except TypeError as error:
            raise ValueError(f"{where}: its metadata '{KEY}' have no identity_rules") from error
        return cls(**values)


def next_name(name: str) -> str:
    """The output of the graph that is the next value of a tensor of the state."""
    return f"next_{name}"


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
