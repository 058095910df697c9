"""The network's step as a CUDA graph: one launch in place of hundreds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

from rcf_vis.modeling import RCF, CarriedCode, FrameOutput, OnlineState
from rcf_vis.modeling.feature_map import FeatureMap

__all__ = ["GraphedStep", "captured"]

_WARM_UP = 3  # steps before the capture, in which libraries choose kernels and take memory
_Result = TypeVar("_Result")
_Outputs = tuple[FrameOutput, FeatureMap, CarriedCode | None]
_LIMIT = 8  # graphs; each holds the activations of its size


class GraphedStep:
    """:meth:`RCF.frame_step`, captured once for a size and number of frames, then replayed.

    From the pixels and the tensors of the state to the predictions and f_t nothing comes from the
    host and nothing goes there. How many objects there are has no part in it. The first frame of a
    video has no past, so its step is another one: it runs as it is. The frames of several videos
    are filled up to a power of two, so that few graphs are made as videos come and go.

    Args:
        model: on a GPU, in evaluation mode; its weights stay where they are.

    Raises:
        ValueError: a frame is of another size than the frames that the state remembers.
    """

    def __init__(self, model: RCF) -> None:
        self._model = model
        self._graphs: OrderedDict[tuple, _Graph] = OrderedDict()

    def __deepcopy__(self, memo: dict) -> GraphedStep:
        return GraphedStep(deepcopy(self._model, memo))  # it captures graphs of its own weights

    def __call__(
        self, images: Tensor, state: OnlineState, audio_features: Tensor | None
    ) -> _Outputs:
        """As :meth:`RCF.frame_step`; what it gives is the caller's own."""
        delta = self._model.num_reference_frames
        carries = self._model.carrier is not None
        if (delta and not state.references) or (carries and state.carried is None):
            return RCF.frame_step(self._model, images, state, audio_features)
        size = (int(images.shape[-2]), int(images.shape[-1]))
        for reference in state.references:
            if set(reference.image_sizes) != {size}:
                raise ValueError(
                    f"a frame of {size} pixels (height, width) follows frames of "
                    f"{reference.image_sizes[0]}: a new size is a new video, OnlineState()"
                )
        count = 1 << (len(images) - 1).bit_length()
        key = (count, *size, images.dtype)
        if key not in self._graphs:
            with torch.inference_mode(False), torch.no_grad():  # it outlives the caller's mode
                self._graphs[key] = _Graph(self._model, count, images, state, audio_features)
            if len(self._graphs) > _LIMIT:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        return self._graphs[key](images, state, audio_features)


class _Inputs(NamedTuple):
    """All that a step depends on, in the form in which it is the same for each frame.

    Attributes:
        images: ``(B, 3, h, w)``.
        references: δ context features, newest first, missing ones filled.
        audio: a_t and, newest first, δ of the frames before; none in a model without audio.
        carried: the carried code; none in a model without.
    """

    images: Tensor
    references: tuple[Tensor, ...]
    audio: tuple[Tensor, ...]
    carried: tuple[Tensor, ...]

    @classmethod
    def of(
        cls, images: Tensor, state: OnlineState, audio_features: Tensor | None, delta: int
    ) -> _Inputs:
        # With δ = 0 no target stands in for a reference, so None is never asked for.
        references = state.filled_references(None, delta)
        audio = ()
        if audio_features is not None:
            past = state.filled_audio_features(audio_features, delta)
            audio = (audio_features, *past)
        data = tuple(reference.data for reference in references)
        return cls(images, data, audio, tuple(state.carried or ()))

    def filled(self, count: int) -> _Inputs:
        """A copy for ``count`` videos, the last of which stands in for missing ones."""

        def fill(tensor: Tensor) -> Tensor:
            missing = count - len(tensor)
            return torch.cat((tensor, tensor[-1:].expand(missing, *tensor.shape[1:])))

        images, *groups = self
        return _Inputs(fill(images), *(tuple(map(fill, group)) for group in groups))

    def tensors(self) -> list[Tensor]:
        return [self.images, *self.references, *self.audio, *self.carried]


class _Graph:
    """One captured step and the tensors that it reads and writes."""

    def __init__(
        self,
        model: RCF,
        count: int,
        images: Tensor,
        state: OnlineState,
        audio_features: Tensor | None,
    ) -> None:
        self._delta = model.num_reference_frames
        given = _Inputs.of(images, state, audio_features, self._delta)
        self._inputs = given.filled(count)
        maps = state.filled_references(None, self._delta)
        past = OnlineState(
            tuple(
                replace(one, data=data, image_sizes=one.image_sizes[:1] * count)
                for one, data in zip(maps, self._inputs.references, strict=True)
            ),
            audio_features=self._inputs.audio[1:],
            carried=CarriedCode(*self._inputs.carried) if self._inputs.carried else None,
        )
        audio = self._inputs.audio[0] if self._inputs.audio else None

        def step() -> _Outputs:
            return RCF.frame_step(model, self._inputs.images, past, audio)

        self._replay, self._outputs = captured(step, model.device)
        # The graph reads the constants of its size by their addresses.
        self._held = model.constants.kept()

    def __call__(
        self, images: Tensor, state: OnlineState, audio_features: Tensor | None
    ) -> _Outputs:
        given = _Inputs.of(images, state, audio_features, self._delta)
        count = len(images)
        for buffer, tensor in zip(self._inputs.tensors(), given.tensors(), strict=True):
            buffer[:count].copy_(tensor)
        self._replay()
        frames, context, carried = self._outputs
        frames = frames._replace(
            logits=frames.logits[:count].clone(), masks=frames.masks[:count].clone()
        )
        data, sizes = context.data[:count].clone(), context.image_sizes[:count]
        context = replace(context, data=data, image_sizes=sizes)
        return frames, context, carried and CarriedCode(*(x[:count].clone() for x in carried))


def captured(
    step: Callable[[], _Result], device: torch.device
) -> tuple[Callable[[], None], _Result]:
    """Capture what ``step`` does: what does it again, and where its results then are."""
    with torch.cuda.device(device):
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = step()
    return graph.replay, outputs
