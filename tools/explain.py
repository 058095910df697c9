#!/usr/bin/env python
"""Draw the paper's figures from a checkpoint: where it looks, and whether its slots keep order.

python tools/explain.py --config-file configs/synthvis/rcf_tiny.yaml --input in.mp4 --output DIR
python tools/explain.py --config-file FILE --dataset ytvis_2019_val --output DIR --opts KEY VALUE
python tools/explain.py --config-file A --compare-config-file B --input … --output DIR

Writes explain.json, slot_classes.png (figure 9) and slot_order.png (section III-B4); and, in a
folder for each video that is drawn, weights.png (figure 4 b) and attention_*.png (figures 4 c, 8
and 12). docs/analysis.md says how to read them.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.logger import setup_logger

from rcf_vis import OnlinePredictor
from rcf_vis.analysis.explain.explain import Explainer
from rcf_vis.analysis.explain.walk import VideoSource, video_of_frames, video_of_record
from rcf_vis.config import read_config
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import open_frames
from rcf_vis.weight_files import add_trust_option

logger = logging.getLogger("rcf_vis.explain")


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--weights", metavar="FILE", help="default: MODEL.WEIGHTS of the config")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", nargs="+", help="a video, a folder, a glob in quotes, or images")
    source.add_argument("--dataset", metavar="NAME", help="a registered data set")
    parser.add_argument("--video", type=int, nargs="+", metavar="ID", help="only these of a set")
    parser.add_argument("--output", required=True, metavar="DIR")
    parser.add_argument(
        "--num-frames", type=int, default=4, metavar="N", help="drawn of a video; default: 4"
    )
    parser.add_argument(
        "--num-videos", type=int, default=1, metavar="N", help="drawn of a set; default: the first"
    )
    parser.add_argument(
        "--compare-config-file", metavar="FILE", help="a second model, whose attention is drawn too"
    )
    parser.add_argument("--compare-weights", metavar="FILE")
    parser.add_argument("--compare-opts", nargs="+", default=[], metavar="KEY VALUE")
    add_trust_option(parser)
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="config options of the first model, at the end of the command",
    )
    return parser


def setup_cfg(config_file: str, weights: str | None, opts: Sequence[str]) -> CfgNode:
    cfg = read_config(config_file, opts)
    if weights is not None:
        cfg.MODEL.WEIGHTS = weights
    return prepare_cfg(cfg)


def build_models(args: argparse.Namespace) -> dict[str, OnlinePredictor]:
    """The model, and the one to compare it with, by the names that they have in the pictures."""
    cfgs = [setup_cfg(args.config_file, args.weights, args.opts)]
    if args.compare_config_file:
        other = (args.compare_config_file, args.compare_weights, args.compare_opts)
        cfgs.append(setup_cfg(*other))
    names = [cfg.MODEL.RCF.FUSION for cfg in cfgs]
    if len(set(names)) < len(names):
        names = ["first", "second"]
    return {name: OnlinePredictor(cfg) for name, cfg in zip(names, cfgs, strict=True)}


def class_names(cfg: CfgNode) -> list[str]:
    """Those of ``DATASETS.TEST[0]``, or numbers where it does not have them."""
    names = None
    if cfg.DATASETS.TEST:
        names = MetadataCatalog.get(cfg.DATASETS.TEST[0]).get("thing_classes")
        if names is None and cfg.DATASETS.TEST[0] in DatasetCatalog.list():
            DatasetCatalog.get(cfg.DATASETS.TEST[0])  # a set of one's own learns them from its json
            names = MetadataCatalog.get(cfg.DATASETS.TEST[0]).thing_classes
    if names is None or len(names) != cfg.MODEL.RCF.NUM_CLASSES:
        return [f"class {k}" for k in range(cfg.MODEL.RCF.NUM_CLASSES)]
    return list(names)


def open_videos(args: argparse.Namespace) -> list[VideoSource]:
    """What the command line names.

    Raises:
        ValueError: the data set has no such video.
    """
    if args.input:
        return [video_of_frames(open_frames(args.input), Path(args.input[0]).stem)]
    records = {record["video_id"]: record for record in DatasetCatalog.get(args.dataset)}
    wanted = args.video or list(records)
    unknown = [number for number in wanted if number not in records]
    if unknown:
        raise ValueError(f"'{args.dataset}' has no video {unknown}; there are {sorted(records)}")
    return [video_of_record(records[number]) for number in wanted]


def main(argv: list[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    if args.video and not args.dataset:
        parser.error("--video goes with --dataset")
    for file in filter(None, (args.config_file, args.compare_config_file)):
        if not Path(file).is_file():
            parser.error(f"no such config file: {file!r}")
    models = build_models(args)
    videos = open_videos(args)
    first = next(iter(models.values()))
    explainer = Explainer(models, class_names=class_names(first.cfg), out=args.output)
    for number, video in enumerate(videos):
        drawn = video.spread(args.num_frames) if number < args.num_videos else ()
        explainer.add(video, drawn)
    explainer.save(
        {
            "models": {name: _describe(model.cfg) for name, model in models.items()},
            "data": args.dataset or args.input,
            "videos": [video.name for video in videos],
        }
    )
    print(f"Wrote {Path(args.output) / 'explain.json'} and pictures beside it")


def _describe(cfg: CfgNode) -> dict[str, str | int]:
    rcf = cfg.MODEL.RCF
    return {
        "weights": cfg.MODEL.WEIGHTS,
        "fusion": rcf.FUSION,
        "reference_frames": rcf.NUM_REFERENCE_FRAMES,
    }


if __name__ == "__main__":
    setup_logger(name="fvcore")
    setup_logger(name="rcf_vis")
    main()
