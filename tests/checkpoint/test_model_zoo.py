import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.file_io import PathManager

from rcf_vis.checkpoint import RCFCheckpointer, model_zoo
from tests.scripts import load_script


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(model_zoo, "WEIGHTS_FOLDER", tmp_path)
    return tmp_path


def test_weights_by_their_prefix(patch_cfg, folder):
    model = build_model(patch_cfg)
    RCFCheckpointer(model, str(folder)).save("patch")
    assert PathManager.isfile("rcf_vis://patch.pth")
    torch.manual_seed(1)
    other = build_model(patch_cfg)
    RCFCheckpointer(other).load("rcf_vis://patch.pth")
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor), name


def test_weights_that_are_not_there(folder):
    (folder / "some.pth").touch()
    with pytest.raises(FileNotFoundError, match=r"rcf_vis://x.pth: .* has \['some.pth'\]"):
        PathManager.get_local_path("rcf_vis://x.pth")
    assert not PathManager.isfile("rcf_vis://x.pth")


def test_publishing_keeps_the_weights_alone(tmp_path):
    publish = load_script("tools/publish_model.py").publish
    weights = {"heads.weight": torch.arange(6.0)}
    torch.save({"model": weights, "optimizer": torch.zeros(10000)}, tmp_path / "full.pth")
    size = publish(tmp_path / "full.pth", tmp_path / "small.pth")
    content = torch.load(tmp_path / "small.pth", weights_only=True)
    assert set(content) == {"model"}
    assert torch.equal(content["model"]["heads.weight"], weights["heads.weight"])
    assert size < 10000 * 4
    torch.save({"x": 1}, tmp_path / "other.pth")
    with pytest.raises(KeyError, match="expected the key 'model'"):
        publish(tmp_path / "other.pth", tmp_path / "y.pth")
    assert not (tmp_path / "y.pth").exists()


def test_publishing_the_average(tmp_path):
    publish = load_script("tools/publish_model.py").publish
    last, average = {"w": torch.zeros(2)}, {"w": torch.ones(2)}
    torch.save({"model": last, "class_names": ["a", "b"]}, tmp_path / "last.pth")
    torch.save({"model": last, "ema": average}, tmp_path / "both.pth")
    publish(tmp_path / "both.pth", tmp_path / "x.pth", ema=True)
    content = torch.load(tmp_path / "x.pth", weights_only=True)
    assert set(content) == {"model"} and torch.equal(content["model"]["w"], average["w"])
    publish(tmp_path / "last.pth", tmp_path / "y.pth")
    assert torch.load(tmp_path / "y.pth", weights_only=True)["class_names"] == ["a", "b"]
    with pytest.raises(KeyError, match="expected the key 'ema'"):
        publish(tmp_path / "last.pth", tmp_path / "z.pth", ema=True)
    assert not (tmp_path / "z.pth").exists()
