import pytest
import torch
from detectron2.modeling import build_model
from detectron2.utils.file_io import PathManager

from rcf_vis.checkpoint import RCFCheckpointer, model_zoo


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
    (folder / "some.safetensors").touch()
    with pytest.raises(FileNotFoundError, match=r"rcf_vis://x.pth: .* has \['some.safetensors'\]"):
        PathManager.get_local_path("rcf_vis://x.pth")
    assert not PathManager.isfile("rcf_vis://x.pth")


def test_the_former_address_of_bundled_weights_names_the_new_one(patch_cfg):
    checkpointer = RCFCheckpointer(build_model(patch_cfg))
    with pytest.raises(
        FileNotFoundError,
        match=r"rcf_vis://rcf_tiny\.pth: .* now rcf_vis://rcf_tiny\.safetensors",
    ):
        checkpointer.load("rcf_vis://rcf_tiny.pth")
