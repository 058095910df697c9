"""What ``train_net.py`` and its LazyConfig twin do with their command line."""

from __future__ import annotations

import argparse
import codecs
import multiprocessing
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from detectron2.config import CfgNode
from detectron2.engine import default_argument_parser, default_setup, launch
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from omegaconf import DictConfig

from rcf_vis.files import only_run_in
from rcf_vis.weight_files import add_trust_option, trust_weights

__all__ = ["launch_from_command_line", "own_output_dir", "set_up"]


def launch_from_command_line(main: Callable[[argparse.Namespace], Any]) -> None:
    """Run ``main`` in ``--num-gpus`` processes with the arguments of Detectron2's own parser.

    The processes end when the one that started them does, however that ended.

    Raises:
        SystemExit: ``--config-file`` is no file.
    """
    parser = default_argument_parser()
    add_trust_option(parser)
    arguments = parser.parse_args()
    if not os.path.isfile(arguments.config_file):
        raise SystemExit(f"--config-file {arguments.config_file!r}: no such file")
    launch(
        partial(_run, main),
        arguments.num_gpus,
        num_machines=arguments.num_machines,
        machine_rank=arguments.machine_rank,
        dist_url=arguments.dist_url,
        args=(arguments,),
    )


def set_up(cfg: CfgNode | DictConfig, arguments: argparse.Namespace, output_dir: str) -> None:
    """Detectron2's ``default_setup``, and the log of this package beside its own."""
    file = Path(arguments.config_file)
    if file.is_file() and file.read_bytes()[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        # Detectron2 would fail to log it
        arguments = argparse.Namespace(**{**vars(arguments), "config_file": ""})
    default_setup(cfg, arguments)
    setup_logger(output_dir, distributed_rank=comm.get_rank(), name="rcf_vis")


def own_output_dir(folder: str, key: str = "OUTPUT_DIR") -> AbstractContextManager[None]:
    """Keep other runs out of the output folder, see :func:`rcf_vis.files.only_run_in`.

    The main process does it for all; a folder that is not of the local file system is left.
    """
    if not folder or "://" in folder or not comm.is_main_process():
        return nullcontext()
    return only_run_in(folder, key)


def _run(main: Callable[[argparse.Namespace], Any], arguments: argparse.Namespace) -> Any:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    trust_weights(arguments.trust_weights)  # of the parent's command line
    return main(arguments)


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)  # the threads of a communication that hangs would keep sys.exit from ending it
