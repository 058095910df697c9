"""Install Detectron2 into the environment of the Python that runs this script.

Detectron2 is not on PyPI under its own name. Taken is the first of these that works:

1. a Detectron2 that can already be imported is kept as it is;
2. the official source, by git (its optional C++ operators are compiled on the way);
3. the Python code of Detectron2 0.6 out of the PyPI wheel ``LabGym``, which carries a renamed copy
   of it. The copy gets its own name back and is packed as a pure-Python wheel ``detectron2``.
   Only Detectron2's files (Apache-2.0) go into that wheel, none of LabGym's own (GPL-3.0).

PyTorch has to be there first. The script says which source it took and why the others were not.

Example:
    python scripts/install_detectron2.py --source pypi
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from repack_detectron2 import CARRIER, CARRIER_VERSION, InstallError, repack

GIT_URL = "https://github.com/facebookresearch/detectron2.git"
GIT_TIMEOUT = 20  # seconds until a git host counts as out of reach
CARRIER_SHA256 = "a2900cff8a3fb508e1975f19b5f9abd9f261966db87b0c332697fb4138c1cb2b"

PROBE = """\
import detectron2, detectron2.engine, detectron2.modeling, detectron2.projects.deeplab
print("FOUND", detectron2.__version__, detectron2.__file__)
"""


def run(
    command: list[str],
    *,
    timeout: float | None = None,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> tuple[int, str]:
    """Run a command without input and return its exit code and all its output.

    Args:
        timeout: seconds after which it is killed; the code is then 124, as with timeout(1).
        env: variables on top of those that are set.
    """
    # A file and not a pipe: a grandchild that outlives a killed child cannot hold this up.
    with tempfile.TemporaryFile() as log:
        try:
            code = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=timeout,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
        except FileNotFoundError:
            return 127, f"{command[0]} is not installed"
        log.seek(0)
        return code, log.read().decode(errors="replace")


def pip(*arguments: str, env: dict[str, str] | None = None) -> None:
    """Run this environment's pip quietly; raises InstallError with its error if it fails."""
    quiet = ["-q", "--disable-pip-version-check", "--no-input"]
    code, output = run([sys.executable, "-m", "pip", arguments[0], *quiet, *arguments[1:]], env=env)
    if code != 0:
        raise InstallError(f"pip {arguments[0]} failed: {error_line(output)}")


def error_line(output: str) -> str:
    """The line of a command's output that says best what went wrong: the first error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.search(r"(error|fatal): (?!subprocess)", line, re.I)]
    return (errors or lines[-1:] or ["no output"])[0]


def find_detectron2() -> tuple[str | None, str]:
    """Import Detectron2 in a fresh interpreter, outside of this folder.

    Returns:
        ("version (folder)", "") if it works; (None, reason) if not, with an empty reason if
        there simply is none.
    """
    with tempfile.TemporaryDirectory() as folder:
        code, output = run([sys.executable, "-c", PROBE], cwd=Path(folder))
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
    for line in lines:
        if code == 0 and line.startswith("FOUND "):
            _, version, file = line.split(" ", 2)
            return f"{version} ({Path(file).parent})", ""
    return None, "" if lines[-1].endswith("No module named 'detectron2'") else lines[-1]


def wheel_from_git(folder: Path, url: str = GIT_URL) -> Path:
    """Build a wheel of the official source.

    Raises:
        InstallError: git is not installed, its host does not answer, or the build fails.
    """
    # No question at the terminal, and no waiting for a host that has gone silent.
    env = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_HTTP_LOW_SPEED_LIMIT": "1000",
        "GIT_HTTP_LOW_SPEED_TIME": str(GIT_TIMEOUT),
    }
    code, output = run(["git", "ls-remote", url, "HEAD"], timeout=GIT_TIMEOUT, env=env)
    if code == 124:
        raise InstallError(f"{url} did not answer within {GIT_TIMEOUT} s")
    if code != 0:
        raise InstallError(error_line(output))
    say(f"building the official source, {url}; this takes some minutes")
    # The build has to see the installed torch, and the official model_zoo imports pkg_resources,
    # which setuptools 82 has no more.
    pip("install", "setuptools<82", "wheel")
    pip(
        *("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)),
        f"git+{url}",
        env=env,
    )
    return only_wheel(folder)


def wheel_from_pypi(folder: Path) -> Path:
    """Download the pinned wheel that carries Detectron2's code, and repack that code.

    Raises:
        InstallError: no package index answers, or what it gave is not the pinned file.
    """
    download = folder / "download"
    # The carrier asks for Python < 3.11; Detectron2's code itself does not mind.
    pip(
        *("download", "--no-deps", "--only-binary=:all:", "--python-version", "3.10"),
        *("--dest", str(download), f"{CARRIER}=={CARRIER_VERSION}"),
    )
    carrier = only_wheel(download)
    digest = hashlib.sha256(carrier.read_bytes()).hexdigest()
    if digest != CARRIER_SHA256:
        raise InstallError(f"{carrier.name}: expected SHA-256 {CARRIER_SHA256}, it is {digest}")
    return repack(carrier, folder)


def only_wheel(folder: Path) -> Path:
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InstallError(f"expected one wheel, got {[wheel.name for wheel in wheels]}")
    return wheels[0]


def install(build: Callable[[Path], Path]) -> str:
    """Build a wheel, install it and what it needs, and import it; returns version and folder."""
    with tempfile.TemporaryDirectory(prefix="detectron2-") as folder:
        wheel = str(build(Path(folder)))
        pip("install", "--force-reinstall", "--no-deps", wheel)  # over a broken one, too
        pip("install", wheel)
    found, reason = find_detectron2()
    if found is None:
        raise InstallError(f"it was installed, but does not import: {reason}")
    return found


def say(message: str) -> None:
    print(f"Detectron2: {message}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--source",
        choices=["auto", "git", "pypi"],
        default="auto",
        help="auto: keep one that is there, else git, else pypi",
    )
    parser.add_argument("--git-url", default=GIT_URL, help="official source or a mirror of it")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("torch") is None:
        say(f"PyTorch is needed first, {sys.executable} has none")
        return 1
    if options.source == "auto":
        found, reason = find_detectron2()
        if found is not None:
            say(f"kept the one that is there, {found}")
            return 0
        if reason:
            say(f"the one that is there does not import and is replaced: {reason}")

    sources = {
        "git": ("the official source", lambda folder: wheel_from_git(folder, options.git_url)),
        "pypi": (f"the PyPI wheel {CARRIER} {CARRIER_VERSION}", wheel_from_pypi),
    }
    for name, (title, build) in sources.items():
        if options.source not in ("auto", name):
            continue
        try:
            found = install(build)
        except InstallError as error:
            say(f"not from {title}: {error}")
        else:
            say(f"installed from {title}, {found}")
            return 0
    say("could not be installed")
    return 1


if __name__ == "__main__":
    sys.exit(main())
