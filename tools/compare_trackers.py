#!/usr/bin/env python
"""Compare our identities with the trackers that people use, on the same masks of the same frames.

    python tools/compare_trackers.py --config-file configs/synthvis/rcf_tiny.yaml
    python tools/compare_trackers.py --config-file configs/synthvis/rcf_tiny.yaml \\
        --dataset synthvis_occ_val --tune synthvis_occ_train --json trackers.json

The model runs once over the data set; then SORT, ByteTrack, OC-SORT and BoT-SORT of the package
``trackers``, the IoU of masks, slots, and the paper's two rules give identities to what it found.
Prints one table, in percent but for counts: switches of events are given as switches / seen. With
several --weights, of several seeds of training, each figure is mean ± standard deviation.
"""

import argparse
import json
import statistics
import sys
from typing import Any

from tabulate import tabulate
from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.analysis.trackers.comparison import Truth, figures_of, track, tune
from rcf_vis.analysis.trackers.detections import DetectedVideo, detect
from rcf_vis.analysis.trackers.methods import Method, our_methods, package_methods
from rcf_vis.config import read_config
from rcf_vis.evaluation.event_metrics import EVENT_NAMES
from rcf_vis.files import whole_file
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.weight_files import add_trust_option

_COLUMNS = ("AP", "HOTA", "DetA", "AssA", "IDF1", "IDSW")


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument(
        "--weights", nargs="+", metavar="FILE", help="default: MODEL.WEIGHTS of the config"
    )
    parser.add_argument("--dataset", metavar="NAME", help="default: DATASETS.TEST's first")
    parser.add_argument(
        "--tune", metavar="NAME",
        help="choose the settings of each tracker by a small grid, for the best HOTA on this data "
        "set, with the first weights; else their defaults",
    )  # fmt: skip
    parser.add_argument("--num-videos", type=int, metavar="N", help="the first N; default: all")
    parser.add_argument(
        "--num-tune-videos", type=int, default=40, metavar="N", help="the first N; default: 40"
    )
    parser.add_argument("--json", metavar="FILE", help="also write all figures there")
    add_trust_option(parser)
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="config options, at the end of the command",
    )
    return parser


def load(args: argparse.Namespace, weights: str | None) -> OnlinePredictor:
    """The model; its cfg is frozen and its data sets are registered."""
    cfg = read_config(args.config_file, args.opts)
    if weights is not None:
        cfg.MODEL.WEIGHTS = weights
    return OnlinePredictor(prepare_cfg(cfg))


def methods_of(predictor: OnlinePredictor) -> list[Method]:
    model = predictor.model
    carries_code = model.carrier is not None
    return [*package_methods(), *our_methods(model.identity_rules, carries_code=carries_code)]


def choose_settings(
    methods: list[Method], videos: list[DetectedVideo], truth: Truth
) -> list[dict[str, Any]]:
    """The tuned settings of each method."""
    chosen = []
    total = sum(len(method.all_settings()) for method in methods)
    with tqdm(total=total, desc="tuning", unit="setting") as bar:
        for method in methods:
            chosen.append(tune(method, videos, truth, bar.update)[0])
    return chosen


def compare(args: argparse.Namespace) -> tuple[str, list[dict[str, Any]]]:
    """The data set, and a row for each method: ``tracker``, ``settings``, ``figures``.

    The figures are a list, one a weights file.
    """
    rows: list[dict[str, Any]] = []
    for weights in args.weights or [None]:
        predictor = load(args, weights)
        methods = methods_of(predictor)
        if not rows:
            settings = [dict(method.defaults) for method in methods]
            if args.tune:
                videos = detect(predictor, args.tune, args.num_tune_videos)
                settings = choose_settings(methods, videos, Truth(args.tune, videos))
            rows = [
                {"tracker": method.name, "settings": chosen, "figures": []}
                for method, chosen in zip(methods, settings, strict=True)
            ]
        name = args.dataset or predictor.cfg.DATASETS.TEST[0]
        videos = detect(predictor, name, args.num_videos)
        truth = Truth(name, videos)
        for method, row in zip(tqdm(methods, desc="trackers"), rows, strict=True):
            results = track(method, row["settings"], videos, truth.dataset_ids)
            row["figures"].append(figures_of(truth, results))
    return name, rows


def table_of(rows: list[dict[str, Any]]) -> str:
    """Markdown; the best HOTA comes last."""
    with_events = "events" in rows[0]["figures"][0]
    headers = ["", *_COLUMNS, *(EVENT_NAMES if with_events else ())]
    cells = []
    for row in sorted(rows, key=lambda row: _mean(row, "HOTA")):
        shown = [_shown([f[name] for f in row["figures"]], name == "IDSW") for name in _COLUMNS]
        if with_events:
            shown += [_switches([f["events"][k] for f in row["figures"]]) for k in EVENT_NAMES]
        cells.append((row["tracker"], *shown))
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(cells, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _mean(row: dict[str, Any], name: str) -> float:
    return statistics.fmean(figures[name] for figures in row["figures"])


def _shown(values: list[float], is_count: bool) -> str:
    if -1 in values and not is_count:
        return "–"
    values = values if is_count else [100 * value for value in values]
    if len(values) == 1:
        return f"{values[0]:d}" if is_count else f"{values[0]:.1f}"
    return f"{statistics.fmean(values):.1f} ± {statistics.stdev(values):.1f}"


def _switches(events: list[dict[str, Any]]) -> str:
    switches = _shown([event["switches"] for event in events], is_count=True)
    return f"{switches} / {statistics.fmean(event['seen'] for event in events):g}"


def main(argv: list[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    for option in ("num_videos", "num_tune_videos"):
        if (value := getattr(args, option)) is not None and value < 1:
            parser.error(f"argument --{option.replace('_', '-')}: {value}, expected at least 1")
    try:
        name, rows = compare(args)
    except (ValueError, OSError, KeyError, ModuleNotFoundError) as error:
        sys.exit(f"error: {error}")
    print(table_of(rows))
    if args.tune:
        print(f"\nSettings, tuned on {args.tune}:")
        for row in rows:
            chosen = ", ".join(f"{key} {value}" for key, value in row["settings"].items())
            print(f"- {row['tracker']}: {chosen}")
    if args.json:
        content = {"dataset": name, "tuned_on": args.tune, "rows": rows}
        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps(content, indent=2), encoding="utf-8")
        print(f"\nWrote {args.json}")


if __name__ == "__main__":
    main()
