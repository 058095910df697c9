"""Kills a training at seeded moments, resumes it, and compares the end bit for bit.

    python benchmarks/kill_and_resume.py --moments 200
    python benchmarks/kill_and_resume.py --moments 10 --processes 2 --json killed.json

A small RCF is trained on a small SynthVIS on the CPU, with the moving average of the weights,
accumulation, loader workers and an evaluation at the end. One run goes through. The others are
ended by SIGKILL: at each write and each step in turn (before and after a step, a write, a rename,
an update of the average, an evaluation), and then at random times, and are resumed until they end.
Weights, average, optimizer, metrics and AP must be those of the first, to the bit.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from detectron2.engine import default_argument_parser
from detectron2.utils import events
from tabulate import tabulate
from tqdm import tqdm

from rcf_vis.engine import AccumulatingTrainer, ModelEMA, Trainer
from rcf_vis.synthvis import SynthVISSpec, ensure_synthvis

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "synthvis" / "rcf_tiny.yaml"
SPEC = SynthVISSpec(width=64, height=48, length=4, train_videos=7, val_videos=2, test_videos=1)
OPTIONS = {
    "MODEL.WEIGHTS": "",
    "MODEL.DEVICE": "cpu",
    "MODEL.RESNETS.STEM_OUT_CHANNELS": 4,
    "MODEL.RESNETS.RES2_OUT_CHANNELS": 8,
    "MODEL.RESNETS.WIDTH_PER_GROUP": 4,
    "MODEL.RCF.HIDDEN_DIM": 16,
    "MODEL.RCF.NHEADS": 2,
    "MODEL.RCF.DIM_FEEDFORWARD": 16,
    "MODEL.RCF.MASK_DECODER_DIMS": [16, 16, 16],
    "MODEL.RCF.MASK_DIM": 8,
    "MODEL.RCF.DROPOUT": 0.1,
    "INPUT.MIN_SIZE_TRAIN": (32, 48),
    "INPUT.MIN_SIZE_TEST": 48,
    "SOLVER.IMS_PER_BATCH": 4,
    "SOLVER.ACCUMULATE_STEPS": 2,
    "SEED": 7,  # else a run that is killed before its first checkpoint may begin otherwise
    "SOLVER.MAX_ITER": 7,
    "SOLVER.WARMUP_ITERS": 3,
    "SOLVER.CHECKPOINT_PERIOD": 2,
    "SOLVER.KEEP_CHECKPOINTS": 2,
    "SOLVER.EMA.ENABLED": True,
    "SOLVER.EMA.DECAY": 0.9,
}
#: Of metrics.json: what no two runs share.
TIMES = ("time", "data_time", "rank_data_time", "eta_seconds")
LONGEST = 600  # seconds, of one run


def train(folder: Path, workers: int, kill_at: int | None = None) -> None:
    """Train or resume in this process; it ends by SIGKILL at the ``kill_at``-th moment."""
    sys.path.insert(0, str(ROOT))
    import train_net

    with moments(kill_at) as passed:
        train_net.main(arguments(folder, workers))
    (folder / "moments").write_text(str(passed()))


def arguments(folder: Path, workers: int) -> argparse.Namespace:
    return default_argument_parser().parse_args(command_line(folder, workers, processes=1))


def command_line(folder: Path, workers: int, processes: int) -> list[str]:
    options = {**OPTIONS, "DATALOADER.NUM_WORKERS": workers, "OUTPUT_DIR": folder / "out"}
    words = [str(word) for pair in options.items() for word in pair]
    return ["--config-file", str(CONFIG), "--resume", "--num-gpus", str(processes), *words]


@contextlib.contextmanager
def moments(kill_at: int | None) -> Iterator[Callable[[], int]]:
    """Count the moments before and after each step and each write; end the process at one."""
    passed = 0

    def moment() -> None:
        nonlocal passed
        passed += 1
        if passed == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    watched = [
        (AccumulatingTrainer, "run_step"),
        (Trainer, "test"),
        (ModelEMA, "update"),
        (torch, "save"),
        (os, "fsync"),
        (os, "replace"),
        (Path, "write_text"),
        (events.JSONWriter, "write"),
    ]
    before = [(owner, name, vars(owner)[name]) for owner, name in watched]
    for owner, name, _ in before:
        setattr(owner, name, _with_moments(owner, name, moment))
    try:
        yield lambda: passed
    finally:
        for owner, name, kept in before:
            setattr(owner, name, kept)


def _with_moments(owner: Any, name: str, moment: Callable[[], None]) -> Any:
    function = getattr(owner, name)  # a class method is bound to its class here

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        moment()
        result = function(*args, **kwargs)
        moment()
        return result

    return staticmethod(wrapped) if hasattr(function, "__self__") else wrapped


def in_child(
    folder: Path, workers: int, kill_at: int | None = None, after: float | None = None
) -> bool:
    """Train in a forked process; whether it ended by itself and well.

    Args:
        after: seconds until it is killed, if it has not ended.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if pid == 0:
        _be_the_run(folder, workers, kill_at)
    end = time.monotonic() + (LONGEST if after is None else after)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return _ended_well(status, folder)
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
            return _ended_well(os.waitpid(pid, 0)[1], folder)
        time.sleep(0.01)


