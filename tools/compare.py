#!/usr/bin/env python
"""Compare two results on the same ground truth: is B better than A, and can one be sure?

    python tools/compare.py A.json B.json --gt valid.json

Prints AP, AP50 and AP75 of both, and the paired comparison of the objects that both find with an
IoU above 0.5 and above 0.75; docs/analysis.md says what the figures mean.
"""

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tabulate import tabulate

from rcf_vis.analysis.report.compare import Comparison, compare_results
from rcf_vis.files import whole_file


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs=2, metavar="FILE", help="A and B, YouTube-VIS results")
    parser.add_argument("--gt", required=True, help="annotations in the YouTube-VIS format")
    parser.add_argument("--resamples", type=int, default=1000, help="of the bootstrap over videos")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", metavar="FILE", help="also write the figures there")
    return parser


def comparison_tables(comparison: Comparison) -> str:
    """The figures as two tables, in percent."""
    precision = [
        (row.name, *_percents(row.a, row.b, row.difference), _interval(row.interval))
        for row in comparison.average_precision
    ]
    paired = [
        (
            f"> {row.threshold:g}",
            row.num_objects,
            row.only_a,
            row.only_b,
            *_percents(row.mean_a, row.mean_b, row.difference),
            _interval(row.interval),
            "–" if math.isnan(row.t) else f"{row.t:+.2f}",
            "–" if math.isnan(row.p_value) else f"{row.p_value:.2g}",
        )
        for row in comparison.paired
    ]
    headers = ["IoU", "objects", "only A", "only B", "A", "B", "B − A", "95 %", "t", "p"]
    return (
        f"Average precision on {comparison.num_videos} videos, in percent:\n"
        + _table(precision, ["", "A", "B", "B − A", "95 %"])
        + "\n\nIoU of the objects that both find, in percent:\n"
        + _table(paired, headers)
    )


def _table(rows: list[tuple], headers: list[str]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate(rows, headers, tablefmt="pipe", colalign=align, disable_numparse=True)


def _percents(a: float, b: float, difference: float) -> list[str]:
    formats = ("{:.1f}", "{:.1f}", "{:+.2f}")
    values = zip(formats, (a, b, difference), strict=True)
    return ["–" if math.isnan(value) else form.format(100 * value) for form, value in values]


def _interval(interval: tuple[float, float]) -> str:
    low, high = interval
    return "–" if math.isnan(low) else f"{100 * low:+.2f} … {100 * high:+.2f}"


def _without_nan(value: Any) -> Any:
    """What a json can hold: null for nan."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def main(argv: list[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    if args.resamples < 1:
        parser.error(f"argument --resamples: {args.resamples}, expected at least 1")
    comparison = compare_results(
        args.gt, *args.results, num_resamples=args.resamples, seed=args.seed
    )
    print(f"A = {args.results[0]}\nB = {args.results[1]}\n")
    print(comparison_tables(comparison))
    if args.json:
        content = {"a": args.results[0], "b": args.results[1], **asdict(comparison)}
        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps(_without_nan(content), indent=2), encoding="utf-8")
        print(f"\nWrote {Path(args.json)}")


if __name__ == "__main__":
    main()
