"""What the online step takes and gives: the state of a video, and the raw predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from rcf_vis.tracking import IdentityState

from .carried_code import CarriedCode
from .feature_map import FeatureMap
from .targets import SlotPredictions

__all__ = ["FrameOutput", "OnlineState", "StepOutput"]

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class OnlineState:
    """All that RCF remembers of a video; a new one is a new video.

    Attributes:
        references: context features of the last frames, newest first, at most δ of them.
        identities: last fired masks and slot → identity table.
        audio_features: a_t of the last frames, ``(B, C_a)`` each, newest first, at most δ of them;
            none in a model without audio.
        carried: what the slots last were; None before the first frame, and in a model without
            ``MODEL.RCF.CARRY_CODE``.
    """

    references: tuple[FeatureMap, ...] = ()
    identities: IdentityState = field(default_factory=IdentityState)
    audio_features: tuple[Tensor, ...] = ()
    carried: CarriedCode | None = None

    def remember(
        self,
        context: FeatureMap,
        limit: int,
        audio_feature: Tensor | None = None,
        carried: CarriedCode | None = None,
    ) -> OnlineState:
        """The state after a frame with this context feature, this a_t and this carried code.

        The newest ``limit`` of the former are kept, and the last carried code that there is.
        """
        newest = () if audio_feature is None else (audio_feature,)
        return replace(
            self,
            references=((context,) + self.references)[:limit],
            audio_features=(newest + self.audio_features)[:limit],
            carried=self.carried if carried is None else carried,
        )

    @classmethod
    def batch_of(cls, states: Sequence[OnlineState], delta: int) -> OnlineState:
        """The state of a batch of videos, for the network: each past is filled to δ frames.

        Identities are a video's own, so the batch has none.

        Raises:
            ValueError: some of the videos have no frame behind them, others have.
        """
        if len(states) == 1:
            return states[0]
        begun = {state.has_begun for state in states}
        if len(begun) > 1:
            raise ValueError("videos that begin with this frame, and videos that have begun before")
        if begun == {False}:
            return cls()
        references = zip(*(state.filled_references(None, delta) for state in states), strict=True)
        heard = zip(*(state.filled_audio_features(None, delta) for state in states), strict=True)
        carried = [state.carried for state in states]
        return cls(
            references=tuple(map(FeatureMap.batch_of, references)),
            audio_features=tuple(map(torch.cat, heard)) if states[0].audio_features else (),
            carried=None if None in carried else CarriedCode.batch_of(carried),
        )

    @property
    def has_begun(self) -> bool:
        """Whether the network gets anything of a frame before."""
        return bool(self.references) or self.carried is not None

    def filled_references(self, target: FeatureMap, count: int) -> tuple[FeatureMap, ...]:
        """δ references; the oldest frame there is (at last the target) stands in for missing."""
        return _filled(self.references, target, count)

    def filled_audio_features(self, target: Tensor, count: int) -> tuple[Tensor, ...]:
        """As :meth:`filled_references`, for a_t."""
        return _filled(self.audio_features, target, count)


def _filled(past: tuple[_Item, ...], present: _Item, count: int) -> tuple[_Item, ...]:
    past = past[:count]
    return past + ((past or (present,))[-1],) * (count - len(past))


class FrameOutput(NamedTuple):
    """What the network says of one frame of one video: all that decisions are made from.

    Of a frame of each of several videos, ``logits`` and ``masks`` have them in front.

    Attributes:
        logits: ``(N, num_classes + 1)`` class logits, the empty class last.
        masks: ``(N, h, w)`` mask logits at ``stride``, without padding.
        stride: of S_t, in pixels of the network's input.
        image_size: (height, width) of the network's input, without padding.
    """

    logits: Tensor
    masks: Tensor
    stride: int
    image_size: tuple[int, int]

    def of_video(self, index: int) -> FrameOutput:
        """That of one of several videos."""
        return self._replace(logits=self.logits[index], masks=self.masks[index])


@dataclass(frozen=True)
class StepOutput:
    """Predictions for one frame of each clip of a batch.

    Attributes:
        logits: ``(B, N, num_classes + 1)`` class logits, the empty class last.
        masks: M_t, ``(B, N, H, W)`` mask logits at the stride of S_t.
        segmentation: S_t, ``(B, C_o, H, W)``, which also knows what is padding.
        auxiliary: (logits, masks) of the earlier layers of the instance decoder, in training.
    """

    logits: Tensor
    masks: Tensor
    segmentation: FeatureMap
    auxiliary: tuple[tuple[Tensor, Tensor], ...] = ()

    def layers(self) -> list[SlotPredictions]:
        """The slots after each layer of the instance decoder that is kept; the last are final."""
        return [SlotPredictions(*pair) for pair in (*self.auxiliary, (self.logits, self.masks))]
