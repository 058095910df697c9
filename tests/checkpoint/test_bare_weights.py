"""Published weights: what is kept, in which format, and what broken files say."""

import json

import pytest
import torch
from detectron2.modeling import build_model
from safetensors.torch import load_file, save_file

from rcf_vis import OnlinePredictor
from rcf_vis.checkpoint import RCFCheckpointer, read_bare_weights, save_bare_weights
from tests.scripts import load_script

NAMES = ["person", "sédan", "ape"]


@pytest.fixture
def checkpoint(patch_cfg, tmp_path):
    """A checkpoint of a training with an average, and its content."""
    model = build_model(patch_cfg)
    last = model.state_dict()
    conv = next(name for name, value in last.items() if value.dim() == 4)
    last[conv] = last[conv].to(memory_format=torch.channels_last)
    average = {k: v + 1 if v.is_floating_point() else v.clone() for k, v in last.items()}
    content = {"model": last, "ema": average, "class_names": NAMES, "iteration": 7}
    torch.save(content, tmp_path / "training.pth")
    return tmp_path / "training.pth", content


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("ema", [False, True])
def test_publishing_loses_nothing(patch_cfg, checkpoint, tmp_path, suffix, ema):
    """From the checkpoint to a file, and from there into a model, every number stays."""
    publish = load_script("tools/publish_model.py").publish
    path, content = checkpoint
    expected = content["ema" if ema else "model"]
    published = tmp_path / f"published{suffix}"
    assert publish(path, published, ema=ema) == published.stat().st_size
    assert published.stat().st_mode & 0o777 == path.stat().st_mode & 0o777
    found = read_bare_weights(published)
    assert_same(found["model"], expected)
    assert found["class_names"] == NAMES and set(found) == {"model", "class_names"}

    for load_ema in (False, True):  # of a published file they are the same
        model = build_model(patch_cfg)
        RCFCheckpointer(model, class_names=NAMES, load_ema=load_ema).load(str(published))
        assert_same(model.state_dict(), expected)
    with pytest.raises(KeyError, match="expected the key 'ema'"):
        publish(published, tmp_path / "again.safetensors", ema=True)


def test_the_safetensors_file_is_a_plain_one(checkpoint, tmp_path):
    """Other programs read it: names as in the model, class names as JSON."""
    path, content = checkpoint
    save_bare_weights(read_bare_weights(path), tmp_path / "x.safetensors")
    assert_same(load_file(tmp_path / "x.safetensors"), content["model"])
    data = (tmp_path / "x.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["class_names"]) == NAMES


def test_tensors_that_share_their_memory(tmp_path):
    shared = torch.arange(6.0)
    content = {"model": {"a": shared, "b": shared[2:]}, "class_names": None}
    save_bare_weights(content, tmp_path / "x.safetensors")
    found = read_bare_weights(tmp_path / "x.safetensors")
    assert set(found) == {"model"}
    assert_same(found["model"], content["model"])


def test_class_names_are_compared(patch_cfg, checkpoint, tmp_path):
    save_bare_weights(read_bare_weights(checkpoint[0]), tmp_path / "x.safetensors")
    checkpointer = RCFCheckpointer(build_model(patch_cfg), class_names=["person", "car", "ape"])
    with pytest.raises(ValueError, match=r"x\.safetensors: .* 'sédan' there and 'car' here"):
        checkpointer.load(str(tmp_path / "x.safetensors"))


def test_the_predictor_takes_either_format(patch_cfg, checkpoint, tmp_path):
    patch_cfg.DATASETS.TEST = ()
    models = []
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"same{suffix}"
        save_bare_weights(read_bare_weights(checkpoint[0]), path)
        patch_cfg.MODEL.WEIGHTS = str(path)
        models.append(OnlinePredictor(patch_cfg).model.state_dict())
    assert_same(*models)


@pytest.mark.parametrize("name", ["x.safetensors", "x.pth"])
@pytest.mark.parametrize("kept_bytes", [0, 4, 2000])
def test_a_file_that_was_cut_off(patch_cfg, checkpoint, tmp_path, name, kept_bytes):
    path = tmp_path / name
    save_bare_weights(read_bare_weights(checkpoint[0]), path)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    with pytest.raises(ValueError, match=f"{name}: (not a complete safetensors|could not be read)"):
        RCFCheckpointer(build_model(patch_cfg)).load(str(path))


@pytest.mark.parametrize("text", ["person, car", '"person"', "[1, 2]"])
def test_class_names_that_are_none(tmp_path, text):
    save_file({"w": torch.zeros(1)}, tmp_path / "x.safetensors", {"class_names": text})
    with pytest.raises(ValueError, match=r"x\.safetensors: expected a JSON list of class_names"):
        read_bare_weights(tmp_path / "x.safetensors")


def test_what_cannot_be_published(checkpoint, tmp_path):
    publish = load_script("tools/publish_model.py").publish
    with pytest.raises(ValueError, match=r"y\.bin: .* \.safetensors or \.pth, not '\.bin'"):
        publish(checkpoint[0], tmp_path / "y.bin")
    torch.save({"x": 1}, tmp_path / "other.pth")
    with pytest.raises(KeyError, match="expected the key 'model'"):
        publish(tmp_path / "other.pth", tmp_path / "y.safetensors")
    torch.save({"model": {"w": torch.zeros(2)}}, tmp_path / "last.pth")
    with pytest.raises(KeyError, match="expected the key 'ema'"):
        publish(tmp_path / "last.pth", tmp_path / "y.safetensors", ema=True)
    assert not list(tmp_path.glob("y.*"))
