"""Make the virtual environment that `make demo` and `make test` use.

Each step that is finished leaves a stamp in the environment with a hash of what it depends on.
So a second run does nothing, a run that stopped half-way goes on with the step it stopped in, and
a change of a step's inputs repeats that step and those after it.

Example:
    python3 scripts/setup_venv.py .venv
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ["torch==2.11.0", "torchvision==0.26.0", "torchaudio==2.11.0"]
TORCH_TITLE = f"{', '.join(PINS)} (with CUDA about 2.6 GB to download, 5 GB on disk)"
PACKAGE_TITLE = "rcf_vis and the rest of what it needs (about 0.2 GB to download)"
OLDEST, NEWEST = (3, 10), (3, 14)  # those that PINS have wheels for
DETECTRON2_SCRIPTS = ["scripts/install_detectron2.py", "scripts/repack_detectron2.py"]
VERSION_CODE = "import json, sys; print(json.dumps(sys.version_info[:2]))"
PIP_ENV = {"PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


class SetupError(RuntimeError):
    """The environment cannot be made; the message says what to do."""


class Environment:
    """A virtual environment and the stamps of its finished steps.

    Args:
        folder: where it is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = str(folder.absolute() / "bin" / "python")
        self.stamps = folder / ".rcf_vis_setup"

    def done(self, step: str, key: str) -> bool:
        stamp = self.stamps / step
        return stamp.is_file() and stamp.read_text() == key and os.path.exists(self.python)

    def set_done(self, step: str, key: str) -> None:
        self.stamps.mkdir(exist_ok=True)
        unfinished = self.stamps / f"{step}.tmp"
        unfinished.write_text(key)
        os.replace(unfinished, self.stamps / step)

    def works(self, *arguments: str) -> bool:
        """Whether its Python runs with these arguments."""
        command = [self.python, *arguments]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return os.path.exists(self.python) and subprocess.run(command, **quiet).returncode == 0

    def run(self, *arguments: str) -> None:
        """Run its Python, output shown; raises SetupError if that fails."""
        command = [self.python, *arguments]
        if subprocess.run(command, cwd=ROOT, env={**os.environ, **PIP_ENV}).returncode != 0:
            raise SetupError(f"failed: {' '.join(command)}")

    def pip_install(self, *arguments: str, progress: bool = False) -> None:
        show = [] if progress and sys.stdout.isatty() else ["-q"]
        self.run("-m", "pip", "install", *show, *arguments)


def python_version(python: str) -> tuple[int, int] | None:
    """(major, minor) of an interpreter, or None if it does not run."""
    try:
        done = subprocess.run([python, "-c", VERSION_CODE], capture_output=True, text=True)
    except OSError:
        return None
    return tuple(json.loads(done.stdout)) if done.returncode == 0 else None


def check_version(python: str) -> None:
    """Raises SetupError for a Python outside of 3.10 to 3.14."""
    version = python_version(python)
    if version is not None and OLDEST <= version <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    usable = [n for n in names if shutil.which(n) and python_version(n) is not None]
    hint = f"make setup PYTHON={usable[-1]}" if usable else "install one, then make setup PYTHON=…"
    found = "no Python that runs" if version is None else "Python {}.{}".format(*version)
    raise SetupError(f"Python 3.10 to 3.14 is needed; {python} is {found}. Try: {hint}")


def make_venv(env: Environment) -> None:
    """Make the environment, or mend one that was left half-made."""
    if python_version(env.python) is None:
        check_version(sys.executable)
        # An environment whose Python is gone is emptied. Any other folder is never emptied.
        clear = ["--clear"] if (env.folder / "pyvenv.cfg").is_file() else []
        command = [sys.executable, "-m", "venv", *clear, str(env.folder)]
        if subprocess.run(command).returncode != 0:
            raise SetupError(
                f"{sys.executable} could not make {env.folder}; on Debian and Ubuntu the package "
                "python3-venv is needed for it"
            )
    check_version(env.python)
    if not env.works("-m", "pip", "--version"):
        env.run("-m", "ensurepip", "--upgrade")


def forget_half_installed(env: Environment) -> None:
    """Take the entries of packages whose installation was cut off, so that pip installs them.

    pip writes RECORD last; without it a package is listed, but its files may be missing.
    """
    for info in env.folder.glob("lib*/python3*/site-packages/*.dist-info"):
        if not (info / "RECORD").exists() and not info.is_symlink():
            say(f"installing {info.stem} again, it was cut off")
            shutil.rmtree(info)


def install_torch(env: Environment) -> None:
    env.pip_install(*PINS, progress=True)
    if not env.works("-c", "import torch, torchvision, torchaudio"):
        say("PyTorch does not import and is installed again")
        env.pip_install("--force-reinstall", *PINS, progress=True)
        env.run("-c", "import torch, torchvision, torchaudio")


def install_detectron2(env: Environment) -> None:
    env.run("scripts/install_detectron2.py")


def install_package(env: Environment) -> None:
    env.pip_install("-e", ".[dev]")
    env.run("-c", "import rcf_vis")


# name, what is shown, what is done, and the files and words that it depends on
STEPS = [
    ("venv", "virtual environment", make_venv, []),
    ("torch", TORCH_TITLE, install_torch, PINS),
    ("detectron2", "Detectron2", install_detectron2, DETECTRON2_SCRIPTS),
    ("package", PACKAGE_TITLE, install_package, ["setup.py", "pyproject.toml", str(ROOT)]),
]


def set_up(env: Environment) -> int:
    """Run the steps that are not done yet; returns how many that were."""
    key, ran = "", 0
    for number, (step, title, action, inputs) in enumerate(STEPS, 1):
        digest = hashlib.sha256(key.encode())
        for item in inputs:
            file = ROOT / item
            digest.update(file.read_bytes() if file.is_file() else item.encode())
        key = digest.hexdigest()
        if env.done(step, key):
            continue
        say(f"step {number} of {len(STEPS)}: {title}")
        if step != "venv":
            forget_half_installed(env)
        action(env)
        env.set_done(step, key)
        ran += 1
    return ran


def say(message: str) -> None:
    print(f"setup: {message}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("venv", type=Path, help="folder of the virtual environment")
    env = Environment(parser.parse_args().venv)
    try:
        if set_up(env):
            say(f"done, {env.folder} is ready")
    except SetupError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
