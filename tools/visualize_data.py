#!/usr/bin/env python
"""Draw what a data set holds, or what the loader feeds: one strip a clip, identities in colour.

python tools/visualize_data.py --config-file FILE --dataset ytvis_2019_train --output DIR
python tools/visualize_data.py --config-file FILE --dataset ytvis_2019_train --mapper --output DIR

With --mapper the strips show clips after sampling and augmentation, exactly as training gets them.
The flags are those of Detectron2's script of this name: --mapper is its --source dataloader.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.env import seed_all_rng
from detectron2.utils.logger import setup_logger
from tqdm import tqdm

from rcf_vis.config import read_config
from rcf_vis.data import build_train_loader, register_datasets_from_cfg
from rcf_vis.visualization.clip_strips import record_strip, sample_strip
from rcf_vis.visualization.tracks import save_image


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument(
        "--source", choices=["annotation", "dataloader"], default="annotation",
        help="draw the annotated videos (default), or the clips of the training loader",
    )  # fmt: skip
    parser.add_argument(
        "--mapper", action="store_const", dest="source", const="dataloader",
        help="the same as --source dataloader",
    )  # fmt: skip
    parser.add_argument("--dataset", metavar="NAME", help="default: DATASETS.TRAIN of the config")
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument("--num-clips", type=int, default=12, metavar="N", help="default: 12")
    parser.add_argument(
        "--num-frames", type=int, default=6, metavar="N", help="drawn of an annotated video"
    )
    parser.add_argument("--seed", type=int, default=0, help="of sampling and augmentation")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="config options, at the end of the command",
    )  # fmt: skip
    return parser


def setup_cfg(args: argparse.Namespace) -> CfgNode:
    cfg = read_config(args.config_file, args.opts)
    if args.dataset:
        cfg.DATASETS.TRAIN, cfg.DATASETS.DATASET_RATIO = (args.dataset,), []
    cfg.DATALOADER.NUM_WORKERS = 0  # the seed then holds for all that is drawn
    cfg.SOLVER.IMS_PER_BATCH = 1
    cfg.freeze()
    register_datasets_from_cfg(cfg)
    return cfg


def annotation_strips(cfg: CfgNode, num_frames: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and strip of each video of the data sets."""
    for dataset in cfg.DATASETS.TRAIN:
        records = DatasetCatalog.get(dataset)
        class_names = MetadataCatalog.get(dataset).thing_classes
        for record in records:
            strip = record_strip(record, class_names, num_frames=num_frames)
            yield f"{dataset}_{record['video_id']}", strip


def loader_strips(cfg: CfgNode) -> Iterator[tuple[str, np.ndarray]]:
    """Name and strip of each clip that training would see, without an end."""
    loader = build_train_loader(cfg)
    class_names = MetadataCatalog.get(cfg.DATASETS.TRAIN[0]).thing_classes
    for number, (sample,) in enumerate(loader):
        strip = sample_strip(sample, class_names, image_format=cfg.INPUT.FORMAT)
        yield f"clip_{number:04d}_{sample['video_id']}", strip


def main(argv: list[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    if not Path(args.config_file).is_file():
        parser.error(f"no such config file: {args.config_file!r}")
    cfg = setup_cfg(args)
    seed_all_rng(args.seed)
    if args.source == "dataloader":
        strips = loader_strips(cfg)
    else:
        strips = annotation_strips(cfg, args.num_frames)
    count = 0
    for name, strip in tqdm(itertools.islice(strips, args.num_clips), unit="clip"):
        save_image(strip, Path(args.output) / f"{name}.png")
        count += 1
    print(f"Wrote {count} strips to {args.output}")


if __name__ == "__main__":
    setup_logger(name="rcf_vis")
    main()
