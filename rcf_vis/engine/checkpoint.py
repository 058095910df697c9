"""Loading weights, with a clear word when they were made for other categories."""

from __future__ import annotations

from typing import Any

from detectron2.checkpoint import DetectionCheckpointer
from torch import nn

__all__ = ["RCFCheckpointer"]

_CLASS_LAYER = "heads.class_embed."


class RCFCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer, which refuses a class layer of another number of classes.

    Detectron2 skips what does not fit and goes on with random weights there; for the class layer
    that means results that look like results and are not.

    Args:
        load_class_head: False leaves the class layer as it is, to fine-tune on other categories
            (``MODEL.RCF.LOAD_CLASS_HEAD``).
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        save_to_disk: bool | None = None,
        load_class_head: bool = True,
        **checkpointables: Any,
    ) -> None:
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self.load_class_head = load_class_head
        self._path = ""

    def load(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """As Detectron2's; ValueError where the class layers differ in size."""
        self._path = path
        return super().load(path, *args, **kwargs)

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        weights = checkpoint["model"]
        for key in [k for k in weights if k.removeprefix("module.").startswith(_CLASS_LAYER)]:
            if not self.load_class_head:
                del weights[key]
                continue
            own = self.model.state_dict()[key.removeprefix("module.")]
            if own.shape[0] != weights[key].shape[0]:
                raise ValueError(
                    f"{self._path}: weights of {weights[key].shape[0] - 1} classes, but "
                    f"MODEL.RCF.NUM_CLASSES is {own.shape[0] - 1}; to fine-tune on other "
                    "categories set MODEL.RCF.LOAD_CLASS_HEAD False"
                )
        return super()._load_model(checkpoint)
