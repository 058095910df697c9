"""Detectron2's evaluator for YouTube-VIS: results.json, AP where there is ground truth, speed."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.structures import Instances
from detectron2.utils import comm
from detectron2.utils.logger import create_small_table
from tabulate import tabulate

from rcf_vis.data.json_forms import read_video_json
from rcf_vis.errors import DatasetError

from .average_precision import METRICS, evaluate_ytvis
from .event_metrics import EVENT_METRICS, evaluate_events, has_events
from .identity_metrics import IDENTITY_METRICS, evaluate_identity
from .result_spool import ResultSpool
from .slot_history import slot_shares
from .submission_check import write_submission
from .track_accumulator import TrackAccumulator

__all__ = ["YTVISEvaluator"]

logger = logging.getLogger(__name__)


class YTVISEvaluator(DatasetEvaluator):
    """Evaluates tracks of a data set in the YouTube-VIS format.

    Args:
        dataset_name: registered; its metadata has, at the latest when it is loaded, ``json_file``
            and ``thing_dataset_id_to_contiguous_id``.
        output_dir: where ``results.json`` goes (a local path), and ``results.zip`` when the json
            has no annotations; older ones are removed with the first video. Until all is done the
            videos that are stand in ``results.json.partial-rank<rank>``. None writes nothing.
        distributed: gather from all processes; else evaluate only this one's.
        labels_per_track: how many classes of a track are output, each as a result of its own.
        identity_metrics: also give those of :func:`rcf_vis.evaluation.evaluate_identity`, in which
            each track counts once, with its best class, and the shares of the frames in which
            tracks keep their slots and the IoU rule rescues them; and, where the json has events,
            those of :func:`rcf_vis.evaluation.evaluate_events`.
    """

    def __init__(
        self,
        dataset_name: str,
        output_dir: str | None = None,
        *,
        distributed: bool = True,
        labels_per_track: int = 1,
        identity_metrics: bool = False,
    ) -> None:
        metadata = MetadataCatalog.get(dataset_name)
        if not {"json_file", "thing_dataset_id_to_contiguous_id"} <= metadata.as_dict().keys():
            DatasetCatalog.get(dataset_name)  # sets what is missing
        self._json_file: str = metadata.json_file
        self._dataset_ids = {
            contiguous_id: dataset_id
            for dataset_id, contiguous_id in metadata.thing_dataset_id_to_contiguous_id.items()
        }
        self._ignore_classes = metadata.get("ignore_classes", ())
        self._dataset_name = dataset_name
        self._results_file = Path(output_dir) / "results.json" if output_dir else None
        self._distributed = distributed
        self._labels_per_track = min(labels_per_track, len(self._dataset_ids))
        self._identity_metrics = identity_metrics
        self._spool: ResultSpool | None = None
        self.reset()

    def reset(self) -> None:
        self._close_spool()
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
            results = tracks.results(self._dataset_ids, self._labels_per_track)
            record = {"results": results, "slots": tracks.slot_counts}
            self._open_spool().add(video["video_id"], record)

    def evaluate(self) -> OrderedDict[str, Any]:
        """Gather, write and score the results.

        Returns:
            In the main process ``{"segm": {"AP": …, …, "AP-<category>": …}}`` in percent, nan
            where undefined, as Detectron2's COCOEvaluator has it, and ``{"identity": {…}}`` where
            asked for, in percent too but for the counts ``IDSW`` and ``Frag``, with
            ``{"events": {"<kind>-<figure>": …}}`` beside it. Without annotations
            only the latter's ``slot_kept`` and ``iou_rescued``. Empty in the other processes.
        """
        try:
            return self._evaluate(self._open_spool())
        finally:
            self._close_spool()

    def _evaluate(self, spool: ResultSpool) -> OrderedDict[str, Any]:
        speed = [(self._num_frames, self._model_seconds, self._encoding_seconds)]
        if self._distributed:
            comm.synchronize()
            spool.gather()
            speed = comm.gather(speed[0], dst=0)
            if not comm.is_main_process():
                return OrderedDict()
        _log_speed(*map(sum, zip(*speed, strict=True)), len(speed))
        if self._results_file:
            count = spool.write_results(self._results_file)
            logger.info("%d results of %d videos: %s", count, len(spool), self._results_file)

        ground_truth = read_video_json(self._json_file, ignore_classes=self._ignore_classes)
        annotated = ground_truth.get("annotations") is not None
        results, slots = [], []
        for record in spool:
            slots.append(record["slots"])
            if annotated:
                results += record["results"]
        figures = OrderedDict()
        if annotated:
            figures["segm"] = _in_percent(evaluate_ytvis(ground_truth, results))
        else:
            self._submit(ground_truth)
        if self._identity_metrics:
            # A track's results follow each other, its best class first.
            best = results[:: self._labels_per_track]
            found = evaluate_identity(ground_truth, best) if annotated else {}
            figures["identity"] = _identity_in_percent({**found, **slot_shares(slots)})
            if annotated and has_events(ground_truth):
                figures["events"] = _events_in_percent(evaluate_events(ground_truth, best))
        return figures

    def _open_spool(self) -> ResultSpool:
        """Opened with the first video: an evaluator that is only built touches no file."""
        if self._spool is None:
            self._spool = ResultSpool(self._results_file)
        return self._spool

    def _close_spool(self) -> None:
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close()

    def _submit(self, ground_truth: Mapping[str, Any]) -> None:
        """Write what the evaluation server takes, checked."""
        note = f"{self._json_file} has no annotations: there is no AP for '{self._dataset_name}'."
        if not self._results_file:
            logger.warning("%s No output_dir was given, so no submission is written.", note)
            return
        path = self._results_file.with_suffix(".zip")
        try:
            write_submission(self._results_file, ground_truth, path)
        except DatasetError as error:  # of a model that found nothing, say: training goes on
            logger.error("%s No submission is written:\n%s", note, error)
            return
        logger.info("%s Submission for its server: %s", note, path)


def _wait_for(instances: Instances) -> None:
    """Wait until the device has computed them, so that the time is counted as the model's."""
    device = instances.class_probs.device
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


def _identity_in_percent(figures: Mapping[str, Any]) -> dict[str, float]:
    """The figures without those of each category; logs them as a table."""
    names = [name for name in (*IDENTITY_METRICS, "slot_kept", "iou_rescued") if name in figures]
    counts = ("IDSW", "Frag")
    summary = {
        name: float(figures[name]) if name in counts else _percent(figures[name]) for name in names
    }
    logger.info("Identity metrics:\n%s", create_small_table(summary))
    return summary


def _events_in_percent(figures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """``<kind>-<figure>`` → figure; logs them as a table."""
    counts = ("IDSW", "events", "seen", "switches")
    found = {
        kind: [float(values[k]) if k in counts else _percent(values[k]) for k in EVENT_METRICS]
        for kind, values in figures.items()
    }
    rows = [(kind, *values) for kind, values in found.items()]
    table = tabulate(rows, ("", *EVENT_METRICS), tablefmt="pipe", floatfmt=".1f")
    logger.info("Events:\n%s", table)
    return {
        f"{kind}-{name}": value
        for kind, values in found.items()
        for name, value in zip(EVENT_METRICS, values, strict=True)
    }


def _percent(value: float) -> float:
    return 100 * value if value != -1 else float("nan")


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
