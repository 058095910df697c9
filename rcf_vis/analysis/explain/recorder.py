"""Look into the online steps of a model by forward hooks; without them nothing is different."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rcf_vis.modeling import RCF, FeatureMap
from rcf_vis.modeling.context_fusion import FusedContext
from rcf_vis.modeling.tokens import ReferenceTokenizer

from .attention import EncoderAttention, attention_weights

__all__ = ["StepRecord", "StepRecorder"]


@dataclass(frozen=True)
class StepRecord:
    """What one online step of one video had inside; on the CPU, without padding.

    Attributes:
        image: ``(3, h, w)``, I_t, normalised as the backbone takes it.
        codes: e_t, ``(N, C_e)``.
        class_probs: p̂, ``(N, num_classes + 1)``, the empty class last.
        masks: m̂, ``(N, h', w')`` mask probabilities at the stride of S_t.
        stride: of the grid of the target's tokens, in pixels of ``image``.
        region: ``(H, W)``, the share of each cell of that grid inside a mask of a fired slot.
        weight_map: W of eq. 2, ``(H, W)``; None where the model has none.
        attention: of the last layer of the encoder; None where it was not asked for.
    """

    image: Tensor
    codes: Tensor
    class_probs: Tensor
    masks: Tensor
    stride: int
    region: Tensor
    weight_map: Tensor | None
    attention: EncoderAttention | None

    def outputs(self) -> tuple[Tensor, Tensor]:
        """Θ(I_t) of eq. 5: the class probabilities and the masks of all slots."""
        return self.class_probs, self.masks


class StepRecorder:
    """Records the steps of a model while its block runs.

    Args:
        model: in evaluation mode.

    Attributes:
        attention: whether the next step's attention is wanted, which takes another pass through
            the last layer's attention.

    Example:
        >>> with StepRecorder(predictor.model) as recorder:
        ...     instances = predictor(frame)
        ...     step = recorder.take()
    """

    def __init__(self, model: RCF) -> None:
        self.model = model
        self.attention = False
        self._seen: dict[str, Any] = {}
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> StepRecorder:
        fusion = self.model.context_fusion
        self._keep(self.model.backbone, "images", lambda args, output: args[0])
        self._keep(fusion.target_tokens, "target", lambda args, output: args[0])
        self._keep(fusion, "fused", lambda args, output: output)
        self._keep(self.model.mask_decoder, "segmentation", lambda args, output: output)
        self._keep(self.model.heads, "slots", lambda args, output: (args[0], *output))
        if fusion.reference_tokens is not None:
            self._keep(fusion.reference_tokens, "references", self._references)
        if fusion.layers:
            hook = fusion.layers[-1].self_attn.register_forward_hook(self._attend, with_kwargs=True)
            self._handles.append(hook)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._seen.clear()

    def take(self) -> StepRecord:
        """The last step.

        Raises:
            RuntimeError: there was none since the last call.
            ValueError: it was of more than one video.
        """
        if "slots" not in self._seen:
            raise RuntimeError("no step to take: the model was not called")
        seen, self._seen = self._seen, {}
        codes, logits, masks = (value.detach().float() for value in seen["slots"])
        if len(codes) != 1:
            raise ValueError(f"a step of {len(codes)} videos, expected one")
        target: FeatureMap = seen["target"]
        (height, width), (rows, columns) = target.image_sizes[0], target.valid_sizes[0]
        mask_rows, mask_columns = seen["segmentation"].valid_sizes[0]
        probabilities = logits[0].softmax(-1)
        masks = masks[0, :, :mask_rows, :mask_columns].sigmoid()
        fired = probabilities[:, :-1].amax(1) >= self.model.score_thresh
        inside = (masks[fired] > self.model.mask_thresh).any(0).float()
        cell = target.stride // seen["segmentation"].stride
        weight_map, _ = seen.get("references", (None, 0))
        return StepRecord(
            image=seen["images"][0, :, :height, :width].detach().cpu(),
            codes=codes[0].cpu(),
            class_probs=probabilities.cpu(),
            masks=masks.cpu(),
            stride=target.stride,
            region=F.avg_pool2d(inside[None], cell, ceil_mode=True)[0].cpu(),
            weight_map=None if weight_map is None else weight_map[0, 0, :rows, :columns].cpu(),
            attention=self._encoder_attention(seen),
        )

    def _keep(self, module: nn.Module, name: str, what: Callable[[tuple, Any], Any]) -> None:
        def hook(module: nn.Module, args: tuple, output: Any) -> None:
            self._seen[name] = what(args, output)

        self._handles.append(module.register_forward_hook(hook))

    def _references(self, args: tuple, output: Any) -> tuple[Tensor | None, int]:
        """W, and the number of reference tokens."""
        tokenizer, (maps, *_) = self.model.context_fusion.reference_tokens, args
        weight_map = None
        if isinstance(tokenizer, ReferenceTokenizer) and tokenizer.weight is not None:
            features = torch.cat([map_.data for map_ in maps], dim=1)
            weight_map = tokenizer.weight_map(features, maps[0].valid()).detach().float()
        return weight_map, output.tokens.shape[1]

    def _attend(self, module: nn.MultiheadAttention, args: tuple, kwargs: dict, _: Any) -> None:
        if self.attention:
            with torch.no_grad():
                self._seen["attention"] = attention_weights(module, args, kwargs).float()

    def _encoder_attention(self, seen: dict[str, Any]) -> EncoderAttention | None:
        if "attention" not in seen:
            return None
        weights, target = seen["attention"][0], seen["target"]
        fused: FusedContext = seen["fused"]
        grid = tuple(target.data.shape[-2:])
        return EncoderAttention(
            weights=weights.cpu(),
            groups=self._groups(weights.shape[-1], grid, seen),
            padding=fused.padding_mask()[0, : weights.shape[-1]].cpu(),
            grid=grid,
            valid=target.valid_sizes[0],
        )

    def _groups(self, total: int, grid: tuple, seen: dict[str, Any]) -> dict[str, int]:
        """The tokens of this encoder, without references that have an encoder of their own."""
        _, references = seen.get("references", (None, 0))
        if self.model.context_fusion.reference_layers is not None:
            references = 0
        targets = grid[0] * grid[1]
        groups = {
            "target": targets,
            "reference": references,
            "audio": total - targets - references,
        }
        return {name: count for name, count in groups.items() if count}
