"""The models that come with the package: whole, small enough, and of use."""

from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model
from detectron2.utils.file_io import PathManager

from rcf_vis.checkpoint import RCFCheckpointer, read_bare_weights
from rcf_vis.config import read_config
from rcf_vis.data import ClipDatasetMapper, register_ytvis_instances
from rcf_vis.synthvis import SynthVISAudioSpec, SynthVISSpec, generate_split
from tests.scripts import ROOT

NAME = "for_bundled_models"
SPECS = {"rcf_tiny": (SynthVISSpec, 12e6), "rcf_tiny_av": (SynthVISAudioSpec, 20e6)}


def bundled_cfg(config):
    return read_config(str(ROOT / f"configs/synthvis/{config}.yaml"), ["MODEL.DEVICE", "cpu"])


def bundled_model(cfg):
    model = build_model(cfg).eval()
    RCFCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    return model


@pytest.mark.parametrize("config", SPECS)
def test_weights_are_whole_and_of_the_right_categories(config):
    cfg = bundled_cfg(config)
    spec_class, max_bytes = SPECS[config]
    path = PathManager.get_local_path(cfg.MODEL.WEIGHTS)
    content = read_bare_weights(path)
    found = {name: tuple(tensor.shape) for name, tensor in content["model"].items()}
    expected = build_model(cfg).state_dict()
    assert found == {name: tuple(tensor.shape) for name, tensor in expected.items()}
    assert all(tensor.isfinite().all() for tensor in content["model"].values())
    assert content["class_names"] == [category["name"] for category in spec_class.categories]
    assert Path(path).stat().st_size <= max_bytes


@pytest.fixture
def clips(tmp_path):
    """One clip of each of 12 videos with audio that the model has not seen."""
    spec = SynthVISAudioSpec(val_videos=12, length=4, seed=1234, silent_share=0.0)
    json_file = generate_split(spec, tmp_path, "val", workers=1)
    folder = tmp_path / spec.folder / "val"
    register_ytvis_instances(
        NAME, {}, str(json_file), str(folder / "JPEGImages"), str(folder / "audio")
    )
    np.random.seed(0)
    mapper = ClipDatasetMapper(bundled_cfg("rcf_tiny_av"), is_train=True)
    yield [mapper(record) for record in DatasetCatalog.get(NAME)]
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def test_the_model_with_audio_listens(clips):
    """It is surer of the classes with a video's own audio than with that of another video."""
    model = bundled_model(bundled_cfg("rcf_tiny_av"))
    model.training = True  # losses, yet BatchNorm's running statistics
    patches = [clip["audio"] for clip in clips]
    exchanged = [
        {**clip, "audio": audio}
        for clip, audio in zip(clips, patches[1:] + patches[:1], strict=True)
    ]
    with torch.no_grad():
        own, other = (float(model(batch)["loss_class"]) for batch in (clips, exchanged))
    assert own < 0.9 * other
