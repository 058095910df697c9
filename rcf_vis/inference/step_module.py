"""One online step as a module of flat tensors, which an export can trace."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from rcf_vis.modeling import RCF, CarriedCode, OnlineState
from rcf_vis.modeling.feature_map import FeatureMap

__all__ = ["StateTensor", "StepModule"]


class StateTensor(NamedTuple):
    """A tensor of a state: float32, or int64 for a count."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class StepModule(nn.Module):
    """The pixels of a frame and the state's tensors in; logits, masks, the next state's out.

    A state of zeros is a new video: the count of its frames, which is one of the tensors, says that
    the others are not to be looked at. What a state holds after its first frame is complete, so
    that from then on all frames are alike. A model without a past (δ = 0 and no carried code) has
    no state.

    Args:
        model: in evaluation mode, as :func:`~rcf_vis.inference.optimize_for_inference` gives it,
            not compiled.
        image_size: (height, width) of the frames, without padding.

    Attributes:
        state: the tensors of the state by name, in the order in which they are taken and given.
        stride: of the masks.
    """

    def __init__(self, model: RCF, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        self.image_size = tuple(image_size)
        shapes: dict[str, tuple[int, ...]] = {}
        context, sound, carried = self._try()
        for k in range(model.num_reference_frames):
            shapes[f"reference_{k}"] = tuple(context.shape)
        for k in range(model.num_reference_frames if sound is not None else 0):
            shapes[f"audio_{k}"] = tuple(sound.shape)
        for name, tensor in (carried._asdict() if carried else {}).items():
            shapes[f"carried_{name}"] = tuple(tensor.shape)
        self.state = {name: StateTensor(shape, torch.float32) for name, shape in shapes.items()}
        if self.state:
            self.state = {"frames": StateTensor((1,), torch.int64), **self.state}

    def example(self) -> tuple[Tensor, ...]:
        """Inputs of the right shapes: a black frame, with sound silence, a new video."""
        image = torch.zeros(3, *self.image_size, dtype=torch.uint8)
        audio = () if self.model.audio is None else (self.model.audio.silence(),)
        state = (torch.zeros(tensor.shape, dtype=tensor.dtype) for tensor in self.state.values())
        return tuple(x.to(self.model.device) for x in (image, *audio, *state))

    @property
    def input_names(self) -> list[str]:
        audio = [] if self.model.audio is None else ["audio"]
        return ["image", *audio, *self.state]

    def forward(self, image: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        """One step.

        Args:
            image: ``(3, h, w)`` uint8, in the order of ``INPUT.FORMAT``.
            others: with sound the log-mel patch ``(η, 64)`` float32; then the state.

        Returns:
            Logits ``(N, num_classes + 1)`` and mask logits ``(N, h', w')`` without padding,
            float32; then the next state.
        """
        model, sound = self.model, None
        if model.audio is not None:
            sound, others = model.audio.features(others[0][None]), others[1:]
        tensors = dict(zip(self.state, others, strict=True))
        features = model.extract_features([image])
        state = self._filled(tensors, features.context, sound)
        output, state = model.step(features, state, sound)
        height, width = output.segmentation.valid_sizes[0]
        masks = output.masks[0, :, :height, :width]
        following = (
            *([tensors["frames"] + 1] if tensors else []),
            *(reference.data for reference in state.references),
            *state.audio_features,
            *(state.carried or ()),
        )
        numbers = (output.logits[0], masks, *following)
        return tuple(x.float() if x.is_floating_point() else x for x in numbers)

    @torch.no_grad()
    def _try(self) -> tuple[Tensor, Tensor | None, CarriedCode | None]:
        """What a first frame leaves behind; a trace must find the constants of this size made."""
        model = self.model
        image = torch.zeros(3, *self.image_size, dtype=torch.uint8, device=model.device)
        sound = None if model.audio is None else model.audio.features_of_frame(None)
        frame, context, carried = model.frame_step(image[None], OnlineState(), sound)
        self.stride = frame.stride
        return context.data, sound, carried

    def _filled(
        self, tensors: dict[str, Tensor], context: FeatureMap, sound: Tensor | None
    ) -> OnlineState:
        """The state of these tensors; in a first frame the frame itself stands in for the past."""
        if not tensors:
            return OnlineState()
        first = tensors["frames"] == 0

        def past(name: str, stand_in: Tensor) -> Tensor:
            return torch.where(first, stand_in, tensors[name].to(stand_in.dtype))

        delta, carried = self.model.num_reference_frames, None
        if self.model.carrier is not None:
            code, age, place = (tensors[f"carried_{name}"] for name in CarriedCode._fields)
            age = torch.where(first, torch.inf, age)
            carried = CarriedCode(*(x.to(self.model.dtype) for x in (code, age, place)))
        return OnlineState(
            tuple(context.like(past(f"reference_{k}", context.data)) for k in range(delta)),
            audio_features=()
            if sound is None
            else tuple(past(f"audio_{k}", sound) for k in range(delta)),
            carried=carried,
        )
