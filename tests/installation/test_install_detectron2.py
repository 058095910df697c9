"""The choice of a source in scripts/install_detectron2.py: no network, git and pip are faked."""

import hashlib
import re
import sys
import time
from pathlib import Path

import pytest

import install_detectron2 as installer

from .made_up_carrier import make_carrier

WHEEL_NAME = "detectron2-0.6+labgym.3.1.2-py3-none-any.whl"
NONE = (1, "Traceback …\nModuleNotFoundError: No module named 'detectron2'")
BROKEN = (1, "Traceback …\nModuleNotFoundError: No module named 'detectron2.modeling'")
THERE = (0, "a warning\nFOUND 0.6 /env/detectron2/__init__.py\n")
NO_HOST = (128, "fatal: unable to access 'https://…': Could not resolve host")
NO_COMPILER = (
    1,
    "  error: subprocess-exited-with-error\n  building…\n  error: command 'g++' failed\n"
    "  note: This error originates from a subprocess\nERROR: Failed building wheel for detectron2",
)


class Machine:
    """Stands in for the commands that the installer runs.

    Args:
        probes: what importing Detectron2 gives, one time after the other.
        git: what asking the git host gives.
        build: what building the official source gives.
        download: what downloading the carrier gives.
        carrier: the file that the download leaves.
    """

    def __init__(self, *, probes, git=NO_HOST, build=(0, ""), download=(0, ""), carrier=None):
        self.probes, self.git, self.build, self.download = list(probes), git, build, download
        self.carrier = carrier
        self.calls: list[str] = []
        self.git_env: dict[str, str] = {}
        self.git_timeout: float | None = None
        self.installed: list[str] = []

    def run(self, command, *, timeout=None, cwd=None, env=None):
        if command[:2] == ["git", "ls-remote"]:
            self.calls.append(f"git {command[2]}")
            self.git_env, self.git_timeout = env, timeout
            return self.git
        assert command[0] == sys.executable
        if command[1] == "-c":
            self.calls.append("import")
            return self.probes.pop(0)
        assert command[1:3] == ["-m", "pip"]
        action, arguments = command[3], command[4:]
        self.calls.append(f"{action} {Path(arguments[-1]).name}")
        self.installed += arguments if action == "install" else []
        if action == "wheel":
            assert "--no-build-isolation" in arguments and env["GIT_TERMINAL_PROMPT"] == "0"
            folder = Path(arguments[arguments.index("--wheel-dir") + 1])
            (folder / "detectron2-0.6-cp311-linux.whl").touch()
            return self.build
        if action == "download":
            folder = Path(arguments[arguments.index("--dest") + 1])
            folder.mkdir()
            if self.carrier is not None:
                (folder / self.carrier.name).write_bytes(self.carrier.read_bytes())
            return self.download
        return 0, ""


