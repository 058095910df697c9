"""An exported file against OnlinePredictor, frame by frame over the videos of a data set.

    python tools/export.py --config-file configs/synthvis/rcf_tiny.yaml --size 320x192 \\
        --output rcf_tiny.onnx
    python benchmarks/runtime_parity.py --config-file configs/synthvis/rcf_tiny.yaml \\
        --model rcf_tiny.onnx --videos 10

Each of the two goes on from its own state. Printed are the frames whose identities differ, the
largest differences of logits and of mask logits, and the least IoU of two masks of one slot; with
--results also the results of the file are written, for python -m rcf_vis.evaluation.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
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
from rcf_vis.inference.frame_input import frame_input
from rcf_vis.inference.setup import prepare_cfg
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


def torch_outputs(predictor: OnlinePredictor, frames: Sequence[np.ndarray]) -> Iterator[tuple]:
    images = [
        frame_input(
            frame,
            predictor.augmentation,
            image_format=predictor.input_format,
            device=predictor.model.device,
        )
        for frame in frames
    ]
    identities = IdentityState()
    for output in predictor.model.run_network({"image": images}):
        instances, identities = predictor.model.decide(output, identities, frames[0].shape[:2])
        yield output, instances


def runtime_outputs(model: RuntimeModel, frames: Sequence[np.ndarray]) -> Iterator[tuple]:
    """RuntimeModel.track in its parts, of which the network's output is shown, too."""
    state, description = RuntimeState(), model.description
    for frame in frames:
        logits, masks, tensors = model.step(model.prepare(frame), state)
        size = frame.shape[:2]
        instances, identities = decide(logits, masks, state.identities, size, description)
        state = RuntimeState(tensors, identities, size)
        yield logits, masks, instances


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
    differences, results = Differences(), []
    for video in tqdm(videos, unit="video"):
        names = [Path(paths.image_root) / name for name in video["file_names"]]
        frames = [cv2.imread(str(name)) for name in names]
        tracks = TrackAccumulator(video_id=video["id"], num_frames=len(frames))
        expected = torch_outputs(predictor, frames) if predictor else [None] * len(frames)
        for want, got in zip(expected, runtime_outputs(model, frames), strict=True):
            if want is not None:
                differences.add(*want, *got)
            tracks.add(as_tracks(got[-1]))
        description = model.description
        results += tracks.results(description.category_ids, description.labels_per_track)
    if predictor:
        print(
            f"{len(videos)} videos, {differences.frames} frames, {differences.instances} instances"
            f"; frames with other identities {differences.other_identities}; largest difference of "
            f"logits {differences.logits:.1e}, of mask logits {differences.masks:.1e}; least IoU "
            f"of masks {differences.iou:.5f}"
        )
    if args.results:
        with whole_file(args.results) as temporary:
            temporary.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
