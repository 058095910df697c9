#!/usr/bin/env python
"""Converts the json of a video data set between CocoVID and YouTube-VIS.

    python datasets/convert.py --json cocovid.json --to ytvis --output ytvis.json
    python datasets/convert.py --json ytvis.json --to cocovid --output cocovid.json

The form of the input is told by its keys; images of COCO's form become videos of one frame.
Run-length masks stay as they are, polygons become such, and no frame is opened. Training and
evaluation read all these forms: conversion is for other tools.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rcf_vis.data.convert import as_coco_vid, as_ytvis
from rcf_vis.files import whole_file

_FORMS = {"ytvis": as_ytvis, "cocovid": as_coco_vid}


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", required=True, type=Path, help="of any of the forms")
    parser.add_argument("--to", required=True, choices=_FORMS, help="the form that is wanted")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="json to write")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where nothing was written."""
    args = get_parser().parse_args(argv)
    try:
        if args.output.exists() and args.json.exists() and args.output.samefile(args.json):
            raise FileExistsError(f"--output: {args.output} is the json that is to be converted")
        if args.output.exists() and not args.force:
            raise FileExistsError(f"{args.output} is there already; --force replaces it")
        content = _FORMS[args.to](str(args.json))
        with whole_file(args.output) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")
    except (OSError, ValueError) as error:  # a DatasetError is a ValueError
        print(error, file=sys.stderr)
        return 1
    numbers = [
        f"{len(content[k])} {k}" for k in ("videos", "images", "annotations") if content.get(k)
    ]
    print(f"Wrote {args.output}: {', '.join(numbers)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
