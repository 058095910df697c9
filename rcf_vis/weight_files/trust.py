"""Whether files of weights may run code: said on a command line, in no file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["ADVICE", "add_trust_option", "is_trusted", "trust_weights"]

ADVICE = "--trust-weights reads it all the same, and runs what it says: for files of your own"

_trusted = False


def trust_weights(trusted: bool = True) -> None:
    """Let files of weights run code from now on, in this process: whoever made them can do all.

    It is a call, or ``--trust-weights``, and no key of a config: that would be a file, too.
    """
    global _trusted
    _trusted = trusted


def is_trusted() -> bool:
    """Whether :func:`trust_weights` was called."""
    return _trusted


def add_trust_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--trust-weights``, which holds as soon as it is parsed."""
    parser.add_argument(
        "--trust-weights",
        action=_Trust,
        nargs=0,
        default=False,
        help="run what a pickled file of weights (.pth, .pkl) says: for files of your own alone",
    )


class _Trust(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        trust_weights()
        setattr(namespace, self.dest, True)
