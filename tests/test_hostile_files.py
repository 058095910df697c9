"""A sample of benchmarks/hostile_files.py; it measures time, too, which a test does not."""

import importlib
import os
import signal

import pytest
import torch

from tests.scripts import ROOT


@pytest.fixture
def program(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("hostile_files")


@pytest.mark.parametrize("only", ["with code", "in a view", "yaml", "pipe", "polygon", "13000"])
def test_hostile_files_are_refused_without_much_memory(program, capsys, only):
    assert program.main(["--only", only, "--seconds", "60"]) == 0
    table = capsys.readouterr().out
    assert "all were refused" in table and table.count(only) >= 1


def test_what_is_not_refused_is_seen(program, capsys, monkeypatch):
    from hostile_cases import load

    def good(folder):
        torch.save({}, folder / "w.pth")
        return folder / "w.pth"

    def read(path):
        (path.parent / "mark").mkdir()
        raise ValueError(path)

    def eat(path):
        raise ValueError(path, bytearray(400 << 20).count(1))

    def die(path):
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(
        program, "CASES", [program.Case(f.__name__, good, f) for f in (load, read, eat, die)]
    )
    assert program.main([]) == 1
    rows = capsys.readouterr().out.splitlines()[2:6]
    for row, words in zip(rows, ("it was read", "its code ran", "", "SIGKILL"), strict=True):
        assert "NOT WELL" in row and words in row
