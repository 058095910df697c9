"""From files to numbers: learning one clip, and stream against data set."""

import json

import cv2
import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

from rcf_vis import OnlinePredictor, optimize_for_inference
from rcf_vis.checkpoint import RCFCheckpointer
from rcf_vis.data import register_ytvis_instances
from rcf_vis.engine import Trainer
from rcf_vis.evaluation import TrackAccumulator
from tests.data.clip_data import make_content, write_frames

NAME = "end_to_end_clips"


@pytest.fixture
def clips(tmp_path):
    """A registered data set of two videos; the objects move by some pixels a frame."""
    content = make_content(lengths=(5, 3), size=(64, 96), absent=((1, 2),))
    write_frames(content, tmp_path / "frames")
    (tmp_path / "instances.json").write_text(json.dumps(content))
    register_ytvis_instances(NAME, {}, str(tmp_path / "instances.json"), str(tmp_path / "frames"))
    yield content, tmp_path / "frames"
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


@pytest.fixture
def cfg(patch_cfg, clips, tmp_path):
    patch_cfg.DATASETS.TRAIN, patch_cfg.DATASETS.TEST = (NAME,), (NAME,)
    patch_cfg.MODEL.RCF.NUM_CLASSES = 2
    patch_cfg.DATALOADER.NUM_WORKERS = 0
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    return patch_cfg


def test_overfits_one_clip(cfg):
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MAX_SIZE_TRAIN = (128,), 192
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 128, 192
    cfg.INPUT.RANDOM_FLIP = "none"
    cfg.MODEL.RCF.MASK_WEIGHT = 1.0
    cfg.MODEL.RCF.PRE_NORM = True
    solver = cfg.SOLVER
    solver.IMS_PER_BATCH, solver.MAX_ITER, solver.BASE_LR = 4, 350, 3e-3
    solver.BACKBONE_MULTIPLIER, solver.WARMUP_ITERS = 1.0, 20
    solver.LR_SCHEDULER_NAME = "WarmupPolyLR"
    cfg.SEED = 7
    torch.manual_seed(7)
    np.random.seed(7)
    trainer = Trainer(cfg)
    trainer.train()
    results = Trainer.test(cfg, trainer.model)
    assert results["segm"]["AP"] > 90.0
    assert results["segm"]["AP-ball"] > 90.0 and results["segm"]["AP-box"] > 90.0


def test_number_of_classes_must_be_that_of_the_data(cfg):
    cfg.MODEL.RCF.NUM_CLASSES = 5
    for build in (Trainer.build_train_loader, lambda cfg: Trainer.build_test_loader(cfg, NAME)):
        with pytest.raises(ValueError, match=rf"'{NAME}' has 2 classes .ball, box., .* is 5"):
            build(cfg)


def test_stream_is_batch(cfg, clips, tmp_path):
    """Frames from a reader, one by one, against the data set's loader: the same bits."""
    content, frames = clips
    cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 80, 200
    model = build_model(cfg)
    RCFCheckpointer(model, str(tmp_path)).save("weights")
    cfg.MODEL.WEIGHTS = str(tmp_path / "weights.pth")

    Trainer.test(cfg, model)
    results_file = tmp_path / "output" / "inference" / NAME / "results.json"
    batch = json.loads(results_file.read_text())

    predictor = OnlinePredictor(cfg)
    loader = Trainer.build_test_loader(cfg, NAME)
    model = optimize_for_inference(model)
    stream = []
    with torch.no_grad():
        for (video,) in loader:
            predictor.reset()
            tracks = TrackAccumulator(video_id=video["video_id"], num_frames=video["length"])
            (from_loader,) = model([video])
            names = content["videos"][video["video_id"] - 1]["file_names"]
            for name, expected in zip(names, from_loader, strict=True):
                instances = predictor(cv2.imread(str(frames / name)))
                assert len(instances) == cfg.MODEL.RCF.NUM_OBJECT_QUERIES
                for field, value in expected.get_fields().items():
                    found = instances.get(field)
                    if field == "pred_boxes":
                        found, value = found.tensor, value.tensor
                    assert torch.equal(found, value), field
                tracks.add(instances)
            stream += tracks.results({0: 3, 1: 7})
    assert sorted(stream, key=str) == sorted(batch, key=str)
    assert len(batch) >= 10
