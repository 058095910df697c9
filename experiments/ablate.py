#!/usr/bin/env python
"""Run the rows of the paper's ablation tables with one config, the same seeds and budget.

python experiments/ablate.py --table III VII --seeds 0 1 2 --opts SOLVER.MAX_ITER 2000

A row is a yaml of configs/ablations; its switch is put on top of --config-file, which trains from
scratch: by default a small model on SynthVIS, for table X on SynthVIS with audio. Finished runs are
kept, so a broken ablation goes on where it was.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

from rcf_vis.config import read_config
from rcf_vis.files import whole_file
from rcf_vis.visualization.plots import save_png

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "configs" / "ablations"
METRICS = ("AP", "AP50", "AP75", "AR1", "AR10")
CONFIG = "configs/synthvis/rcf_tiny.yaml"
AUDIO_CONFIG = "configs/synthvis/rcf_tiny_av.yaml"  # of table X

#: Table → row → AP of the paper on YouTube-VIS 2019 val with ResNet-101; table X: AVIS, ResNet-50.
PAPER_AP = {
    "III": dict(
        zip([f"delta_{n}" for n in range(6)], (37.3, 40.8, 40.4, 40.7, 39.8, 37.2), strict=True)
    ),
    "IV": {"full_encoder": 35.6, "full_decoder": 36.6, "token": 40.8},
    "V": {"size_1": 38.3, "size_2": 40.8, "size_4": 37.8, "size_8": 36.3},
    "VI": {"queries_10": 40.8, "queries_15": 40.4, "queries_20": 40.5, "queries_25": 40.3},
    "VII": {"order_off": 40.8, "order_on": 40.5},
    "VIII": {"weight_off": 40.1, "weight_on": 40.8},
    "X": {
        f"delta_{n}_audio_{switch}": ap
        for n, pair in enumerate(
            [(42.9, 44.8), (44.3, 46.0), (45.6, 46.6), (45.6, 45.7), (45.2, 45.0)], start=1
        )
        for switch, ap in zip(("off", "on"), pair, strict=True)
    },
}


@dataclass(frozen=True)
class Row:
    """One row of a table: its name, and the changes of the config as KEY VALUE pairs."""

    table: str
    name: str
    overrides: list[str]


def table_rows(table: str) -> list[Row]:
    """The rows of a table in the paper's order; the yaml says what each of them changes."""
    rows = []
    for name in PAPER_AP[table]:
        content = yaml.safe_load((ROWS / f"table_{table}_{name}.yaml").read_text())
        changes = {k: v for k, v in _flat(content) if k not in ("_BASE_", "OUTPUT_DIR")}
        rows.append(Row(table, name, [str(part) for pair in changes.items() for part in pair]))
    return rows


