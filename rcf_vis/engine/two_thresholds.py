"""One pass of the network, evaluated with slots firing at two thresholds."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from detectron2.evaluation import DatasetEvaluator
from detectron2.structures import Instances
from torch import nn

from rcf_vis.modeling import RCF, FrameOutput
from rcf_vis.tracking import IdentityState

__all__ = ["RawOutputs", "TwoThresholdsEvaluator"]


class RawOutputs(nn.Module):
    """A model that gives, for each video, its :class:`FrameOutput` frame by frame, lazily."""

    def __init__(self, model: RCF) -> None:
        super().__init__()
        self.model = model

    def forward(self, batched_inputs: list[dict]) -> list[Iterator[FrameOutput]]:
        return [self.model.run_network(video) for video in batched_inputs]


class TwoThresholdsEvaluator(DatasetEvaluator):
    """Two evaluators on the outputs of :class:`RawOutputs`.

    Which slots fire decides the identities too, so these are followed for each of the two. The raw
    outputs of one video (masks at the stride of S_t) are held in memory until both have had them.

    Args:
        model: decides what fires and which identities it has.
        first, second: evaluators that take :class:`Instances`.
        thresholds: at which slots fire, for each of them.

    Attributes:
        second_results: what ``second`` gave, after :meth:`evaluate`.
    """

    def __init__(
        self,
        *,
        model: RCF,
        first: DatasetEvaluator,
        second: DatasetEvaluator,
        thresholds: tuple[float, float],
    ) -> None:
        self._model = model
        self._evaluators = (first, second)
        self._thresholds = thresholds
        self.second_results: Any = None

    def reset(self) -> None:
        for evaluator in self._evaluators:
            evaluator.reset()

    def process(self, inputs: list[dict], outputs: list[Iterator[FrameOutput]]) -> None:
        for video, frames in zip(inputs, outputs, strict=True):
            kept: list[FrameOutput] = []
            for evaluator, threshold, source in zip(
                self._evaluators, self._thresholds, (_keep(frames, kept), kept), strict=True
            ):
                evaluator.process([video], [self._instances(video, source, threshold)])

    def evaluate(self) -> Any:
        """What ``first`` gives."""
        results = self._evaluators[0].evaluate()
        self.second_results = self._evaluators[1].evaluate() or OrderedDict()
        return results

    def _instances(self, video: dict, frames, threshold: float) -> Iterator[Instances]:
        identities, output_size = IdentityState(), (video["height"], video["width"])
        for frame in frames:
            instances, identities = self._model.decide(frame, identities, output_size, threshold)
            yield instances


def _keep(frames: Iterator[FrameOutput], kept: list[FrameOutput]) -> Iterator[FrameOutput]:
    for frame in frames:
        kept.append(frame)
        yield frame
