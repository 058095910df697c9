import json
import logging

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

from rcf_vis import OnlinePredictor
from rcf_vis.checkpoint import RCFCheckpointer, known_class_names
from rcf_vis.data import register_ytvis_instances
from rcf_vis.errors import DatasetError


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


def test_class_names_go_with_the_weights(patch_cfg, tmp_path):
    """As many classes, but others: YouTube-VIS 2019 and 2021 have 40 each."""
    model = build_model(patch_cfg)
    names = ["person", "sedan", "ape"]
    RCFCheckpointer(model, str(tmp_path), class_names=names).save("named")
    path = str(tmp_path / "named.pth")
    assert torch.load(path)["class_names"] == names

    RCFCheckpointer(build_model(patch_cfg), class_names=names).load(path)
    RCFCheckpointer(build_model(patch_cfg)).load(path)  # a data set that has no names yet
    others = ["person", "car", "ape"]
    with pytest.raises(ValueError) as error:
        RCFCheckpointer(build_model(patch_cfg), class_names=others).load(path)
    for part in (path, "number 1 is 'sedan' there and 'car' here", "LOAD_CLASS_HEAD False"):
        assert part in str(error.value)
    with pytest.raises(ValueError, match="number 3 is 'None' there and 'dog' here"):
        RCFCheckpointer(build_model(patch_cfg), class_names=[*names, "dog"]).load(path)
    fresh = RCFCheckpointer(build_model(patch_cfg), class_names=others, load_class_head=False)
    fresh.load(path)


def test_weights_without_class_names(patch_cfg, weights):
    """Those of older checkpoints and of other projects."""
    path, saved = weights
    assert "class_names" not in torch.load(path)
    model = build_model(patch_cfg)
    RCFCheckpointer(model, class_names=["a", "b", "c"]).load(path)
    assert torch.equal(model.heads.class_embed.weight, saved["heads.class_embed.weight"])


def test_a_fine_tuning_that_is_resumed_keeps_its_class_layer(patch_cfg, weights, tmp_path):
    path, saved = weights
    folder = tmp_path / "run"
    folder.mkdir()
    tuned = build_model(patch_cfg)
    RCFCheckpointer(tuned, str(folder)).save("model_0000009")
    resumed = build_model(patch_cfg)
    checkpointer = RCFCheckpointer(resumed, str(folder), load_class_head=False)
    checkpointer.resume_or_load(path, resume=True)
    expected = tuned.heads.class_embed.weight
    assert torch.equal(resumed.heads.class_embed.weight, expected)
    assert not torch.equal(expected, saved["heads.class_embed.weight"])
    assert known_class_names(()) is None
    assert known_class_names(("ytvis_2021_val", "ovis_val"))[0] == "airplane"
    assert known_class_names(("a set without names",)) is None


def test_class_names_of_a_set_that_is_not_loaded_yet(tmp_path, monkeypatch):
    """Of the json of one's own set, or of a public one that has them from there alone."""
    names, json_file = ["cow", "dog"], tmp_path / "avis" / "valid.json"
    json_file.parent.mkdir()
    (tmp_path / "avis" / "valid" / "JPEGImages").mkdir(parents=True)
    categories = [{"id": 5, "name": "dog"}, {"id": 2, "name": "cow"}]
    json_file.write_text(json.dumps({"categories": categories, "videos": []}))
    register_ytvis_instances("not_loaded", {}, str(json_file), str(tmp_path))
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    try:
        assert known_class_names(("not_loaded",)) == known_class_names(("avis_val",)) == names
        assert MetadataCatalog.get("not_loaded").get("thing_classes") is None
        json_file.unlink()  # a machine without the data
        assert known_class_names(("not_loaded",)) is None is known_class_names(("avis_val",))
        json_file.write_text("{")
        with pytest.raises(DatasetError, match=r"valid\.json: not a complete json"):
            known_class_names(("not_loaded",))
    finally:
        DatasetCatalog.remove("not_loaded")
        MetadataCatalog.remove("not_loaded")


def test_weights_of_other_classes_than_a_set_of_ones_own(patch_cfg, tmp_path):
    """As --eval-only and OnlinePredictor load them, before the set is read."""
    json_file = tmp_path / "own.json"
    categories = [{"id": k, "name": name} for k, name in enumerate("abc", start=1)]
    json_file.write_text(json.dumps({"categories": categories, "videos": []}))
    model = build_model(patch_cfg)
    RCFCheckpointer(model, str(tmp_path), class_names=["a", "b", "x"]).save("w")
    patch_cfg.MODEL.WEIGHTS = str(tmp_path / "w.pth")
    patch_cfg.DATASETS.TEST = ("own_classes",)
    register_ytvis_instances("own_classes", {}, str(json_file), str(tmp_path))
    try:
        with pytest.raises(ValueError, match="number 2 is 'x' there and 'c' here"):
            OnlinePredictor(patch_cfg)
    finally:
        DatasetCatalog.remove("own_classes")
        MetadataCatalog.remove("own_classes")


@pytest.fixture
def audio_cfg(patch_cfg):
    """The same model with an audio branch."""
    cfg = patch_cfg.clone()
    audio = cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.LSTM_HIDDEN = True, "small", 12, 8
    return cfg


@pytest.fixture
def log():
    """What a checkpointer says, which logs to fvcore's logger."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("fvcore.common.checkpoint")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_model_with_audio_begins_with_weights_without(audio_cfg, weights, log):
    path, saved = weights
    model = build_model(audio_cfg)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    RCFCheckpointer(model).load(path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, (before if name.startswith("audio.") else saved)[name]), name
    assert sum(f"{path} is of a model without audio" in line for line in log) == 1


def test_weights_of_a_model_with_audio(audio_cfg, patch_cfg, tmp_path, log):
    saved = build_model(audio_cfg)
    RCFCheckpointer(saved, str(tmp_path)).save("audio_visual")
    path = str(tmp_path / "audio_visual.pth")
    torch.manual_seed(1)
    model = build_model(audio_cfg)
    RCFCheckpointer(model).load(path)
    for name, value in model.state_dict().items():
        assert torch.equal(value, saved.state_dict()[name]), name
    RCFCheckpointer(build_model(patch_cfg)).load(path)
    assert sum("its audio branch is left out" in line for line in log) == 1
    audio_cfg.MODEL.RCF.AUDIO.FEATURE_DIM = 13
    with pytest.raises(ValueError, match=r"audio\.\S+ has the shape .* as MODEL.RCF.AUDIO says"):
        RCFCheckpointer(build_model(audio_cfg)).load(path)
