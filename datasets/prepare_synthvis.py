#!/usr/bin/env python
"""Makes SynthVIS, the procedural data set, in the YouTube-VIS layout.

    python datasets/prepare_synthvis.py                         # the default: 2000 + 60 + 60 videos
    python datasets/prepare_synthvis.py --root /data --size 640x360 --length 36 --difficulty 0.6
    python datasets/prepare_synthvis.py --audio                 # with audio, in another folder
    python datasets/prepare_synthvis.py --occlusions            # for identities, in another folder
    python datasets/prepare_synthvis.py --motions               # whose classes are motions

A set that is there already is kept: if it is the one asked for there is nothing to do, else the
differences are listed and `--force` replaces it.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rcf_vis.synthvis import (
    KNOBS,
    SPLITS,
    SynthVISAudioSpec,
    SynthVISMotionSpec,
    SynthVISOcclusionSpec,
    SynthVISSpec,
    generate_split,
    read_spec,
)

_DEFAULT, _AUDIO_DEFAULT = SynthVISSpec(), SynthVISAudioSpec()

_OTHERS = {"occlusions": SynthVISOcclusionSpec, "motions": SynthVISMotionSpec}

_AUDIO_SHARES = {
    "lookalike_share": "of the kinds of objects: have a twin that looks alike",
    "twins_share": "of the videos: show both of a look-alike pair, of which one sounds",
    "silent_share": "of the kinds of objects in a video: are silent",
    "decoy_share": "of the silent objects: pulse all the same",
    "offscreen_share": "of the videos: have a sound from outside of the picture",
    "noise_share": "of the videos: have background noise",
}


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(number) for number in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected WIDTHxHEIGHT, e.g. 320x192, got {text!r}"
        ) from None
    if min(width, height) < 32 or max(width, height) > 8192:
        raise argparse.ArgumentTypeError(f"each side must be from 32 to 8192 pixels, got {text!r}")
    return width, height


def _integer(low: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected an integer, got {text!r}") from None
        if value < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}, got {value}")
        return value

    return parse


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}") from None
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return value


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script; what is not given is None, the default of the spec."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    root = os.environ.get("DETECTRON2_DATASETS", "datasets")
    parser.add_argument(
        "--root",
        default=root,
        help="made in ROOT/synthvis; default $DETECTRON2_DATASETS or datasets",
    )
    for split in SPLITS:
        count = _default(f"{split}_videos")
        parser.add_argument(f"--{split}-videos", type=_integer(0), help=count)
    parser.add_argument(
        "--size", type=_size, default=(_DEFAULT.width, _DEFAULT.height), metavar="WxH",
        help=f"of a frame, default {_DEFAULT.width}x{_DEFAULT.height}",
    )  # fmt: skip
    parser.add_argument("--length", type=_integer(1), help=f"frames a video, {_default('length')}")
    parser.add_argument(
        "--objects", type=_integer(1), nargs=2, metavar=("FEWEST", "MOST"),
        dest="objects_per_video", help=f"in a video, {_default('objects_per_video')}",
    )  # fmt: skip
    parser.add_argument(
        "--object-size", type=_share, nargs=2, metavar=("SMALLEST", "LARGEST"),
        help=f"share of the short side, {_default('object_size')}",
    )  # fmt: skip
    parser.add_argument(
        "--difficulty", type=_share,
        help=f"0 to 1: what the options below are where not given, {_default('difficulty')}",
    )  # fmt: skip
    for knob in KNOBS:
        parser.add_argument(f"--{knob}", type=_share, help="0 to 1, default: the difficulty")
    parser.add_argument("--seed", type=_integer(0), help=_default("seed"))
    parser.add_argument("--workers", type=_integer(1), help="processes, default one a core")
    parser.add_argument("--force", action="store_true", help="replace another set that is there")
    others = parser.add_argument_group(
        "other sets", "of their own defaults, which the help of the options does not list"
    )
    for name, spec_class in _OTHERS.items():
        text = f"{spec_class.title}, made in ROOT/{spec_class.folder}"
        others.add_argument(f"--{name}", action="store_true", help=text)
    _add_audio(parser)
    return parser


def _add_audio(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("audio")
    group.add_argument("--audio", action="store_true", help="made in ROOT/synthvis_av")
    group.add_argument("--frame-rate", type=float, help=f"a second, {_default('frame_rate')}")
    for name, what in _AUDIO_SHARES.items():
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=_share, help=f"{what}, {_default(name)}")


def _default(name: str) -> str:
    """The words on the default of a field, which may be another one with audio."""
    with_audio = getattr(_AUDIO_DEFAULT, name)
    silent = getattr(_DEFAULT, name, with_audio)
    also = "" if silent == with_audio else f" (with audio {with_audio})"
    return f"default {silent}{also}"


def spec_from(args: argparse.Namespace) -> SynthVISSpec:
    """What the options ask for.

    Raises:
        ValueError: a value is out of its range, or is one of audio without ``--audio``; or two
            sets are asked for.
    """
    asked = [name for name in ("audio", *_OTHERS) if getattr(args, name)]
    if len(asked) > 1:
        raise ValueError(f"--{asked[0]} and --{asked[1]} are two sets: make one after the other")
    spec_class = SynthVISAudioSpec if args.audio else SynthVISSpec
    if asked and not args.audio:
        spec_class = _OTHERS[asked[0]]
    width, height = args.size
    given = {"width": width, "height": height}
    for name in (field.name for field in dataclasses.fields(SynthVISAudioSpec)):
        value = getattr(args, name, None)
        if value is not None:
            given[name] = value
    of_audio = sorted(given.keys() - {field.name for field in dataclasses.fields(spec_class)})
    if of_audio:
        raise ValueError(f"--{of_audio[0].replace('_', '-')} needs --audio")
    return spec_class(**given)


def differences(there: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What two descriptions of a split do not have in common, one line each."""
    return [
        f"  {key}: there {there.get(key)!r}, asked for {asked.get(key)!r}"
        for key in sorted(there.keys() | asked.keys())
        if there.get(key) != asked.get(key)
    ]


def compare(root: Path, spec: SynthVISSpec) -> tuple[list[str], list[str]]:
    """The splits that are not as asked for, and, where one is another set, what differs."""
    todo, report = [], []
    for split in SPLITS:
        path = root / spec.folder / f"{split}.json"
        there, asked = read_spec(root, split, type(spec)), spec.describe_split(split)
        if there == asked:
            print(f"{path} is already what was asked for")
            continue
        todo.append(split)
        if there is not None:
            what = differences(there, asked) if there else ["  it was not made by this script"]
            report += [f"{path} is another set:", *what]
    return todo, report


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where another set is in the way."""
    parser = get_parser()
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        spec = spec_from(args)
    except ValueError as error:
        parser.error(str(error))
    root = Path(args.root)
    if root.exists() and not root.is_dir():
        parser.error(f"argument --root: {root} is not a folder")
    try:
        todo, report = compare(root, spec)
        if report and not args.force:
            report.append("Nothing was changed; --force replaces it.")
            raise FileExistsError("\n".join(report))
        for split in todo:
            path = generate_split(spec, root, split, workers=args.workers, overwrite=args.force)
            print(f"made {path}: {spec.num_videos(split)} videos")
    except (FileExistsError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
