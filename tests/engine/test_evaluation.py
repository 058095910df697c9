"""Evaluation by the trainer: several test sets, two processes, and in the midst of training."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import launch
from detectron2.modeling import build_model
from detectron2.utils import comm

from rcf_vis.data import register_ytvis_instances
from rcf_vis.engine import Trainer
from tests.data.clip_data import make_content, write_frames
from tests.engine.training import FixedClipsTrainer

LENGTHS = {"evaluation_a": (4, 3, 2), "evaluation_b": (2,)}


def register(root: str) -> None:
    for name in LENGTHS:
        folder = Path(root) / name
        register_ytvis_instances(name, {}, str(folder / "instances.json"), str(folder))


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    """Two registered test sets of small videos; every slot fires."""
    for name, lengths in LENGTHS.items():
        content = make_content(lengths=lengths, size=(32, 64))
        write_frames(content, tmp_path / name)
        (tmp_path / name / "instances.json").write_text(json.dumps(content))
    register(str(tmp_path))
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    patch_cfg.DATASETS.TEST = tuple(LENGTHS)
    patch_cfg.DATALOADER.NUM_WORKERS = 0
    patch_cfg.INPUT.MIN_SIZE_TEST = 32
    patch_cfg.MODEL.RCF.NUM_CLASSES = 2
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    patch_cfg.TEST.IDENTITY_METRICS = True
    yield patch_cfg
    for name in LENGTHS:
        DatasetCatalog.remove(name)
        MetadataCatalog.pop(name)


def _evaluate(cfg, root):
    """Evaluate in one of two new processes; the main one writes the figures."""
    torch.set_num_threads(1)
    register(root)
    torch.manual_seed(0)
    figures = Trainer.test(cfg, build_model(cfg))
    if comm.is_main_process():
        (Path(cfg.OUTPUT_DIR) / "figures.json").write_text(json.dumps(figures))
    else:
        assert not any(figures.values())


def _files(output):
    folder = Path(output) / "inference"
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_two_processes_and_two_test_sets(cfg, tmp_path):
    torch.manual_seed(0)
    alone = Trainer.test(cfg, build_model(cfg))
    assert list(alone) == list(LENGTHS)
    files = _files(cfg.OUTPUT_DIR)
    assert sorted(files) == [f"{name}/results.json" for name in LENGTHS]
    for name, lengths in LENGTHS.items():
        results = json.loads(files[f"{name}/results.json"])
        assert {r["video_id"] for r in results} == set(range(1, len(lengths) + 1))
        assert all(len(r["segmentations"]) == lengths[r["video_id"] - 1] for r in results)
        assert alone[name]["segm"]["AR100"] >= 0
        assert alone[name]["identity"]["HOTA"] > 0 and alone[name]["identity"]["slot_kept"] > 0

    cfg.OUTPUT_DIR = str(tmp_path / "two")
    launch(_evaluate, num_gpus_per_machine=2, dist_url="auto", args=(cfg, str(tmp_path)))
    assert _files(cfg.OUTPUT_DIR) == files
    assert (tmp_path / "two" / "figures.json").read_text() == json.dumps(alone)


@pytest.mark.parametrize("sets", [1, 2])
def test_two_thresholds_in_one_pass(cfg, tmp_path, sets):
    """The figures and files of two evaluations, from one pass of the network."""
    cfg.DATASETS.TEST = cfg.DATASETS.TEST[:sets]
    torch.manual_seed(0)
    model = build_model(cfg)
    scores = sorted(
        float(score)
        for batch in Trainer.build_test_loader(cfg, "evaluation_a")
        for frames in model.eval()(batch)
        for instances in frames
        for score in instances.scores
    )
    low, high = scores[len(scores) // 4], scores[len(scores) // 2]
    expected, files = [], []
    for thresh in (high, low):
        model.score_thresh = cfg.MODEL.RCF.TEST.SCORE_THRESH = thresh
        cfg.OUTPUT_DIR = str(tmp_path / f"alone_{thresh}")
        expected.append(Trainer.test(cfg, model))
        files.append(_files(cfg.OUTPUT_DIR))
    assert files[0] != files[1]

    model.score_thresh = cfg.MODEL.RCF.TEST.SCORE_THRESH = high
    cfg.MODEL.RCF.TEST.AP_SCORE_THRESH, cfg.OUTPUT_DIR = low, str(tmp_path / "both")
    passes = []
    model.backbone.register_forward_hook(lambda *_: passes.append(1))
    found = Trainer.test(cfg, model)
    name = f"score_thresh_{low:g}"
    second = found.pop(name)
    assert json.dumps(found) == json.dumps(expected[0])
    assert json.dumps(second) == json.dumps(expected[1])
    assert _files(cfg.OUTPUT_DIR) == files[0]
    assert _files(Path(cfg.OUTPUT_DIR) / name) == files[1]
    assert len(passes) == sum(sum(LENGTHS[dataset]) for dataset in cfg.DATASETS.TEST)


@pytest.mark.parametrize("thresh", [-1.0, 0.0])
def test_one_evaluation_where_the_thresholds_do_not_differ(cfg, thresh):
    cfg.MODEL.RCF.TEST.AP_SCORE_THRESH = thresh
    assert list(Trainer.test(cfg, build_model(cfg))) == list(LENGTHS)


def test_evaluation_in_training(cfg):
    cfg.SOLVER.MAX_ITER, cfg.TEST.EVAL_PERIOD = 4, 2
    trainer = FixedClipsTrainer(cfg)
    trainer.train()
    assert trainer.model.training
    for name in LENGTHS:
        for figure in ("segm/AP50", "identity/HOTA", "identity/IDSW", "identity/iou_rescued"):
            history = trainer.storage.history(f"{name}/{figure}").values()
            assert [iteration for _, iteration in history] == [1, 4]


def test_wrong_test_sets_stop_training_before_it_starts(cfg):
    cfg.TEST.EVAL_PERIOD = 2
    cfg.DATASETS.TEST = ("evaluation_a", "nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        FixedClipsTrainer(cfg)
    cfg.DATASETS.TEST = ("evaluation_a",)
    cfg.MODEL.RCF.NUM_CLASSES = 3
    with pytest.raises(ValueError, match="'evaluation_a' has 2 classes .*NUM_CLASSES is 3"):
        FixedClipsTrainer(cfg)
