"""Detectron2's evaluator for YouTube-VIS: results.json, AP where there is ground truth, speed."""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import time
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.structures import Instances
from detectron2.utils import comm
from detectron2.utils.logger import create_small_table
from tabulate import tabulate

from rcf_vis.files import whole_file

from .average_precision import METRICS, evaluate_ytvis
from .track_accumulator import TrackAccumulator
from .track_files import read_json

__all__ = ["YTVISEvaluator"]

logger = logging.getLogger(__name__)


class YTVISEvaluator(DatasetEvaluator):
    """Evaluates tracks of a data set in the YouTube-VIS format.

    Args:
        dataset_name: registered; its metadata has, at the latest when it is loaded, ``json_file``
            and ``thing_dataset_id_to_contiguous_id``.
        output_dir: where ``results.json`` goes (a local path), and ``results.zip`` when the json
            has no annotations; None writes nothing.
        distributed: gather from all processes; else evaluate only this one's.
        labels_per_track: how many classes of a track are output, each as a result of its own.
    """

    def __init__(
        self,
        dataset_name: str,
        output_dir: str | None = None,
        *,
        distributed: bool = True,
        labels_per_track: int = 1,
    ) -> None:
        metadata = MetadataCatalog.get(dataset_name)
        if not {"json_file", "thing_dataset_id_to_contiguous_id"} <= metadata.as_dict().keys():
            DatasetCatalog.get(dataset_name)  # sets what is missing
        self._json_file: str = metadata.json_file
        self._dataset_ids = {
            contiguous_id: dataset_id
            for dataset_id, contiguous_id in metadata.thing_dataset_id_to_contiguous_id.items()
        }
        self._dataset_name = dataset_name
        self._output_dir = output_dir
        self._distributed = distributed
        self._labels_per_track = labels_per_track
        self.reset()

    def reset(self) -> None:
        self._videos: dict[int, list[dict[str, Any]]] = {}
        self._num_frames = 0
        self._model_seconds = self._encoding_seconds = 0.0

    def process(self, inputs: list[dict[str, Any]], outputs: Iterable[Iterable[Instances]]) -> None:
        """Run the model over videos by consuming its outputs.

        Args:
            inputs: test samples, with ``video_id``, ``length``, ``height`` and ``width``.
            outputs: for each of them the frames' :class:`Instances` in order, which may be lazy:
                the time that they take is measured as the model's. See
                :meth:`TrackAccumulator.add` for the fields. Masks are of the video's size.

        Raises:
            ValueError: a video has another number of frames, or a frame is of another size.
        """
        for video, frames in zip(inputs, outputs, strict=True):
            tracks = TrackAccumulator(video_id=video["video_id"], num_frames=video["length"])
            expected_size = (video["height"], video["width"])
            frames = iter(frames)
            started = time.perf_counter()
            while (instances := next(frames, None)) is not None:
                _wait_for(instances)
                predicted = time.perf_counter()
                if instances.image_size != expected_size:
                    raise ValueError(
                        f"video {video['video_id']}, frame {len(tracks)}: the model gives masks "
                        f"of size {instances.image_size}, expected {expected_size}"
                    )
                tracks.add(instances)
                encoded = time.perf_counter()
                self._model_seconds += predicted - started
                self._encoding_seconds += encoded - predicted
                started = encoded
            self._num_frames += len(tracks)
            self._videos[video["video_id"]] = tracks.results(
                self._dataset_ids, self._labels_per_track
            )

    def evaluate(self) -> OrderedDict[str, Any]:
        """Gather, write and score the results.

        Returns:
            In the main process ``{"segm": {"AP": …, …, "AP-<category>": …}}`` in percent, nan
            where undefined, as Detectron2's COCOEvaluator has it; empty without annotations, and
            in the other processes.
        """
        parts = [(self._videos, self._num_frames, self._model_seconds, self._encoding_seconds)]
        if self._distributed:
            comm.synchronize()
            parts = comm.gather(parts[0], dst=0)
            if not comm.is_main_process():
                return OrderedDict()
        videos, frames, model_seconds, encoding_seconds = zip(*parts, strict=True)
        _log_speed(sum(frames), sum(model_seconds), sum(encoding_seconds), len(parts))
        # Each video once, whichever process had it, in one order for any number of processes.
        merged = {key: results for part in videos for key, results in part.items()}
        results = [result for key in sorted(merged) for result in merged[key]]

        if self._output_dir:
            path = os.path.join(self._output_dir, "results.json")
            with whole_file(path) as temporary:
                temporary.write_text(json.dumps(results))
            logger.info("%d results of %d videos: %s", len(results), len(merged), path)
        ground_truth = read_json(self._json_file)
        if ground_truth.get("annotations") is None:
            self._submit(results)
            return OrderedDict()
        figures = evaluate_ytvis(ground_truth, results)
        return OrderedDict(segm=_in_percent(figures))

    def _submit(self, results: list[dict[str, Any]]) -> None:
        """Write what the evaluation server takes: a zip with ``results.json`` at its root."""
        note = f"{self._json_file} has no annotations: there is no AP for '{self._dataset_name}'."
        if not self._output_dir:
            logger.warning("%s No output_dir was given, so no submission is written.", note)
            return

        path = os.path.join(self._output_dir, "results.zip")
        with whole_file(path) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(os.path.join(self._output_dir, "results.json"), "results.json")
        logger.info("%s Submission for its server: %s", note, path)


def _wait_for(instances: Instances) -> None:
    """Wait until the device has computed them, so that the time is counted as the model's."""
    device = instances.pred_masks.device
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _log_speed(frames: int, model: float, encoding: float, processes: int) -> None:
    logger.info(
        "Speed of each of %d process(es), over %d frames in all: model %.2f frames/s (reading and "
        "start-up included), masks to RLE %.2f frames/s, both %.2f frames/s",
        processes,
        frames,
        *(frames / max(seconds, 1e-9) for seconds in (model, encoding, model + encoding)),
    )


def _in_percent(figures: dict[str, Any]) -> dict[str, float]:
    """The figures as Detectron2 has them; logs them as tables."""
    summary = {name: _percent(figures[name]) for name in METRICS}
    per_category = {name: _percent(ap) for name, ap in figures["per_category"].items()}
    logger.info("Evaluation results for segm:\n%s", create_small_table(summary))
    if not all(math.isfinite(value) for value in summary.values()):
        logger.info("Some figures cannot be computed and are shown as nan.")
    logger.info("Per-category segm AP:\n%s", _category_table(per_category))
    return {**summary, **{f"AP-{name}": ap for name, ap in per_category.items()}}


def _percent(value: float) -> float:
    return 100 * value if value >= 0 else float("nan")


def _category_table(per_category: dict[str, float], pairs_per_row: int = 3) -> str:
    cells = list(itertools.chain.from_iterable(per_category.items()))
    width = 2 * min(pairs_per_row, max(len(per_category), 1))
    return tabulate(
        [cells[start : start + width] for start in range(0, len(cells), width)],
        headers=["category", "AP"] * (width // 2),
        tablefmt="pipe",
        floatfmt=".3f",
        numalign="left",
    )
