"""CPU seconds of the evaluator from the files to the numbers, and of a plain loop.

``python benchmarks/evaluation.py [--folder output/benchmark] [--plain]``

CPU seconds (user and system) of the first evaluation in a process that has imported everything
before; compiled loops are loaded with the import. The peak of memory is that of the evaluator, as
each measurement is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
from pathlib import Path

import plain_evaluator
import ytvis_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("output/benchmark"))
    parser.add_argument("--videos", type=int, default=ytvis_set.NUM_VIDEOS)
    parser.add_argument("--per-video", type=int, nargs="+", default=[10, 50])
    parser.add_argument("--plain", action="store_true", help="measure the plain loop, too")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for per_video in options.per_video:
        folder = options.folder / f"{options.videos}_videos_{per_video}_results"
        if not (folder / "results.json").exists():
            ytvis_set.write_set(folder, per_video, options.videos)
        for measure in (measure_fast, measure_plain)[: 1 + options.plain]:
            with context.Pool(1) as pool:
                figures = pool.apply(measure, (folder,))
            print(json.dumps({"results a video": per_video, **figures}))
            sys.stdout.flush()


def measure_fast(folder: Path) -> dict[str, float]:
    from rcf_vis.evaluation import evaluate_ytvis

    start, memory = _cpu_seconds(), _peak_megabytes()
    figures = evaluate_ytvis(folder / "instances.json", folder / "results.json")
    return {
        "AP": figures["AP"],
        "CPU s": round(_cpu_seconds() - start, 2),
        "MB above the imports": _peak_megabytes() - memory,
    }


def measure_plain(folder: Path) -> dict[str, float]:
    figure, seconds = plain_evaluator.evaluate(folder / "instances.json", folder / "results.json")
    rounded = {step: round(value, 2) for step, value in seconds.items()}
    return {"plain AP": figure, "plain CPU s": round(sum(seconds.values()), 2), **rounded}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
