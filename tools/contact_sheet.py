#!/usr/bin/env python
"""Draw a contact sheet of one video: frames × {input, ground truth, prediction}.

    python tools/contact_sheet.py --json val.json --image-root val/JPEGImages --video-id 3 \\
        --results results.json --output sheet.png

The predictions are a file in the YouTube-VIS result format, from demo.py or from an evaluation.
"""

import argparse
import json
from pathlib import Path

from rcf_vis.visualization.contact_sheet import draw_results_sheet
from rcf_vis.visualization.tracks import save_image


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", required=True, help="annotations in the YouTube-VIS format")
    parser.add_argument("--image-root", required=True, help="folder of the json's file_names")
    parser.add_argument("--results", required=True, help="predictions in the result format")
    parser.add_argument("--video-id", type=int, help="default: the first video of the json")
    parser.add_argument("--num-frames", type=int, default=6, help="columns, spread over the video")
    parser.add_argument("--cell-width", type=int, default=400, help="pixels")
    parser.add_argument("--output", required=True, help="a png or jpg")
    return parser


def main(argv: list[str] | None = None) -> None:
    args = get_parser().parse_args(argv)
    sheet = draw_results_sheet(
        args.json,
        args.image_root,
        json.loads(Path(args.results).read_text(encoding="utf-8")),
        video_id=args.video_id,
        num_frames=args.num_frames,
        cell_width=args.cell_width,
    )
    save_image(sheet, args.output)
    print(f"Wrote {args.output}")


if __name__ == "__main__":
    main()
