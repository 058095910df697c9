"""The instance code handed on from frame to frame [ours]: which slot held what, where, and when.

The paper's references say what was in the last frames, not who of it was whom. With
``MODEL.RCF.CARRY_CODE`` the state also keeps the last code of each slot: it shifts the slot's
query, and is one more token of the fusion.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from detectron2.config import CfgNode, configurable
from torch import Tensor, nn

from .feature_map import FeatureMap
from .position_encoding import sine_position_encoding
from .tokens import TokenGroup

__all__ = ["CarriedCode", "CodeCarrier"]


class CarriedCode(NamedTuple):
    """What the N slots of each of B videos last were.

    Attributes:
        code: ``(B, N, C_e)``, e of the last frame in which the slot fired.
        age: ``(B, N)`` float, frames since then, 0 = the last one; infinite = it never fired.
        place: ``(B, N, 4)``, centre (y, x) and extent (height, width) of its mask then; 1 = the
            image's extent.
    """

    code: Tensor
    age: Tensor
    place: Tensor

    @staticmethod
    def batch_of(codes: Sequence[CarriedCode]) -> CarriedCode:
        """Those of several batches of videos as one."""
        return CarriedCode(*map(torch.cat, zip(*codes, strict=True)))

    def of_video(self, index: int) -> CarriedCode:
        """That of one video of the batch."""
        return CarriedCode(*(tensor[index : index + 1].clone() for tensor in self))


class CodeCarrier(nn.Module):
    """What a carried code adds to the queries and to the tokens, and the next one.

    A slot is alive while its age is at most ``max_age``. One that is not has a learned token in
    place of its own, the same for all, so the number of tokens is N in every frame.

    Args:
        dim: C_e = C'.
        max_age: frames after which a slot that did not fire is nobody's any more.
        score_thresh: a slot fires when its best class probability reaches it.
        drop: in training, the share of the slots whose code is taken away.
        swap: in training, the share of the slots that get the code of another slot, of any video of
            the batch: what is handed on is a hint, not the truth.
    """

    @configurable
    def __init__(
        self,
        *,
        dim: int,
        max_age: int = 64,
        score_thresh: float = 0.4,
        drop: float = 0.1,
        swap: float = 0.05,
    ) -> None:
        super().__init__()
        if max_age < 0:
            raise ValueError(f"MODEL.RCF.CARRY_MAX_AGE is {max_age}, expected 0 or more frames")
        self.max_age = max_age
        self.score_thresh = score_thresh
        self.drop = drop
        self.swap = swap
        self.query = nn.Linear(dim, dim)
        self.token = nn.Linear(dim, dim)
        self.age = nn.Linear(1, dim, bias=False)
        self.nobody = nn.Parameter(torch.zeros(dim))
        for parameter in self.query.parameters():
            nn.init.zeros_(parameter)  # weights without it go on with their own queries

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        rcf = cfg.MODEL.RCF
        return {
            "dim": rcf.HIDDEN_DIM,
            "max_age": rcf.CARRY_MAX_AGE,
            "score_thresh": rcf.TEST.SCORE_THRESH,
        }

    def nothing(self, batch_size: int, num_slots: int, like: Tensor) -> CarriedCode:
        """Before the first frame; of the dtype and on the device of ``like``."""
        return CarriedCode(
            like.new_zeros(batch_size, num_slots, self.token.in_features),
            like.new_full((batch_size, num_slots), float("inf")),
            like.new_zeros(batch_size, num_slots, 4),
        )

    def of_state(self, carried: CarriedCode | None, num_slots: int, like: Tensor) -> CarriedCode:
        """What a state carries, as the step takes it: disturbed in training.

        Args:
            carried: of the state; None before the first frame.
            num_slots: N.
            like: the frame's features, ``(B, …)``.

        Raises:
            ValueError: the state is one of another model.
        """
        if carried is None:
            return self.nothing(len(like), num_slots, like)
        expected = (len(like), num_slots, self.token.in_features)
        if tuple(carried.code.shape) != expected:
            raise ValueError(
                f"a state with a carried code of {tuple(carried.code.shape)} (videos, slots, "
                f"width), expected {expected}: MODEL.RCF.NUM_OBJECT_QUERIES or HIDDEN_DIM of "
                "another model"
            )
        return self.disturbed(carried) if self.training else carried

    def disturbed(self, carried: CarriedCode) -> CarriedCode:
        """With some codes taken away and some exchanged, drawn by PyTorch's generator."""
        age = carried.age
        if self.swap:
            order = torch.randperm(age.numel(), device=age.device)
            swapped = torch.rand(age.shape, device=age.device) < self.swap
            other = [x.flatten(0, 1)[order].view_as(x) for x in carried]
            carried = CarriedCode(
                *(
                    torch.where(swapped.view(*age.shape, *[1] * (x.dim() - 2)), y, x)
                    for x, y in zip(carried, other, strict=True)
                )
            )
        if self.drop:
            dropped = torch.rand(age.shape, device=age.device) < self.drop
            carried = carried._replace(age=carried.age.masked_fill(dropped, float("inf")))
        return carried

    def tokens(self, carried: CarriedCode) -> TokenGroup:
        """N tokens, one a slot, with its place and its age as their position."""
        dim = self.token.out_features
        ages = carried.age.clamp(max=self.max_age)[..., None] / max(self.max_age, 1)
        places = sine_position_encoding(carried.place.float(), dim).to(carried.code.dtype)
        tokens = self.token(carried.code) + self.age(ages) + places
        return TokenGroup(torch.where(self._alive(carried), tokens, self.nobody))

    def queries(self, carried: CarriedCode) -> Tensor:
        """``(B, N, C_e)``, to be added to the learned queries."""
        return torch.where(self._alive(carried), self.query(carried.code), 0)

    def update(
        self, carried: CarriedCode, code: Tensor, logits: Tensor, masks: Tensor, map_: FeatureMap
    ) -> CarriedCode:
        """After a frame: a slot that fired has its new code and place, any other is a frame older.

        Args:
            code: e_t, ``(B, N, C_e)``.
            logits, masks: of the frame, ``(B, N, num_classes + 1)`` and ``(B, N, h, w)``.
            map_: S_t, of which the masks have the cells.
        """
        scores = logits.detach().float().softmax(-1)[..., :-1].amax(-1)
        fired = scores >= self.score_thresh
        return CarriedCode(
            torch.where(fired[..., None], code, carried.code),
            torch.where(fired, 0, carried.age + 1),
            torch.where(fired[..., None], _places(masks, map_), carried.place),
        )

    def _alive(self, carried: CarriedCode) -> Tensor:
        return (carried.age <= self.max_age)[..., None]


@torch.no_grad()
def _places(masks: Tensor, map_: FeatureMap) -> Tensor:
    """Centre and extent of mask logits, ``(B, N, 4)``; 0 for an empty mask.

    The extent is that of a uniform distribution of the same variance.
    """
    inside = masks > 0
    if not map_.is_full:
        inside = inside & map_.valid()
    inside = inside.to(map_.axis_coordinates()[0].dtype)
    total = inside.sum((2, 3)).clamp(min=1)
    centres, extents = [], []
    for coordinates, axis in zip(map_.axis_coordinates(), (3, 2), strict=True):
        shares = inside.sum(axis) / total[..., None]  # (B, N, h) or (B, N, w)
        coordinates = coordinates[:, None]
        centre = (shares * coordinates).sum(-1)
        variance = (shares * (coordinates - centre[..., None]).square()).sum(-1)
        centres.append(centre)
        extents.append((12 * variance).sqrt())
    return torch.stack((*centres, *extents), dim=-1).clamp(max=1).to(masks.dtype)
