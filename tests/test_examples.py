"""The examples of reuse, a few steps each."""

import sys

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.modeling import RCF
from tests.scripts import load_script


def test_another_project_with_context_fusion_alone():
    example = load_script("examples/video_semantic_segmentation.py")
    model, losses, accuracy = example.main(steps=60)
    assert len(losses) == 60
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:5])
    assert accuracy > 0.6  # who always says the same colour has half of the squares right
    for name, parameter in model.fusion.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name

    model.eval()
    clip = {"image": [torch.zeros(3, 30, 45), torch.full((3, 30, 45), 128.0)]}
    (black,) = model([clip])
    assert black["sem_seg"].shape == (3, 30, 45)
    clip["image"][0] = clip["image"][0] + 255
    (white,) = model([clip])
    assert (black["sem_seg"] - white["sem_seg"]).abs().max() > 0.1  # the frame before is seen


@pytest.fixture
def names():
    yield
    for name in ("example_train", "example_val"):
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_a_backbone_of_ones_own(names, tmp_path):
    example = load_script("examples/own_backbone.py")
    trainer = example.main(str(tmp_path), steps=12)
    model = trainer.model
    assert type(model) is RCF and type(model.backbone) is example.PlainConvNet
    shapes = model.backbone.output_shape()
    assert [shape.stride for shape in shapes.values()] == [4, 8, 16, 32]
    assert [shape.channels for shape in shapes.values()] == [16, 24, 32, 48]  # of the yaml file
    for name, parameter in model.backbone.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    losses = [loss for loss, _ in trainer.storage.history("total_loss").values()]
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
    assert 0 <= trainer.storage.latest()["segm/AP"][0] <= 100
    assert (tmp_path / "inference" / "example_val" / "results.json").is_file()


def test_vehicles_are_counted(capsys, monkeypatch):
    """One car crosses the middle of the clip that comes with the package."""
    pytest.importorskip("supervision")
    monkeypatch.setattr(sys, "argv", ["count_vehicles.py"])
    load_script("examples/count_vehicles.py")
    assert capsys.readouterr().out.endswith("1 in, 0 out\n")


def test_people_of_two_streams_are_counted(capsys, monkeypatch):
    """A cyclist and a worker: one person in each of the clips that come with the package."""
    monkeypatch.setattr(sys, "argv", ["count_people.py"])
    load_script("examples/count_people.py")
    assert capsys.readouterr().out.endswith("parking.mp4: 1 people\nworker.mp4: 1 people\n")
