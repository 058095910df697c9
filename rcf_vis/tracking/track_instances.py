"""Detectron2's Instances whose masks are dense only for who asks for them."""

from __future__ import annotations

from typing import Any

from detectron2.structures import Instances

from .box_masks import BoxMasks

__all__ = ["TrackInstances", "box_masks_of"]

_MASKS = "pred_masks"


class TrackInstances(Instances):
    """As Detectron2's, with ``pred_masks`` set as :class:`BoxMasks`.

    Whoever asks for ``pred_masks`` gets the bool tensor ``(N, H, W)``, which is made then and kept:
    what is written into it stays. :func:`box_masks_of` does not make it.
    """

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        return self._made_dense(value) if isinstance(value, BoxMasks) else value

    def get(self, name: str) -> Any:
        value = super().get(name)
        return self._made_dense(value) if isinstance(value, BoxMasks) else value

    def get_fields(self) -> dict[str, Any]:
        if self.has(_MASKS):
            self.get(_MASKS)
        return super().get_fields()

    def to(self, *args: Any, **kwargs: Any) -> TrackInstances:
        return _as_tracks(super().to(*args, **kwargs))

    def __getitem__(self, item: Any) -> TrackInstances:
        return _as_tracks(super().__getitem__(item))

    def _made_dense(self, masks: BoxMasks) -> Any:
        device = self._fields["scores"].device if "scores" in self._fields else None
        self._fields[_MASKS] = masks.dense(device)
        return self._fields[_MASKS]


def _as_tracks(instances: Instances) -> TrackInstances:
    made = TrackInstances(instances.image_size)
    made._fields.update(instances._fields)
    return made


def box_masks_of(instances: Instances) -> BoxMasks:
    """The masks of any instances, without making them dense."""
    masks = vars(instances)["_fields"][_MASKS]
    return masks if isinstance(masks, BoxMasks) else BoxMasks.from_dense(masks)
