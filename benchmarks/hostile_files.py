#!/usr/bin/env python
"""Open files that were made to do harm: each must be refused, at once and without much memory.

python benchmarks/hostile_files.py                 # all of them, as a table
python benchmarks/hostile_files.py --only pickle   # those with this in their name

Each file is opened by the reader or the command line that gets such files, in a process of its own,
forked from this one after all is imported. Measured is from there on: seconds, and the largest
memory beyond that of the start. The status is 1 where a file is not refused with a message that
names it, or takes longer than --seconds, or more memory than --megabytes.
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hostile_cases import Case
from hostile_data import JSONS, MEDIA
from hostile_weights import CONFIGS, WEIGHTS

CASES = (*WEIGHTS, *CONFIGS, *JSONS, *MEDIA)
_MEMORY = 8 << 30  # of a process that is measured: the machine must live on
_KILLED_AFTER = 60  # seconds


@dataclass(frozen=True)
class Outcome:
    """What came of a file: whether it was refused, in which words, at what cost."""

    case: Case
    refused: bool
    message: str
    seconds: float
    megabytes: float
    size: int


def measure(case: Case, folder: Path) -> Outcome:
    """Make the file of a case, and open it in a forked process."""
    folder.mkdir()
    file = case.make(folder)
    size = file.lstat().st_size
    reading, writing = os.pipe()
    start = time.perf_counter()
    child = os.fork()
    if not child:
        os.close(reading)
        _open(case, folder, file, writing)
    os.close(writing)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(_KILLED_AFTER)
    with os.fdopen(reading, "r", encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    signal.alarm(0)
    seconds = time.perf_counter() - start
    refused, _, rest = said.partition("\n")
    megabytes, _, message = rest.partition("\n")
    if not megabytes:
        message = f"ended by {signal.Signals(status & 127).name}" if status & 127 else "ended"
        return Outcome(case, False, message, seconds, float("nan"), size)
    return Outcome(
        case, refused == "True" and file.name in message, message, seconds, float(megabytes), size
    )


def _open(case: Case, folder: Path, file: Path, writing: int) -> None:
    """In the child: never returns."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    warnings.simplefilter("ignore")
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused, message = False, "it was read"
    try:
        case.open(file)
    except (OSError, ValueError) as error:  # BrokenWeights and DatasetError are ValueErrors
        refused, message = True, str(error)
    except BaseException as error:
        message = f"{type(error).__name__}: {error} {traceback.format_exc()[-300:]}"
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if refused and any(folder.glob("mark")):
        refused, message = False, "its code ran"
    text = f"{refused}\n{more / 1024:.1f}\n{message}"
    os.write(writing, text.encode(errors="replace")[:60_000])
    os._exit(0)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="in the names of the files")
    parser.add_argument("--seconds", type=float, default=2.0, help="most that one may take")
    parser.add_argument("--megabytes", type=float, default=300.0, help="beyond the start")
    args = parser.parse_args(argv)
    chosen = [case for case in CASES if args.only in case.name]
    status = 0
    print("| file | bytes | seconds | MB | refused with |\n|---|---:|---:|---:|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(chosen):
            found = measure(case, Path(folder) / str(number))
            good = found.refused and found.seconds <= args.seconds
            good = good and found.megabytes <= args.megabytes
            status |= not good
            words = found.message.replace(folder, "").replace("|", "/").replace("\n", " ")[:110]
            print(
                f"| {case.name} | {found.size} | {found.seconds:.2f} | {found.megabytes:.0f} "
                f"| {'' if good else '**NOT WELL** '}{words} |",
                flush=True,
            )
    print(f"\n{len(chosen)} files; {'not all is well' if status else 'all were refused'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
