"""The models that come with the package: whole, small enough, and of use."""

from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model
from detectron2.utils.file_io import PathManager

from rcf_vis import OnlinePredictor
from rcf_vis.analysis.cost import step_cost
from rcf_vis.checkpoint import RCFCheckpointer, read_bare_weights
from rcf_vis.config import read_config
from rcf_vis.data import ClipDatasetMapper, register_ytvis_instances
from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.inference.video_io import open_frames
from rcf_vis.synthvis import SynthVISAudioSpec, SynthVISSpec, generate_split
from tests.scripts import ROOT

NAME = "for_bundled_models"
MODELS = {  # largest file in bytes, classes
    "synthvis/rcf_tiny": (12e6, [category["name"] for category in SynthVISSpec.categories]),
    "synthvis/rcf_tiny_av": (20e6, [category["name"] for category in SynthVISAudioSpec.categories]),
    "real/rcf_lite": (12e6, ["person", "cat", "dog", "vehicle", "animal"]),
}


def bundled_cfg(config):
    return read_config(str(ROOT / f"configs/{config}.yaml"), ["MODEL.DEVICE", "cpu"])


def bundled_model(cfg):
    model = build_model(cfg).eval()
    RCFCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    return model


@pytest.mark.parametrize("config", MODELS)
def test_weights_are_whole_and_of_the_right_categories(config):
    cfg = bundled_cfg(config)
    max_bytes, names = MODELS[config]
    path = PathManager.get_local_path(cfg.MODEL.WEIGHTS)
    content = read_bare_weights(path)
    found = {name: tuple(tensor.shape) for name, tensor in content["model"].items()}
    expected = build_model(cfg).state_dict()
    assert found == {name: tuple(tensor.shape) for name, tensor in expected.items()}
    assert all(tensor.isfinite().all() for tensor in content["model"].values())
    assert content["class_names"] == names
    assert Path(path).stat().st_size <= max_bytes


def test_the_model_for_real_videos_is_small():
    cost = step_cost(build_model(bundled_cfg("real/rcf_lite")).eval(), size=(360, 640))
    assert sum(cost.parameters.values()) <= 5.5e6
    assert sum(cost.macs.values()) <= 3e9


def test_the_model_for_real_videos_finds_what_is_there():
    """A worker, a car and a bicycle, in the clips of the demo; their identities hold."""
    predictor = OnlinePredictor(bundled_cfg("real/rcf_lite"))
    found = {}
    for clip in ("worker", "parking"):
        predictor.reset()
        frames = list(open_frames(ROOT / f"examples/clips/{clip}.mp4"))[16:22]
        tracks = TrackAccumulator(video_id=1)
        for frame in frames:
            tracks.add(predictor(frame))
        results = tracks.results(range(5))
        whole = [r for r in results if all(r["segmentations"])]
        found[clip] = [predictor.metadata.thing_classes[r["category_id"]] for r in whole]
    assert found == {"worker": ["person"], "parking": ["vehicle", "vehicle"]}


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
    mapper = ClipDatasetMapper(bundled_cfg("synthvis/rcf_tiny_av"), is_train=True)
    yield [mapper(record) for record in DatasetCatalog.get(NAME)]
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def test_the_model_with_audio_listens(clips):
    """It is surer of the classes with a video's own audio than with that of another video."""
    model = bundled_model(bundled_cfg("synthvis/rcf_tiny_av"))
    model.training = True  # losses, yet BatchNorm's running statistics
    patches = [clip["audio"] for clip in clips]
    exchanged = [
        {**clip, "audio": audio}
        for clip, audio in zip(clips, patches[1:] + patches[:1], strict=True)
    ]
    with torch.no_grad():
        own, other = (float(model(batch)["loss_class"]) for batch in (clips, exchanged))
    assert own < 0.9 * other
