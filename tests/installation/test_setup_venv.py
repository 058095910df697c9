"""scripts/setup_venv.py: which steps run again, and what is mended; nothing is installed."""

import subprocess
import sys

import pytest

import setup_venv
from setup_venv import Environment, SetupError


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A checkout of which the steps only note that they ran."""
    (tmp_path / "scripts").mkdir()
    for name in ("setup.py", "pyproject.toml", *setup_venv.DETECTRON2_SCRIPTS):
        (tmp_path / name).write_text("1")
    monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def env(root):
    env = Environment(root / ".venv")
    (env.folder / "bin").mkdir(parents=True)
    (env.folder / "bin/python").symlink_to(sys.executable)
    return env


@pytest.fixture
def steps(monkeypatch, capsys):
    """Runs the set-up and returns the names of the steps that it ran."""

    def steps(env, failing=None):
        ran = []

        def note(name):
            def action(env):
                ran.append(name)
                if name == failing:
                    raise SetupError("no network")

            return action

        noted = [(name, title, note(name), inputs) for name, title, _, inputs in setup_venv.STEPS]
        with monkeypatch.context() as context:
            context.setattr(setup_venv, "STEPS", noted)
            if failing is None:
                assert setup_venv.set_up(env) == len(ran)
            else:
                with pytest.raises(SetupError):
                    setup_venv.set_up(env)
        return ran

    return steps


ALL = ["venv", "torch", "detectron2", "package"]


def test_a_second_run_does_nothing(env, steps, capsys):
    assert steps(env) == ALL
    assert capsys.readouterr().out.count("setup: step ") == 4
    assert steps(env) == []
    assert capsys.readouterr().out == ""


def test_the_next_run_goes_on_where_one_stopped(env, steps):
    assert steps(env, failing="detectron2") == ["venv", "torch", "detectron2"]
    assert steps(env) == ["detectron2", "package"]
    assert steps(env) == []


@pytest.mark.parametrize(
    "name, repeated",
    [
        ("setup.py", ALL[3:]),
        ("pyproject.toml", ALL[3:]),
        *[(n, ALL[2:]) for n in setup_venv.DETECTRON2_SCRIPTS],
    ],
)
def test_a_changed_file_repeats_its_step_and_those_after_it(env, steps, root, name, repeated):
    steps(env)
    (root / name).write_text("2")
    assert steps(env) == repeated
    assert steps(env) == []


def test_an_environment_whose_python_is_gone_is_made_again(env, steps):
    steps(env)
    (env.folder / "bin/python").unlink()
    (env.folder / "bin/python").symlink_to(env.folder / "nowhere")
    assert steps(env)[0] == "venv"


def test_venv_is_emptied_only_if_it_is_one(root, monkeypatch):
    commands = []
    monkeypatch.setattr(
        setup_venv.subprocess,
        "run",
        lambda command, **_: commands.append(command) or subprocess.CompletedProcess(command, 1),
    )
    monkeypatch.setattr(setup_venv, "check_version", lambda python: None)
    env = Environment(root / "folder")
    env.folder.mkdir()
    with pytest.raises(SetupError, match="python3-venv"):
        setup_venv.make_venv(env)
    (env.folder / "pyvenv.cfg").touch()
    with pytest.raises(SetupError, match="python3-venv"):
        setup_venv.make_venv(env)
    made = [command[3:] for command in commands if "venv" in command]
    assert made == [[str(env.folder)], ["--clear", str(env.folder)]]


def test_packages_whose_installation_was_cut_off_are_forgotten(env, capsys):
    site = env.folder / "lib/python3.11/site-packages"
    whole, half = site / "whole-1.0.dist-info", site / "half-2.0.dist-info"
    for info in (whole, half):
        info.mkdir(parents=True)
        (info / "METADATA").touch()
    (whole / "RECORD").touch()
    setup_venv.forget_half_installed(env)
    assert whole.is_dir() and not half.exists()
    assert "half-2.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "version, accepted", [((3, 9), 0), ((3, 10), 1), ((3, 14), 1), ((3, 15), 0)]
)
def test_python_version(monkeypatch, version, accepted):
    found = {"/a/python": version, "python3.11": (3, 11)}
    monkeypatch.setattr(setup_venv, "python_version", found.get)
    monkeypatch.setattr(setup_venv.shutil, "which", lambda name: name)
    if accepted:
        setup_venv.check_version("/a/python")
        return
    with pytest.raises(SetupError) as error:
        setup_venv.check_version("/a/python")
    assert str(error.value) == (
        "Python 3.10 to 3.14 is needed; /a/python is Python {}.{}. "
        "Try: make setup PYTHON=python3.11".format(*version)
    )


def test_python_version_is_asked_of_the_interpreter(tmp_path):
    assert setup_venv.python_version(sys.executable) == sys.version_info[:2]
    assert setup_venv.python_version(str(tmp_path / "python")) is None
