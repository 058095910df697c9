#!/usr/bin/env python
"""AP of a model along very long videos: does what it hands on wear out?

    python datasets/prepare_synthvis.py --root long --length 3000 --train-videos 1 --val-videos 4
    DETECTRON2_DATASETS=long python experiments/measure_stability.py \\
        --config-file configs/synthvis/rcf_tiny.yaml --window 500 --opts MODEL.WEIGHTS FILE

Runs through each video once, and prints AP and identity switches of each window of frames, with
the identities that the objects have in it.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from detectron2.data import DatasetCatalog, MetadataCatalog
from tabulate import tabulate
from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from rcf_vis.data.json_rules import read_json
from rcf_vis.evaluation import TrackAccumulator, evaluate_identity, evaluate_ytvis
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import open_frames


def cut(truth: Mapping[str, Any], window: int) -> list[dict[str, Any]]:
    """The ground truth of each window of frames, as data sets of their own."""
    length = max(video["length"] for video in truth["videos"])
    return [
        {
            "categories": truth["categories"],
            "videos": [{**video, "length": window} for video in truth["videos"]],
            "annotations": [
                {
                    **{
                        key: annotation[key] for key in ("id", "video_id", "category_id", "iscrowd")
                    },
                    **{
                        key: annotation[key][start : start + window]
                        for key in ("segmentations", "areas", "bboxes")
                    },
                }
                for annotation in truth["annotations"]
                if any(annotation["segmentations"][start : start + window])
            ],
        }
        for start in range(0, length - window + 1, window)
    ]


def run(
    predictor: OnlinePredictor, records: list[dict[str, Any]], window: int, labels: int
) -> list[list[dict[str, Any]]]:
    """The results in each window, of one walk through each video."""
    ids = {i: n for n, i in predictor.metadata.thing_dataset_id_to_contiguous_id.items()}
    found: list[list[dict[str, Any]]] = []
    with tqdm(total=sum(len(record["file_names"]) for record in records), unit="frame") as bar:
        for record in records:
            predictor.reset()
            for index, frame in enumerate(open_frames(record["file_names"])):
                if index % window == 0:
                    tracks = TrackAccumulator(video_id=record["video_id"])
                tracks.add(predictor(frame))
                bar.update()
                if (index + 1) % window == 0:
                    if len(found) == index // window:
                        found.append([])
                    found[index // window] += tracks.results(ids, labels)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--window", type=int, default=500, metavar="FRAMES")
    parser.add_argument("--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE")
    args = parser.parse_args()
    cfg = prepare_cfg(read_config(args.config_file, args.opts))
    name = cfg.DATASETS.TEST[0]
    records = DatasetCatalog.get(name)
    predictor = OnlinePredictor(cfg)
    found = run(predictor, records, args.window, cfg.MODEL.RCF.TEST.LABELS_PER_TRACK)
    rows = []
    for index, truth in enumerate(
        cut(read_json(MetadataCatalog.get(name).json_file, "YouTube-VIS annotations"), args.window)
    ):
        ap, identity = evaluate_ytvis(truth, found[index]), evaluate_identity(truth, found[index])
        figures = [100 * ap["AP"], 100 * identity["HOTA"], identity["IDSW"]]
        rows.append([f"{index * args.window} to {(index + 1) * args.window - 1}", *figures])
    print(tabulate(rows, ["frames", "AP", "HOTA", "switches"], floatfmt=".1f"))


if __name__ == "__main__":
    main()
