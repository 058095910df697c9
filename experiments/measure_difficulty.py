#!/usr/bin/env python
"""Draw the AP of models against how difficult SynthVIS is in time.

python experiments/measure_difficulty.py --model "δ = 0" delta_0.pth 0 \\
    --model "δ = 1" delta_1.pth 1 --knob noise --levels 0 0.5 1 --output output/difficulty

Makes a SynthVIS val set at each level of the knob (noise, blur, occlusion, flicker, contrast, or
difficulty for all five), evaluates each model with its number of reference frames on each of them,
and writes a table, a plot and a json.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.utils.logger import setup_logger
from matplotlib.figure import Figure
from tabulate import tabulate
from tqdm import tqdm

from rcf_vis.config import read_config
from rcf_vis.data import register_ytvis_instances
from rcf_vis.engine import evaluate_weights
from rcf_vis.files import whole_file
from rcf_vis.synthvis import KNOBS, SynthVISSpec, ensure_synthvis
from rcf_vis.visualization.plots import save_png
from rcf_vis.weight_files import add_trust_option

ROOT = Path(__file__).resolve().parents[1]


def make_set(knob: str, level: float, num_videos: int, folder: Path) -> str:
    """Make the val set of a level where it is not there yet; the name that it is registered under.

    Raises:
        ValueError: the level lies outside of [0, 1].
    """
    root = folder / "sets" / f"{knob}_{level:g}_{num_videos}"
    ensure_synthvis(root, ("val",), SynthVISSpec(val_videos=num_videos, **{knob: level}))
    name = f"synthvis_{root.name}"
    val = root / SynthVISSpec.folder / "val"
    classes = [category["name"] for category in SynthVISSpec.categories]
    register_ytvis_instances(
        name, {"thing_classes": classes}, f"{val}.json", str(val / "JPEGImages")
    )
    return name


def measure(
    cfg: CfgNode, models: Sequence[tuple[str, str, int]], args: argparse.Namespace
) -> dict[str, list[float]]:
    """Name of the model → AP at each level, in percent."""
    found: dict[str, list[float]] = {name: [] for name, _, _ in models}
    with tqdm(total=len(models) * len(args.levels), unit="evaluation") as progress:
        for level in args.levels:
            dataset = make_set(args.knob, level, args.videos, args.output)
            for name, weights, delta in models:
                progress.set_postfix_str(f"{args.knob} {level:g}, {name}")
                cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
                metrics = evaluate_weights(cfg, weights, dataset, str(args.output / "inference"))
                found[name].append(metrics["AP"])
                progress.update()
    return found


def table(knob: str, levels: Sequence[float], found: dict[str, list[float]]) -> str:
    """Markdown: a row for each model."""
    rows = [[name, *(f"{ap:.1f}" for ap in aps)] for name, aps in found.items()]
    headers = [f"AP at {knob}", *(f"{level:g}" for level in levels)]
    return tabulate(rows, headers, tablefmt="pipe", disable_numparse=True)


def plot(knob: str, levels: Sequence[float], found: dict[str, list[float]], png: Path) -> None:
    figure = Figure(figsize=(5, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, aps in found.items():
        axes.plot(levels, aps, "o-", label=name)
    axes.set(xlabel=f"{knob} of SynthVIS", ylabel="AP", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    save_png(figure, png)


def model_of(texts: Sequence[str]) -> tuple[str, str, int]:
    """Name, weights and number of reference frames.

    Raises:
        ValueError: the last is no number.
    """
    name, weights, delta = texts
    if not delta.isdigit():
        raise ValueError(f"--model {name}: {delta!r} reference frames, expected 0, 1, 2, …")
    return name, weights, int(delta)


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    config = ROOT / "configs" / "synthvis" / "rcf_tiny.yaml"
    parser.add_argument("--config-file", default=str(config), metavar="FILE")
    parser.add_argument(
        "--model", action="append", nargs=3, required=True, metavar=("NAME", "WEIGHTS", "DELTA")
    )
    parser.add_argument("--knob", choices=("difficulty", *KNOBS), default="difficulty")
    parser.add_argument("--levels", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 1])
    parser.add_argument("--videos", type=int, default=30, help="in each set, default 30")
    parser.add_argument("--output", type=Path, default=Path("output/difficulty"), metavar="FOLDER")
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    try:
        models = [model_of(texts) for texts in args.model]
        for level in args.levels:
            SynthVISSpec(**{args.knob: level})
    except ValueError as error:
        parser.error(str(error))
    cfg = read_config(args.config_file, args.opts)
    setup_logger(name="rcf_vis")
    found = measure(cfg, models, args)
    text = table(args.knob, args.levels, found)
    stem = args.output / f"ap_against_{args.knob}"
    with whole_file(stem.with_suffix(".md")) as temporary:
        temporary.write_text(text + "\n")
    with whole_file(stem.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps({"levels": args.levels, "AP": found}, indent=1))
    plot(args.knob, args.levels, found, stem.with_suffix(".png"))
    print(f"\n{text}\n\nalso in {stem}.md, {stem}.json and {stem}.png")


if __name__ == "__main__":
    main()
