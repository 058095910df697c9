"""An exported file against OnlinePredictor, frame by frame over the videos of a data set.

    python tools/export.py --config-file configs/synthvis/rcf_tiny.yaml --size 320x192 \\
        --output rcf_tiny.onnx
    python benchmarks/runtime_parity.py --config-file configs/synthvis/rcf_tiny.yaml \\
        --model rcf_tiny.onnx --videos 10

Each of the two goes on from its own state. Printed are the frames whose identities differ, the
largest differences of logits and of mask logits, the least IoU of two masks of one slot, and what a
frame costs each, from the image file to run-length masks with identities: CPU time, which a busy
machine lengthens little, and time on the clock. With --results the results of the file are
written, for python -m rcf_vis.evaluation. OMP_NUM_THREADS is the number of threads of both.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import torch
from detectron2.config import CfgNode
from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from rcf_vis.data import dataset_paths
from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.files import whole_file
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_input import VideoInput
from rcf_vis.modeling import OnlineState
from rcf_vis.runtime import RuntimeInstances, RuntimeModel, RuntimeState
from rcf_vis.runtime.instances import decide
from rcf_vis.tracking import IdentityState, TrackInstances, box_masks_of


class Differences:
    """What is to be equal, and how far it is from it."""

    def __init__(self) -> None:
        self.frames = self.instances = self.other_identities = 0
        self.logits = self.masks = 0.0
        self.iou = 1.0

    def add(self, output, instances, logits, masks, found: RuntimeInstances) -> None:
        self.frames += 1
        self.instances += len(found)
        self.logits = max(self.logits, np.abs(output.logits.numpy() - logits).max())
        self.masks = max(self.masks, np.abs(output.masks.numpy() - masks).max())
        expected = (instances.slots.tolist(), instances.track_ids.tolist())
        if expected != (found.slots.tolist(), found.track_ids.tolist()):
            self.other_identities += 1
            return
        iou = np.diag(box_masks_of(instances).iou(found.masks))
        shown = found.masks.areas() + box_masks_of(instances).areas() > 0
        self.iou = min(self.iou, iou[shown].min(initial=1))

    def __str__(self) -> str:
        return (
            f"{self.frames} frames, {self.instances} instances; frames with other identities "
            f"{self.other_identities}; largest difference of logits {self.logits:.1e}, of mask "
            f"logits {self.masks:.1e}; least IoU of masks {self.iou:.5f}"
        )


def torch_outputs(predictor: OnlinePredictor, frames: Iterator[np.ndarray]) -> Iterator[tuple]:
    """OnlinePredictor in its parts, of which the network's output is shown, too."""
    state, identities = OnlineState(), IdentityState()
    source = VideoInput(predictor.cfg, predictor.model)
    for frame in frames:
        image, _ = source.next(frame, None, None)
        output, state = predictor.model._frame_output(image, state, None)
        instances, identities = predictor.model.decide(output, identities, frame.shape[:2])
        box_masks_of(instances).rles()
        yield output, instances


def runtime_outputs(model: RuntimeModel, frames: Iterator[np.ndarray]) -> Iterator[tuple]:
    """RuntimeModel.track in its parts."""
    state, description = RuntimeState(), model.description
    for frame in frames:
        logits, masks, tensors = model.step(model.prepare(frame), state)
        size = frame.shape[:2]
        instances, identities = decide(logits, masks, state.identities, size, description)
        instances.masks.rles()
        state = RuntimeState(tensors, identities, size)
        yield logits, masks, instances


class Timed:
    """An iterator whose steps are timed.

    Attributes:
        clock, cpu: seconds of each.
    """

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.cpu: list[float] = []

    def __call__(self, outputs: Iterator[tuple]) -> Iterator[tuple]:
        while True:
            clock, cpu = time.perf_counter(), time.process_time()
            output = next(outputs, None)
            if output is None:
                return
            self.clock.append(time.perf_counter() - clock)
            self.cpu.append(time.process_time() - cpu)
            yield output

    def __str__(self) -> str:
        best, median = (1000 * np.percentile(self.clock, share) for share in (10, 50))
        return (
            f"{1000 * np.mean(self.cpu):.1f} ms of CPU time a frame, on the clock {median:.1f} ms "
            f"(median; the fastest tenth {best:.1f} ms or less)"
        )


def as_tracks(found: RuntimeInstances) -> TrackInstances:
    instances = TrackInstances(found.image_size)
    instances.pred_masks = found.masks
    for name in ("scores", "pred_classes", "class_probs", "track_ids", "slots"):
        instances.set(name, torch.from_numpy(getattr(found, name)))
    return instances


def setup(args: argparse.Namespace) -> CfgNode:
    return prepare_cfg(read_config(args.config_file, [*args.opts, "MODEL.DEVICE", "cpu"]))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--model", required=True, metavar="FILE", help="of tools/export.py")
    parser.add_argument("--engine", default="onnxruntime")
    parser.add_argument("--videos", type=int, help="the first so many; default: all")
    parser.add_argument("--results", type=Path, metavar="FILE", help="of the exported file")
    parser.add_argument("--alone", action="store_true", help="without OnlinePredictor beside it")
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args = parser.parse_args(argv)
    cfg = setup(args)
    paths = dataset_paths(cfg.DATASETS.TEST[0])
    videos = json.loads(Path(paths.json_file).read_text())["videos"][: args.videos]
    predictor = None if args.alone else OnlinePredictor(cfg)
    model = RuntimeModel(args.model, engine=args.engine, threads=torch.get_num_threads())
    differences, results, ours, theirs = Differences(), [], Timed(), Timed()
    for video in tqdm(videos, unit="video"):
        names = [str(Path(paths.image_root) / name) for name in video["file_names"]]
        tracks = TrackAccumulator(video_id=video["id"], num_frames=len(names))
        expected = repeat(None, len(names))
        if predictor is not None:
            expected = ours(torch_outputs(predictor, map(cv2.imread, names)))
        found = theirs(runtime_outputs(model, map(cv2.imread, names)))
        for want, got in zip(expected, found, strict=True):
            if want is not None:
                differences.add(*want, *got)
            tracks.add(as_tracks(got[-1]))
        description = model.description
        results += tracks.results(description.category_ids, description.labels_per_track)
    if predictor is not None:
        print(f"{len(videos)} videos, {differences}\nOnlinePredictor: {ours}")
    print(f"{args.engine}: {theirs}")
    if args.results:
        with whole_file(args.results) as temporary:
            temporary.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
