#!/usr/bin/env python
"""Check data sets: what is there under $DETECTRON2_DATASETS, and what is wrong with it.

    python datasets/check.py                                  # all registered data sets
    python datasets/check.py ytvis_2019_train ovis_train      # these must be there
    python datasets/check.py --images all ytvis_2021_train    # decode each frame
    python datasets/check.py --register cows cows.json cows/JPEGImages
    python datasets/check.py --register-audio cows cows.json cows/JPEGImages cows/audio

Of each data set: the json and the folders of frames and audio that are used; how many videos,
tracks and frames there are; frames that are missing, broken or of another size; audio that is
missing, broken, or shorter or longer than its video; faults of the json. The exit status is 1 where
anything is wrong, or a data set that is named is not found, else 0. (No audio, or one of another
length than the video, is not wrong.)
"""

from __future__ import annotations

import argparse
import sys

from rcf_vis.data import register_ytvis_instances
from rcf_vis.data.checks.datasets import Diagnosis, examine, registered_names
from rcf_vis.data.roots import allow_outside_root

_IMAGES = 500


def _images(text: str) -> int | None:
    if text == "all":
        return None
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number or 'all', got {text!r}") from None
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {text}")
    return value


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all data sets")
    parser.add_argument(
        "--images", type=_images, default=_IMAGES, metavar="N|all",
        help=f"frames of a data set that are decoded, default {_IMAGES}",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of their choice, default 0")
    parser.add_argument(
        "--limit", type=int, default=10, help="faults of a kind that are listed, default 10"
    )
    parser.add_argument(
        "--register", nargs=3, action="append", default=[], metavar=("NAME", "JSON", "FRAMES"),
        help="a data set of one's own, to be checked too; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--register-audio", nargs=4, action="append", default=[],
        metavar=("NAME", "JSON", "FRAMES", "AUDIO"), help="the same with a folder of audio",
    )  # fmt: skip
    parser.add_argument(
        "--allow-outside-root", action="store_true",
        help="files that lead out of their folders are no fault (DATASETS.ALLOW_OUTSIDE_ROOT)",
    )  # fmt: skip
    return parser


def describe(diagnosis: Diagnosis) -> str:
    """The report on one data set."""
    faults = diagnosis.faults
    number = sum(faults.counts.values())
    verdict = f"{number} fault{'s' * (number > 1)}" if number else "ok"
    if diagnosis.paths is None:
        if number:
            return f"{diagnosis.name}: {verdict}\n  {diagnosis.not_found}"
        return f"{diagnosis.name}: not found\n  {diagnosis.not_found}"
    lines = [
        f"{diagnosis.name}: {verdict}",
        f"  json    {diagnosis.paths.json_file}",
        f"  frames  {diagnosis.paths.image_root}",
        *_describe_audio(diagnosis),
        f"  {diagnosis.videos} videos, {diagnosis.tracks} tracks, {diagnosis.frames} frames; "
        f"{diagnosis.decoded} frames decoded",
        *(f"  note: {note}" for note in diagnosis.notes),
    ]
    for kind, count in faults.counts.items():
        messages = faults.messages[kind]
        lines += [f"  {kind}: {count}", *(f"    {message}" for message in messages)]
        if count > len(messages):
            lines.append(f"    … and {count - len(messages)} more")
    return "\n".join(lines)


def _describe_audio(diagnosis: Diagnosis) -> list[str]:
    if diagnosis.with_audio is None:
        return []
    number = f"{diagnosis.with_audio} of {diagnosis.videos} videos"
    return [f"  audio   {diagnosis.paths.audio_root}, of {number}"]


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where something is wrong or missing."""
    parser = get_parser()
    args = parser.parse_args(argv)
    if args.allow_outside_root:
        allow_outside_root()
    own = [*args.register, *args.register_audio]
    for name, *paths in own:
        try:
            register_ytvis_instances(name, {}, *paths)
        except ValueError as error:
            parser.error(f"argument --register: {error}")
    known = registered_names()
    named = [*args.names, *(entry[0] for entry in own)]
    for name in named:
        if name not in known:
            parser.error(f"argument NAME: no data set '{name}'; there are {', '.join(known)}")

    found, status = 0, 0
    for name in named or known:
        diagnosis = examine(
            name, num_images=args.images, seed=args.seed, limit=args.limit, progress=True
        )
        print(describe(diagnosis), flush=True)
        found += diagnosis.paths is not None
        if diagnosis.faults.counts or (named and diagnosis.paths is None):
            status = 1
    total = len(named or known)
    verdict = "not all is well, see above" if status else "no fault"
    print(f"\n{found} of {total} data sets found; {verdict}")
    return status


if __name__ == "__main__":
    sys.exit(main())
