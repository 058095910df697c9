"""The whole path on real clips, where ``RCF_REAL_CLIPS`` points to a folder of them.

Registered, read, stepped through the network, encoded and evaluated; drawn once a video. Weights
are random: what is asked is that every clip goes through, not what comes out.
"""

import json
import os
from pathlib import Path

import cv2
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

from rcf_vis import OnlinePredictor
from rcf_vis.data import register_datasets_from_cfg
from rcf_vis.engine import Trainer
from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.visualization.tracks import TrackVisualizer

ROOT = os.environ.get("RCF_REAL_CLIPS", "")
FOLDERS = sorted(path.parent for path in Path(ROOT).glob("*/instances.json")) if ROOT else []

pytestmark = pytest.mark.skipif(not FOLDERS, reason="RCF_REAL_CLIPS names no folder of clips")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_clip_goes_through(folder, patch_cfg, tmp_path):
    torch.manual_seed(0)
    name, cfg = f"real_{folder.name}", patch_cfg
    cfg.DATASETS.REGISTER = [[name, str(folder / "instances.json"), str(folder / "JPEGImages")]]
    cfg.DATASETS.TEST = (name,)
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.MODEL.RCF.NUM_CLASSES = 41
    cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 180, 320
    cfg.OUTPUT_DIR = str(tmp_path)
    register_datasets_from_cfg(cfg)
    try:
        figures = Trainer.test(cfg, build_model(cfg))["segm"]
        content = json.loads((folder / "instances.json").read_text())
        _draw_first_frames(cfg, folder, content["videos"], name)
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
    results = json.loads((tmp_path / "inference" / name / "results.json").read_text())
    assert {r["video_id"] for r in results} == {v["id"] for v in content["videos"]}
    lengths = {v["id"]: v["length"] for v in content["videos"]}
    assert all(len(r["segmentations"]) == lengths[r["video_id"]] for r in results)
    assert 0.0 <= figures["AP"] <= 100.0
    assert figures["AP"] == pytest.approx(100 * evaluate_ytvis(content, results)["AP"])


def _draw_first_frames(cfg, folder, videos, name):
    predictor = OnlinePredictor(cfg)
    visualizer = TrackVisualizer(MetadataCatalog.get(name).thing_classes)
    for video in videos:
        predictor.reset()
        visualizer.reset()
        frame = cv2.imread(str(folder / "JPEGImages" / video["file_names"][0]))
        picture = visualizer.draw(frame, predictor(frame))
        assert picture.shape == frame.shape
        assert (picture != frame).any()
