#!/usr/bin/env python
"""Write a report on a results file: one static page that needs no network.

    python tools/report.py --gt valid.json --results results.json --images valid/JPEGImages \\
        --output report/

Then open report/index.html. docs/analysis.md says what is on it.
"""

import argparse

from rcf_vis.analysis.report.report import write_report


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gt", required=True, help="annotations in the YouTube-VIS format")
    parser.add_argument("--results", required=True, help="predictions in the result format")
    parser.add_argument("--images", help="folder of the json's file_names; else no strips")
    parser.add_argument("--output", required=True, help="folder of the page")
    parser.add_argument("--videos", type=int, default=3, help="best ones to show, and worst ones")
    parser.add_argument(
        "--score-threshold", type=float, default=0.3, help="of the tracks that are drawn"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    args = get_parser().parse_args(argv)
    page = write_report(
        args.gt,
        args.results,
        args.output,
        image_root=args.images,
        num_videos=args.videos,
        score_threshold=args.score_threshold,
    )
    print(f"Wrote {page}")


if __name__ == "__main__":
    main()