def _be_the_run(folder: Path, workers: int, kill_at: int | None) -> NoReturn:
    status = 1
    try:
        with open(folder / "log.txt", "a") as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        train(folder, workers, kill_at)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _ended_well(status: int, folder: Path) -> bool:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        log = (folder / "log.txt").read_text()[-3000:]
        raise SystemExit(f"a run in {folder} ended with status {status}:\n{log}")
    return True


def in_two_processes(folder: Path, workers: int, after: float | None = None) -> bool:
    """The same with ``--num-gpus 2``; the parent alone is killed, its children must end."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(ROOT / "train_net.py"), *command_line(folder, workers, 2)]
    with open(folder / "log.txt", "a") as log:
        job = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        status = job.wait(LONGEST if after is None else after)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()
        _wait_for_children(job.pid)
        return False
    if status:
        log = (folder / "log.txt").read_text()[-3000:]
        raise SystemExit(f"a run in {folder} ended with status {status}:\n{log}")
    return True


def _wait_for_children(session: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = subprocess.run(["pgrep", "-s", str(session)], capture_output=True, check=False)
        if found.returncode:
            return
        time.sleep(0.1)
    raise SystemExit("the children of a killed run go on after 30 s")


def result(folder: Path) -> dict[str, Any]:
    """All that must be equal: the last checkpoint, and the metrics without times."""
    out = folder / "out"
    checkpoint = torch.load(out / "model_final.pth", weights_only=True)
    lines = [json.loads(line) for line in (out / "metrics.json").read_text().splitlines()]
    metrics = [{k: v for k, v in line.items() if k not in TIMES} for line in lines]
    return {"checkpoint": checkpoint, "metrics": repr(metrics)}  # nan is not equal to itself


def differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Where two nested results differ, to the bit."""
    if isinstance(one, torch.Tensor):
        same = one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [name]
    if isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return [f"{name}: {sorted(map(str, one.keys() ^ other.keys()))}"]
        return [d for k in one for d in differences(one[k], other[k], f"{name}.{k}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [d for k, pair in pairs for d in differences(*pair, f"{name}[{k}]")]
    return [] if one == other else [f"{name}: {one} and {other}"]


def survives(folder: Path, expected: dict[str, Any], run: Callable[..., bool], **kill: Any) -> bool:
    """Kill a run as ``kill`` says, resume it to its end, compare. Whether it was killed at all.

    Raises:
        SystemExit: the end is another; says where.
    """
    killed = not run(folder, **kill)
    while not run(folder):
        pass
    if found := differences(expected, result(folder)):
        raise SystemExit(f"killed with {kill}, {folder} has other results: " + "; ".join(found[:5]))
    shutil.rmtree(folder)
    return killed


def measure(work: Path, workers: int, processes: int, count: int, seed: int) -> dict[str, Any]:
    """Kill ``count`` runs, each at a moment of its own."""
    work.mkdir()
    run = functools.partial(in_child if processes == 1 else in_two_processes, workers=workers)
    started = time.monotonic()
    run(work / "whole")
    seconds = time.monotonic() - started
    expected = result(work / "whole")
    run(work / "again")
    if found := differences(expected, result(work / "again")):
        raise SystemExit(f"two runs that nobody killed differ: {found[:5]}")
    draw = random.Random(seed)
    kills: list[dict[str, Any]] = []
    if processes == 1:
        kills = [{"kill_at": k + 1} for k in range(int((work / "whole/moments").read_text()))]
        draw.shuffle(kills)
    kills = kills[:count]
    kills += [{"after": draw.uniform(0, seconds)} for _ in range(count - len(kills))]
    name = f"{processes} process(es), {workers} workers"
    killed = sum(
        survives(work / f"{number}", expected, run, **kill)
        for number, kill in enumerate(tqdm(kills, desc=name, unit="kill"))
    )
    return {"processes": processes, "workers": workers, "runs": count, "killed": killed}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--moments", type=int, default=200, help="for each number of workers")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--processes", type=int, choices=(1, 2), default=1)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DETECTRON2_DATASETS"] = os.path.join(folder, "datasets")
        ensure_synthvis(os.environ["DETECTRON2_DATASETS"], spec=SPEC)
        rows = [
            measure(Path(folder) / f"w{workers}", workers, args.processes, args.moments, args.seed)
            for workers in args.workers
        ]
    print(tabulate(rows, headers="keys", tablefmt="github"))
    print(
        "All ended with the weights, the average, the optimizer, the metrics and the AP expected."
    )
    if args.json:
        args.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
