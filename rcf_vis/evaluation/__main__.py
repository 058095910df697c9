"""``python -m rcf_vis.evaluation --gt instances.json --results results.json``: the figures of AP.

For the results of any model; see :func:`rcf_vis.evaluation.evaluate_ytvis`.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence

from tabulate import tabulate

from rcf_vis.files import check_output, whole_file

from .average_precision import METRICS, evaluate_ytvis
from .event_metrics import EVENT_METRICS, EVENT_NAMES, evaluate_events
from .identity_metrics import IDENTITY_METRICS, evaluate_identity
from .region_similarity import REGION_METRICS, evaluate_regions

__all__ = ["main"]

_KINDS = (*EVENT_NAMES, "all")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m rcf_vis.evaluation",
        description="Average precision and recall of tracks, as YouTube-VIS defines them.",
    )
    parser.add_argument("--gt", required=True, help="json with annotations")
    parser.add_argument("--results", required=True, help="results.json, or a zip with it")
    parser.add_argument("--per-category", action="store_true", help="show the AP of each category")
    parser.add_argument("--identity", action="store_true", help="HOTA, IDF1, ID switches …, too")
    parser.add_argument(
        "--regions", action="store_true", help="J of the videos with one annotated object, too"
    )
    parser.add_argument(
        "--events", action="store_true", help="figures of crossings, occlusions, returns, too"
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    options = parser.parse_args(arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        if options.json:
            check_output(options.json, options.gt, options.results)
        figures = evaluate_ytvis(options.gt, options.results)
        if options.identity:
            figures["identity"] = evaluate_identity(options.gt, options.results)
        if options.events:
            figures["events"] = evaluate_events(options.gt, options.results)
        if options.regions:
            figures["regions"] = evaluate_regions(options.gt, options.results)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(_table({name: figures[name] for name in METRICS}))
    if options.per_category:
        print("\nAP of each category\n" + _table(figures["per_category"]))
    if options.identity:
        names = IDENTITY_METRICS
        print("\nIdentity\n" + _table({name: figures["identity"][name] for name in names}))
    if options.events:
        print("\nEvents\n" + _event_table(figures["events"]))
    if options.regions:
        regions = figures["regions"]
        table = _table({name: regions[name] for name in REGION_METRICS})
        print(f"\n{regions['num_videos']} videos with one annotated object\n{table}")
    if options.json:
        with whole_file(options.json) as temporary:
            temporary.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def _table(figures: Mapping[str, float]) -> str:
    """A line each, in percent but for counts."""
    width = max(map(len, figures), default=0)
    return "\n".join(f"{name:{width}}  {_shown(value)}" for name, value in figures.items())


def _event_table(events: Mapping[str, Mapping[str, float]]) -> str:
    """A line for each kind, a column for each figure."""
    rows = [(name, *map(_shown, (events[name][key] for key in EVENT_METRICS))) for name in _KINDS]
    return tabulate(rows, ("", *EVENT_METRICS), tablefmt="plain", disable_numparse=True)


def _shown(value: float) -> str:
    if value == -1:
        return "undefined"
    return f"{value:6d}" if isinstance(value, int) else f"{100 * value:6.2f}"


if __name__ == "__main__":
    main()
