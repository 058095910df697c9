"""Checkpoints of a process that may be killed at any moment."""

import json
import logging
import os

import pytest
import torch
from torch import nn

from rcf_vis.checkpoint import RCFCheckpointer, whole_checkpoints
from rcf_vis.errors import BrokenWeights


class Count(nn.Module):
    """A trainer that knows how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self.done = nn.Parameter(torch.zeros(1))


@pytest.fixture
def parts():
    torch.manual_seed(0)
    return nn.Linear(2, 3), Count()


def checkpointer(parts, folder, **options):
    model, trainer = parts
    return RCFCheckpointer(model, str(folder), trainer=trainer, **options)


def save(parts, folder, *numbers, **options):
    """A run that saves a checkpoint of each number, its first weight."""
    run = checkpointer(parts, folder, **options)
    run.resume_or_load("", resume=False)
    for number in numbers:
        with torch.no_grad():
            parts[0].weight[0, 0] = number
        run.save(f"model_{number:07d}")
    return run


def resumed(parts, folder):
    run = checkpointer(parts, folder)
    run.resume_or_load("", resume=True)
    return run.resumed_from and os.path.basename(run.resumed_from), parts[0].weight[0, 0].item()


def test_the_newest_is_resumed_from(parts, tmp_path):
    save(parts, tmp_path, 1, 2, 3)
    assert resumed(parts, tmp_path) == ("model_0000003.pth", 3)
    assert (tmp_path / "last_checkpoint").read_text() == "model_0000003.pth"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", None, "half", "nan"])
def test_one_that_is_not_whole_is_passed_over(parts, tmp_path, caplog, content):
    save(parts, tmp_path, 1, 2)
    path = tmp_path / "model_0000002.pth"
    if content == "nan":
        state = torch.load(path)
        state["model"]["bias"][1] = float("nan")
        torch.save(state, path)
    elif content == "half":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert resumed(parts, tmp_path) == ("model_0000001.pth", 1)
    assert content is None or "Passed over" in caplog.text and "model_0000002.pth" in caplog.text


@pytest.mark.parametrize("content", ["", "\x00", "model_0000009.pth", "../elsewhere.pth", None])
def test_a_last_checkpoint_that_names_none(parts, tmp_path, content):
    save(parts, tmp_path, 1, 2)
    last = tmp_path / "last_checkpoint"
    last.unlink() if content is None else last.write_text(content)
    assert resumed(parts, tmp_path) == ("model_0000002.pth", 2)


def test_the_user_may_go_back(parts, tmp_path):
    save(parts, tmp_path, 1, 2, 3)
    (tmp_path / "last_checkpoint").write_text("model_0000001.pth\n")
    assert resumed(parts, tmp_path) == ("model_0000001.pth", 1)


def test_none_is_whole(parts, tmp_path):
    save(parts, tmp_path, 1)
    (tmp_path / "model_0000001.pth").write_bytes(b"")
    with pytest.raises(BrokenWeights, match=r"no whole checkpoint .*model_0000001.pth.*begin anew"):
        resumed(parts, tmp_path)


@pytest.mark.parametrize("function", ["save", "replace", "fsync"])
def test_a_write_that_fails_leaves_the_old_one(parts, tmp_path, monkeypatch, function):
    run = save(parts, tmp_path, 1)
    content = (tmp_path / "model_0000001.pth").read_bytes()
    with torch.no_grad():
        parts[0].weight[0, 0] = 5

    def full(*args):
        raise OSError("disk full")

    owner = torch if function == "save" else os
    monkeypatch.setattr(owner, function, full)
    with pytest.raises(OSError, match="disk full"):
        run.save("model_0000001")
    assert (tmp_path / "model_0000001.pth").read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoints.json",
        "last_checkpoint",
        "model_0000001.pth",
    ]


def test_last_checkpoint_is_written_after_the_checkpoint(parts, tmp_path, monkeypatch):
    order, replace = [], os.replace

    def noted(source, target):
        order.append(os.path.basename(target))
        replace(source, target)

    run = save(parts, tmp_path, 1)
    monkeypatch.setattr(os, "replace", noted)
    run.save("model_0000002")
    assert order == ["model_0000002.pth", "checkpoints.json", "last_checkpoint"]


def test_a_new_run_does_not_go_on_with_an_old_one(parts, tmp_path):
    save(parts, tmp_path, 1, 2)
    save(parts, tmp_path)  # killed before its first checkpoint
    assert resumed(parts, tmp_path)[0] == ""
    assert (tmp_path / "model_0000002.pth").exists()
    save(parts, tmp_path, 1)
    (tmp_path / "last_checkpoint").unlink()
    assert resumed(parts, tmp_path) == ("model_0000001.pth", 1)


def test_a_folder_of_detectron2(parts, tmp_path):
    save(parts, tmp_path, 1, 3, 2)
    (tmp_path / "checkpoints.json").unlink()
    (tmp_path / "last_checkpoint").write_text("")
    for number, name in enumerate(("model_0000001.pth", "model_0000002.pth", "model_0000003.pth")):
        os.utime(tmp_path / name, (1000 + number, 1000 + number))
    (tmp_path / "other.pth").write_bytes(b"")
    assert resumed(parts, tmp_path) == ("model_0000003.pth", 3)


def test_keep(parts, tmp_path):
    save(parts, tmp_path / "old", 7)
    os.rename(tmp_path / "old" / "model_0000007.pth", tmp_path / "model_0000007.pth")
    run = save(parts, tmp_path, 1, 2, 3, keep=2)
    run.save("model_final")
    listed = json.loads((tmp_path / "checkpoints.json").read_text())
    assert listed == ["model_0000002.pth", "model_0000003.pth", "model_final.pth"]
    assert sorted(path.name for path in tmp_path.glob("*.pth")) == [
        "model_0000002.pth",
        "model_0000003.pth",
        "model_0000007.pth",  # of another run
        "model_final.pth",
    ]
    with pytest.raises(ValueError, match=r"SOLVER.KEEP_CHECKPOINTS is -1"):
        checkpointer(parts, tmp_path, keep=-1)


def test_nothing_is_saved_by_a_process_that_should_not(parts, tmp_path):
    run = checkpointer(parts, tmp_path, save_to_disk=False)
    run.resume_or_load("", resume=False)
    run.save("model_0000001")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(parts, tmp_path, value):
    model = parts[0]
    weights = {k: v.clone() for k, v in model.state_dict().items()}
    weights["bias"][2] = value
    torch.save({"model": weights}, tmp_path / "bad.pth")
    before = model.bias.tolist()
    with pytest.raises(BrokenWeights, match=r"bad.pth: 1 of the 3 elements of bias are NaN or"):
        RCFCheckpointer(model).load(str(tmp_path / "bad.pth"))
    assert model.bias.tolist() == before


def test_check_finite_takes_all_kinds():
    whole_checkpoints.check_finite(
        {"a": torch.tensor([1]), "b": torch.ones(2).numpy()}, "x", OSError
    )
    whole_checkpoints.check_finite({"half": torch.ones(2, dtype=torch.float16)}, "x", OSError)