@pytest.fixture
def carrier(tmp_path, monkeypatch):
    path = make_carrier(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(installer, "CARRIER_SHA256", digest)
    return path


@pytest.fixture
def run_on(monkeypatch, capsys):
    def run_on(machine, *arguments):
        monkeypatch.setattr(installer, "run", machine.run)
        code = installer.main(list(arguments))
        lines = capsys.readouterr().out.splitlines()
        assert all(line.startswith("Detectron2: ") for line in lines)
        return code, [line.removeprefix("Detectron2: ") for line in lines]

    return run_on


FROM_PYPI = "installed from the PyPI wheel LabGym 3.1.2, 0.6 (/env/detectron2)"
PYPI_CALLS = [
    "download LabGym==3.1.2",
    f"install {WHEEL_NAME}",
    f"install {WHEEL_NAME}",
    "import",
]


def test_an_importable_one_is_kept(run_on):
    machine = Machine(probes=[THERE])
    assert run_on(machine) == (0, ["kept the one that is there, 0.6 (/env/detectron2)"])
    assert machine.calls == ["import"]


def test_the_official_source_comes_first(run_on):
    machine = Machine(probes=[NONE, THERE], git=(0, "abc HEAD"))
    code, lines = run_on(machine)
    assert code == 0
    assert "building the official source" in lines[0]
    assert lines[1:] == ["installed from the official source, 0.6 (/env/detectron2)"]
    assert machine.calls == [
        "import",
        "git https://github.com/facebookresearch/detectron2.git",
        "install wheel",
        "wheel detectron2.git",
        "install detectron2-0.6-cp311-linux.whl",
        "install detectron2-0.6-cp311-linux.whl",
        "import",
    ]
    assert machine.git_env["GIT_TERMINAL_PROMPT"] == "0"
    assert machine.git_timeout <= 30
    assert "setuptools<82" in machine.installed  # its model_zoo imports pkg_resources


@pytest.mark.parametrize(
    "git, reason",
    [
        (NO_HOST, "fatal: unable to access 'https://…': Could not resolve host"),
        ((127, "git is not installed"), "git is not installed"),
        ((124, ""), "detectron2.git did not answer within 20 s"),
    ],
)
def test_without_a_git_host_the_pypi_wheel_is_taken(run_on, carrier, git, reason):
    machine = Machine(probes=[NONE, THERE], git=git, carrier=carrier)
    code, lines = run_on(machine)
    assert code == 0
    assert lines[0].startswith("not from the official source: ") and lines[0].endswith(reason)
    assert lines[1:] == [FROM_PYPI]
    assert machine.calls[2:] == PYPI_CALLS


def test_a_failed_build_falls_back_and_says_why(run_on, carrier):
    machine = Machine(probes=[NONE, THERE], git=(0, ""), build=NO_COMPILER, carrier=carrier)
    code, lines = run_on(machine)
    assert code == 0
    assert lines[1:] == [
        "not from the official source: pip wheel failed: error: command 'g++' failed",
        FROM_PYPI,
    ]
    assert machine.calls[4:] == PYPI_CALLS


def test_a_build_that_does_not_import_falls_back(run_on, carrier):
    machine = Machine(probes=[NONE, BROKEN, THERE], git=(0, ""), carrier=carrier)
    code, lines = run_on(machine)
    assert code == 0
    assert lines[1] == (
        "not from the official source: it was installed, but does not import: "
        "ModuleNotFoundError: No module named 'detectron2.modeling'"
    )
    assert lines[2:] == [FROM_PYPI]


def test_a_broken_one_is_replaced_and_that_is_said(run_on, carrier):
    code, lines = run_on(Machine(probes=[BROKEN, THERE], carrier=carrier))
    assert code == 0
    assert re.fullmatch("the one that is there does not import and is replaced: .*", lines[0])
    assert lines[-1] == FROM_PYPI


def test_a_download_that_is_not_the_pinned_file_is_not_installed(run_on, tmp_path):
    machine = Machine(probes=[NONE], carrier=make_carrier(tmp_path))
    code, lines = run_on(machine)
    assert code == 1
    assert f"expected SHA-256 {installer.CARRIER_SHA256}, it is " in lines[1]
    assert lines[2] == "could not be installed"
    assert not [call for call in machine.calls if call.startswith("install")]


def test_no_source_at_all(run_on):
    failed = (1, "ERROR: No matching distribution found for LabGym==3.1.2")
    code, lines = run_on(Machine(probes=[NONE], download=failed))
    assert code == 1
    assert lines[1:] == [
        "not from the PyPI wheel LabGym 3.1.2: pip download failed: "
        "ERROR: No matching distribution found for LabGym==3.1.2",
        "could not be installed",
    ]


def test_a_source_can_be_asked_for(run_on, carrier):
    machine = Machine(probes=[THERE], carrier=carrier)
    assert run_on(machine, "--source", "pypi") == (0, [FROM_PYPI])
    assert machine.calls == PYPI_CALLS

    machine = Machine(probes=[])
    code, lines = run_on(machine, "--source", "git", "--git-url", "file:///mirror")
    assert (code, len(lines), machine.calls) == (1, 2, ["git file:///mirror"])


def test_pytorch_is_needed_first(run_on, monkeypatch):
    monkeypatch.setattr(installer.importlib.util, "find_spec", lambda name: None)
    machine = Machine(probes=[])
    code, lines = run_on(machine)
    assert (code, machine.calls) == (1, [])
    assert lines[0].startswith("PyTorch is needed first")


def test_run_reports_code_and_output(tmp_path):
    result = installer.run(["sh", "-c", "pwd; echo $A >&2; exit 3"], cwd=tmp_path, env={"A": "b"})
    assert result == (3, f"{tmp_path}\nb\n")
    assert installer.run(["no-such-command-here"]) == (127, "no-such-command-here is not installed")


def test_run_does_not_wait_for_what_a_killed_command_started():
    start = time.monotonic()
    assert installer.run(["sh", "-c", "sleep 20 & wait"], timeout=0.2)[0] == 124
    assert time.monotonic() - start < 10
