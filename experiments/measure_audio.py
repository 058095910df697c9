#!/usr/bin/env python
"""Measure what audio is worth to audio-visual model, on SynthVIS with audio.

python experiments/measure_audio.py --weights output/rcf_tiny_av/model_final.pth \\
    --video-only output/rcf_tiny_silent/model_final.pth --output docs/synthvis_audio_table.md

Evaluates the same weights with each video's own audio, with silence, and with the audio of another
video; and weights that were trained on the same frames without audio. Look-alike categories are
those that the eye cannot tell from another one.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.logger import setup_logger
from tabulate import tabulate

from rcf_vis.config import read_config
from rcf_vis.engine import evaluate_weights
from rcf_vis.files import whole_file
from rcf_vis.synthvis import AUDIO_CATEGORIES, LOOKALIKE_PAIRS
from rcf_vis.weight_files import add_trust_option

ROOT = Path(__file__).resolve().parents[1]
Records = list[dict[str, Any]]

#: Names of the categories that look like another one.
LOOKALIKES = frozenset(AUDIO_CATEGORIES[i]["name"] for pair in LOOKALIKE_PAIRS for i in pair)

HEADERS = ["audio", "AP", "AP50", "AP of look-alikes", "AP of the others"]


def silenced(records: Records) -> Records:
    """The videos without their audio."""
    return [{**record, "audio_file": None} for record in records]


def exchanged(records: Records) -> Records:
    """Each video with the audio of the one half of the set further on.

    Raises:
        ValueError: there is no other video.
    """
    if len(records) < 2:
        raise ValueError("one video has no other one's audio: at least 2 videos are needed")
    files = [record["audio_file"] for record in records]
    half = len(records) // 2
    files = files[half:] + files[:half]
    return [{**record, "audio_file": audio} for record, audio in zip(records, files, strict=True)]


def register_variant(name: str, suffix: str, change: Callable[[Records], Records]) -> str:
    """Register a data set with other audio under ``<name>_<suffix>``, which is returned."""
    variant = f"{name}_{suffix}"
    records = change(DatasetCatalog.get(name))
    DatasetCatalog.register(variant, lambda: records)
    metadata = MetadataCatalog.get(name).as_dict()
    MetadataCatalog.get(variant).set(**{**metadata, "name": variant})
    return variant


def summary(metrics: dict[str, float]) -> list[float]:
    """The figures of a row of the table, in percent, from the metrics of the evaluator."""
    per_category = {
        key.removeprefix("AP-"): value for key, value in metrics.items() if key.startswith("AP-")
    }
    groups = [
        [ap for name, ap in per_category.items() if (name in LOOKALIKES) is wanted and ap == ap]
        for wanted in (True, False)
    ]
    means = [statistics.mean(group) if group else float("nan") for group in groups]
    return [metrics["AP"], metrics["AP50"], *means]


def measure(cfg: CfgNode, video_only: str | None, output: str) -> dict[str, dict[str, float]]:
    """Name of the row → the evaluator's metrics."""
    (name,) = cfg.DATASETS.TEST
    silent = register_variant(name, "silent", silenced)
    wrong = register_variant(name, "wrong_audio", exchanged)
    rows = {"its own": name, "another video's": wrong, "silence": silent}
    results = {
        row: evaluate_weights(cfg, cfg.MODEL.WEIGHTS, dataset, output)
        for row, dataset in rows.items()
    }
    if video_only is not None:
        silent = cfg.clone()
        silent.defrost()
        silent.MODEL.RCF.AUDIO.ENABLED = False
        results["none (trained without)"] = evaluate_weights(
            silent, video_only, name, f"{output}/video_only"
        )
    return results


def table(results: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each kind of audio, in percent."""
    rows = [[row, *summary(metrics)] for row, metrics in results.items()]
    return tabulate(rows, HEADERS, tablefmt="pipe", floatfmt=".1f")


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    config = ROOT / "configs" / "synthvis" / "rcf_tiny_av.yaml"
    parser.add_argument("--config-file", default=str(config), metavar="FILE")
    parser.add_argument("--weights", metavar="FILE", help="default: those of the config")
    parser.add_argument(
        "--video-only", metavar="FILE", help="weights of the same config without audio"
    )
    parser.add_argument("--output", metavar="FILE", help="also write the table there")
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, at the end of the command",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = get_parser().parse_args(argv)
    cfg = read_config(args.config_file, args.opts)
    if args.weights:
        cfg.MODEL.WEIGHTS = args.weights
    setup_logger(name="rcf_vis")
    text = table(measure(cfg, args.video_only, f"{cfg.OUTPUT_DIR}/measure_audio"))
    print(text)
    if args.output:
        with whole_file(args.output) as temporary:
            temporary.write_text(text + "\n")


if __name__ == "__main__":
    main()
