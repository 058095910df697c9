"""What ``train_net.py`` and its LazyConfig twin do with their command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

from detectron2.engine import default_argument_parser, launch

__all__ = ["launch_from_command_line"]


def launch_from_command_line(main: Callable[[argparse.Namespace], Any]) -> None:
    """Run ``main`` in ``--num-gpus`` processes with the arguments of Detectron2's own parser.

    Raises:
        SystemExit: ``--config-file`` is no file.
    """
    arguments = default_argument_parser().parse_args()
    if not os.path.isfile(arguments.config_file):
        raise SystemExit(f"--config-file {arguments.config_file!r}: no such file")
    launch(
        main,
        arguments.num_gpus,
        num_machines=arguments.num_machines,
        machine_rank=arguments.machine_rank,
        dist_url=arguments.dist_url,
        args=(arguments,),
    )
