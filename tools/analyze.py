#!/usr/bin/env python
"""Count what a step of the online model costs, as Detectron2's own ``analyze_model.py`` does.

python tools/analyze.py --config-file configs/rcf_r50.yaml --tasks flop parameter structure
"""

import argparse

from detectron2.config import CfgNode
from detectron2.modeling import build_model
from fvcore.nn import parameter_count_table
from tabulate import tabulate

from rcf_vis.analysis.cost import StepCost, step_cost
from rcf_vis.config import read_config

TASKS = ("flop", "parameter", "structure")


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument(
        "--tasks", nargs="+", choices=TASKS, default=["flop"], metavar="TASK",
        help=f"any of {', '.join(TASKS)}",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, nargs=2, default=(360, 640), metavar=("H", "W"),
        help="of the frame in pixels, default 360 640",
    )  # fmt: skip
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, at the end of the command",
    )  # fmt: skip
    return parser


def setup(args: argparse.Namespace) -> CfgNode:
    """The config; nothing is downloaded and no weights are loaded."""
    cfg = read_config(args.config_file, args.opts)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.RCF.AUDIO.WEIGHTS = ""
    cfg.MODEL.TIMM.PRETRAINED = False
    cfg.freeze()
    return cfg


def cost_table(cost: StepCost) -> str:
    """One row a part: multiply-adds, their share of the backbone's, parameters."""
    backbone = cost.macs["backbone"]
    rows = [
        (part, cost.macs[part] / 1e9, cost.macs[part] / backbone, cost.parameters[part] / 1e6)
        for part in cost.macs
    ]
    rest = rows[1:]
    rows.append(("all but the backbone", *(sum(row[k] for row in rest) for k in (1, 2, 3))))
    rows.append(("total", *(sum(row[k] for row in rows[:-1]) for k in (1, 2, 3))))
    return tabulate(
        [(name, f"{g:.2f}", f"{100 * share:.1f} %", f"{m:.2f}") for name, g, share, m in rows],
        headers=["part", "GMAC", "of the backbone", "M parameters"],
        tablefmt="pipe",
        stralign="right",
        disable_numparse=True,
        colalign=("left", "right", "right", "right"),
    )


def main(argv: list[str] | None = None) -> int:
    args = get_parser().parse_args(argv)
    model = build_model(setup(args)).eval()
    height, width = args.size
    if "flop" in args.tasks:
        cost = step_cost(model, (height, width))
        print(f"A step of {args.config_file} at {width}×{height}; 1 GMAC is 1 GFLOP of fvcore's:")
        print(cost_table(cost))
        if cost.uncounted:
            print("not counted:", ", ".join(f"{n} × {op}" for op, n in cost.uncounted.items()))
    if "parameter" in args.tasks:
        print(parameter_count_table(model, max_depth=3))
    if "structure" in args.tasks:
        print(model)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
