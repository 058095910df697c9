import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis.engine import RCFCheckpointer


@pytest.fixture
def weights(patch_cfg, tmp_path):
    """Weights of a model of three classes."""
    model = build_model(patch_cfg)
    RCFCheckpointer(model, str(tmp_path)).save("three")
    return str(tmp_path / "three.pth"), model.state_dict()


def test_round_trip(patch_cfg, weights):
    path, expected = weights
    torch.manual_seed(1)
    model = build_model(patch_cfg)
    RCFCheckpointer(model).load(path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_weights_of_another_number_of_classes(patch_cfg, weights):
    path, _ = weights
    patch_cfg.MODEL.RCF.NUM_CLASSES = 7
    with pytest.raises(ValueError) as error:
        RCFCheckpointer(build_model(patch_cfg)).load(path)
    for part in (path, "weights of 3 classes", "NUM_CLASSES is 7", "LOAD_CLASS_HEAD False"):
        assert part in str(error.value)


def test_fine_tuning_on_other_categories(patch_cfg, weights):
    path, saved = weights
    patch_cfg.MODEL.RCF.NUM_CLASSES = 7
    torch.manual_seed(1)
    model = build_model(patch_cfg)
    before = model.heads.class_embed.weight.clone()
    RCFCheckpointer(model, load_class_head=False).load(path)
    assert torch.equal(model.heads.class_embed.weight, before)
    name = "heads.filters.0.weight"
    assert torch.equal(model.state_dict()[name], saved[name])


def test_missing_file(patch_cfg, tmp_path):
    with pytest.raises((AssertionError, FileNotFoundError), match="nowhere.pth"):
        RCFCheckpointer(build_model(patch_cfg)).load(str(tmp_path / "nowhere.pth"))
