"""Check results and pack them for an evaluation server, from the command line.

``python -m rcf_vis.evaluation.submission results.json --gt valid.json --output results.zip``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rcf_vis.errors import DatasetError
from rcf_vis.files import check_output

from .submission_check import write_submission

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m rcf_vis.evaluation.submission",
        description="Check results and pack them for an evaluation server.",
    )
    parser.add_argument("results", help="results.json")
    parser.add_argument("--gt", required=True, help="json of the videos; needs no annotations")
    parser.add_argument("--output", required=True, help="zip to write")
    options = parser.parse_args(arguments)
    try:
        check_output(options.output, options.results, options.gt)
        write_submission(options.results, options.gt, options.output)
    except (DatasetError, OSError) as error:
        sys.exit(f"{error}\nNo submission is written.")
    print(options.output)


if __name__ == "__main__":
    main()