def _flat(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def changes(row: Row, args: argparse.Namespace) -> dict[str, Any]:
    """What a row really changes: none of its overrides that the config has without it."""
    cfg = read_config(str(ROOT / config_file(row, args)), args.opts)
    changed = cfg.clone()
    changed.merge_from_list(row.overrides)
    before, after = dict(_flat(cfg)), dict(_flat(changed))
    return {key: after[key] for key in row.overrides[::2] if after[key] != before[key]}


def config_file(row: Row, args: argparse.Namespace) -> str:
    """The config that a row is put on top of."""
    return args.config_file or (AUDIO_CONFIG if row.table == "X" else CONFIG)


def train(row: Row, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Train and evaluate one row with one seed, or read what an earlier run found.

    Rows that come to the same config, as the paper's defaults in each table, are one run.

    Raises:
        RuntimeError: the training failed; the message names its log.
    """
    run = ",".join(f"{key}={value}" for key, value in changes(row, args).items()) or "unchanged"
    folder = Path(args.output) / Path(config_file(row, args)).stem / run / f"seed_{seed}"
    settings = {"config_file": config_file(row, args), "opts": args.opts}
    done = folder / "result.json"
    if done.is_file():
        result = json.loads(done.read_text())
        if {key: result[key] for key in settings} == settings:
            return result["metrics"]
        raise RuntimeError(
            f"{done} is of other settings ({result['config_file']} {result['opts']}); "
            "take another --output"
        )
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, str(ROOT / "train_net.py"), "--config-file", settings["config_file"],
        "--num-gpus", str(args.num_gpus), "--resume", "MODEL.WEIGHTS", "", *args.opts,
        *row.overrides, "SEED", str(seed), "OUTPUT_DIR", str(folder),
    ]  # fmt: skip
    with open(folder / "stdout.txt", "w") as log:
        status = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
    if status:
        raise RuntimeError(f"training failed with status {status}: see {log.name}")
    metrics = last_evaluation(folder / "metrics.json")
    with whole_file(done) as temporary:
        temporary.write_text(json.dumps({**settings, "metrics": metrics}, indent=1))
    return metrics


def last_evaluation(metrics_json: Path) -> dict[str, float]:
    """The last evaluation in Detectron2's ``metrics.json``, of :data:`METRICS` in percent."""
    for line in reversed(metrics_json.read_text().splitlines()):
        values = json.loads(line)
        found = {m: values[k] for m in METRICS for k in values if k.endswith(f"segm/{m}")}
        if len(found) == len(METRICS):
            return found
    raise RuntimeError(f"{metrics_json} holds no evaluation; is DATASETS.TEST empty?")


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and the sample's standard deviation, 0 for a single value."""
    return statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def results_table(table: str, results: dict[str, list[dict[str, float]]]) -> str:
    """Markdown: mean ± standard deviation over the seeds, beside the AP of the paper."""
    rows = []
    for name, runs in results.items():
        cells = [mean_and_deviation([run[metric] for run in runs]) for metric in METRICS]
        shown = [f"{mean:.1f} ± {deviation:.1f}" for mean, deviation in cells]
        rows.append([name.replace("_", " "), *shown, f"{PAPER_AP[table][name]:.1f}"])
    headers = [f"table {table}", *METRICS, "AP of the paper"]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True)


def plot(table: str, results: dict[str, list[dict[str, float]]], png: Path) -> None:
    """AP of every row with its deviation, and every single run; the paper's in a panel beside."""
    names = list(results)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    ours, paper = figure.subplots(1, 2)
    for place, name in enumerate(names):
        values = [run["AP"] for run in results[name]]
        mean, deviation = mean_and_deviation(values)
        ours.errorbar(place, mean, deviation, fmt="o", capsize=4, color="C0")
        ours.plot([place] * len(values), values, "_", color="gray")
    ours.set_title("measured, mean ± standard deviation", fontsize="medium")
    paper.plot(range(len(names)), [PAPER_AP[table][name] for name in names], "s", color="C1")
    data = "AVIS val" if table == "X" else "YouTube-VIS 2019 val"
    paper.set_title(f"paper, {data}", fontsize="medium")
    for axes in (ours, paper):
        axes.set_xticks(range(len(names)), [n.replace("_", " ") for n in names], rotation=20)
        axes.set_ylabel("AP")
        axes.grid(alpha=0.3)
    save_png(figure, png)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", nargs="+", choices=PAPER_AP, required=True)
    parser.add_argument(
        "--config-file", metavar="FILE", help=f"default {CONFIG}, for table X {AUDIO_CONFIG}"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--num-gpus", type=int, default=1, help="processes of each training")
    parser.add_argument("--output", default="output/ablations", metavar="FOLDER")
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, the same for all rows",
    )  # fmt: skip
    args = parser.parse_args(argv)
    if len(args.opts) % 2:
        parser.error(f"argument --opts: {' '.join(args.opts)}, expected KEY VALUE pairs")
    return args


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    rows = [row for table in args.table for row in table_rows(table)]
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    with tqdm(total=len(rows) * len(args.seeds), desc="ablations", unit="run") as progress:
        for row in rows:
            for seed in args.seeds:
                progress.set_postfix_str(f"{row.table} {row.name} seed {seed}")
                metrics = train(row, seed, args)
                results.setdefault(row.table, {}).setdefault(row.name, []).append(metrics)
                progress.update()
    for table, by_row in results.items():
        stem = Path(args.output) / f"table_{table}"
        markdown = results_table(table, by_row)
        with whole_file(stem.with_suffix(".md")) as temporary:
            temporary.write_text(markdown + "\n")
        with whole_file(stem.with_suffix(".json")) as temporary:
            content = {"seeds": args.seeds, "settings": args.opts, "rows": by_row}
            temporary.write_text(json.dumps(content, indent=1))
        plot(table, by_row, stem.with_suffix(".png"))
        print(f"\n{markdown}\n\nalso in {stem}.md, {stem}.json and {stem}.png")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
