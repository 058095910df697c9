#!/usr/bin/env python
"""Holds out a part of an annotated YouTube-VIS json for validation.

    python datasets/split.py --json datasets/ytvis_2019/train.json
    python datasets/split.py --json ovis/annotations/annotations_train.json --val-share 0.2 --seed 1

The split goes by video, and each category with at least two videos is in both parts where that is
possible. The same json, share and seed give the same two files, byte by byte, whatever the order
in the json: instances_train_sub.json and instances_val_sub.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tabulate import tabulate

from rcf_vis.data.split import load_annotated_json, split_content
from rcf_vis.files import whole_file

_PARTS = ("train", "val")
_FRAME_FOLDERS = ("train/JPEGImages", "JPEGImages", "train", ".")


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text!r}") from None
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, exclusive, got {text}")
    return value


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", required=True, type=Path, help="with annotations")
    parser.add_argument(
        "--val-share", type=_share, default=0.1, help="of the videos, default 0.1; it is a goal"
    )
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--output-dir", type=Path, help="default: the folder 'sub' beside the json")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    return parser


def summarize(parts: dict[str, dict[str, Any]]) -> str:
    """A table of what is in each part, and the categories that are not in both."""
    rows, shown = [], {}
    for name, part in parts.items():
        shown[name] = {annotation["category_id"] for annotation in part["annotations"]}
        frames = sum(video["length"] for video in part["videos"])
        counts = (len(part["videos"]), len(part["annotations"]), frames, len(shown[name]))
        rows.append((name, *counts))
    lines = [tabulate(rows, headers=("part", "videos", "tracks", "frames", "categories"))]
    names = {category["id"]: category["name"] for category in parts["train"]["categories"]}
    for name, other in zip(_PARTS, reversed(_PARTS), strict=True):
        alone = [names[category] for category in sorted(shown[name] - shown[other])]
        if alone:
            lines.append(f"Only in {name}: {', '.join(alone)}")
    return "\n".join(lines)


def find_frames(json_file: Path, content: dict[str, Any]) -> str:
    """The folder that the frames lie in, as far as it can be told."""
    first = content["videos"][0]["file_names"][0]
    for base in (json_file.parent, json_file.parent.parent):
        for folder in _FRAME_FOLDERS:
            if (base / folder / first).is_file():
                return str((base / folder).resolve())
    return "FOLDER-OF-FRAMES"


def explain_use(paths: dict[str, Path], frames: str) -> str:
    """What to put into a config."""
    entries = [f"    - [{name}_sub, {path.resolve()}, {frames}]" for name, path in paths.items()]
    return "\n".join(
        (
            "In a config:",
            "DATASETS:",
            "  REGISTER:",
            *entries,
            '  TRAIN: ("train_sub",)',
            '  TEST: ("val_sub",)',
            "Or as ytvis_2019_train and ytvis_2019_val, in another $DETECTRON2_DATASETS: the files",
            "in ytvis_2019/annotations/, and links to the folder of frames at",
            "ytvis_2019/train/JPEGImages and ytvis_2019/val/JPEGImages.",
        )
    )


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where nothing was written."""
    args = get_parser().parse_args(argv)
    folder = args.output_dir or args.json.parent / "sub"
    paths = {name: folder / f"instances_{name}_sub.json" for name in _PARTS}
    try:
        for path in paths.values():
            if path.exists() and args.json.exists() and path.samefile(args.json):
                raise FileExistsError(f"--output-dir: {path} is the json that is to be split")
            if path.exists() and not args.force:
                raise FileExistsError(f"{path} is there already; --force replaces it")
        content = load_annotated_json(str(args.json))
        parts = dict(zip(_PARTS, split_content(content, args.val_share, args.seed), strict=True))
        with whole_file(paths["train"]) as train, whole_file(paths["val"]) as val:
            for name, temporary in zip(_PARTS, (train, val), strict=True):
                temporary.write_text(json.dumps(parts[name]), encoding="utf-8")
    except (OSError, ValueError) as error:  # a DatasetError is a ValueError
        print(error, file=sys.stderr)
        return 1
    print(summarize(parts))
    print(f"\nWrote {' and '.join(map(str, paths.values()))}\n")
    print(explain_use(paths, find_frames(args.json, content)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
