"""SOLVER.EMA: the moving average of the weights, saved, resumed and evaluated."""

import pytest
import torch
from detectron2.engine import default_argument_parser
from detectron2.modeling import build_model
from torch import nn

from rcf_vis.checkpoint import RCFCheckpointer
from rcf_vis.engine import ModelEMA
from tests.engine.training import FixedClipsTrainer
from tests.scripts import load_script


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    solver = patch_cfg.SOLVER
    solver.BASE_LR, solver.MAX_ITER, solver.CHECKPOINT_PERIOD = 1e-2, 6, 3
    solver.EMA.ENABLED, solver.EMA.DECAY = True, 0.8
    return patch_cfg


def changed(model):
    """The model after a step of "training": everything that floats has moved."""
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn_like(tensor))
            else:
                tensor.add_(1)
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_weights_and_running_statistics_are_averaged():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    ema = ModelEMA(model, decay=0.9)
    expected = changed(model)  # loaded weights, say: the average begins after the first step
    ema.update()
    for _ in range(3):
        weights = changed(model)
        ema.update()
        for name, tensor in weights.items():
            floats = tensor.is_floating_point()
            expected[name] = 0.9 * expected[name] + 0.1 * tensor if floats else tensor
    assert set(ema.state_dict()) == set(model.state_dict())
    for name, tensor in ema.state_dict().items():
        torch.testing.assert_close(tensor, expected[name], msg=name)
    assert ema.state_dict()["1.num_batches_tracked"] == 4


def test_the_average_is_no_part_of_what_is_trained():
    model = nn.Linear(2, 2)
    ema = ModelEMA(model, decay=0.5)
    ema.update()
    assert not any(p.requires_grad for p in ema.model.parameters())
    assert all(p.requires_grad for p in model.parameters())
    assert not set(map(id, ema.model.parameters())) & set(map(id, model.parameters()))
    device = ModelEMA(model.to("meta"), decay=0.5).model.weight.device
    assert device == torch.device("meta")


@pytest.mark.parametrize("decay", [1.0, -0.1, 2])
def test_decay_out_of_range(cfg, decay):
    cfg.SOLVER.EMA.DECAY = float(decay)
    with pytest.raises(ValueError, match="SOLVER.EMA.DECAY is .*, expected 0 <= DECAY < 1"):
        FixedClipsTrainer(cfg)


class BreakingTrainer(FixedClipsTrainer):
    """Its loader breaks in the fifth iteration, after the checkpoint of the third."""

    @classmethod
    def build_train_loader(cls, cfg):
        yield from super().build_train_loader(cfg)[:4]
        raise OSError("the disk is gone")


def _train(cfg, *, resume=False):
    torch.manual_seed(0)
    trainer = FixedClipsTrainer(cfg)
    trainer.resume_or_load(resume=resume)
    trainer.train()
    return trainer


def test_resuming_goes_on_with_the_average(cfg, tmp_path):
    unbroken = _train(cfg)
    cfg.OUTPUT_DIR = str(tmp_path / "broken")
    torch.manual_seed(0)
    with pytest.raises(OSError, match="the disk is gone"):
        BreakingTrainer(cfg).train()
    resumed = _train(cfg, resume=True)
    assert resumed.start_iter == 3
    saved = torch.load(tmp_path / "broken" / "model_final.pth")
    for name, tensor in unbroken.ema.state_dict().items():
        torch.testing.assert_close(resumed.ema.state_dict()[name], tensor, msg=name)
        torch.testing.assert_close(saved["ema"][name], tensor, msg=name)
    query = "instance_decoder.queries.weight"
    assert not torch.allclose(saved["ema"][query], saved["model"][query], atol=1e-4)


class NotingTrainer(FixedClipsTrainer):
    """Notes the weights that it is asked to evaluate, after how many steps."""

    seen: list = []

    @classmethod
    def test(cls, cfg, model, evaluators=None):
        cls.seen.append(model.instance_decoder.queries.weight.detach().clone())
        return {"segm": {"AP": 1.0}}


@pytest.mark.parametrize("average", [True, False])
def test_which_weights_are_evaluated(cfg, average):
    cfg.SOLVER.EMA.EVALUATE = average
    cfg.SOLVER.MAX_ITER, cfg.TEST.EVAL_PERIOD = 4, 2
    cfg.TEST.EXPECTED_RESULTS = [["segm", "AP", 1.0, 0.1]]
    NotingTrainer.seen = []
    torch.manual_seed(0)
    trainer = NotingTrainer(cfg)
    assert trainer.train() == {"segm": {"AP": 1.0}}
    model = trainer.ema.model if average else trainer.model
    assert len(NotingTrainer.seen) == 2  # in the middle and after the last step
    assert torch.equal(NotingTrainer.seen[1], model.instance_decoder.queries.weight)
    assert not torch.equal(NotingTrainer.seen[0], NotingTrainer.seen[1])


@pytest.fixture
def checkpoint(cfg, tmp_path):
    """A file with two sets of weights."""
    model = build_model(cfg)
    ema = ModelEMA(model, decay=0.5)
    RCFCheckpointer(model, str(tmp_path), ema=ema).save("both")
    changed(model)
    ema.update()
    RCFCheckpointer(model, str(tmp_path), ema=ema).save("both")
    state = torch.load(tmp_path / "both.pth")
    changed(model)
    state["model"] = model.state_dict()
    torch.save(state, tmp_path / "both.pth")
    return str(tmp_path / "both.pth"), state


@pytest.mark.parametrize("average", [True, False])
def test_eval_only_loads_what_the_key_says(cfg, checkpoint, tmp_path, monkeypatch, average):
    path, state = checkpoint
    cfg.SOLVER.EMA.EVALUATE, cfg.MODEL.WEIGHTS = average, path
    script = load_script("train_net.py")
    evaluated = []
    monkeypatch.setattr(script.Trainer, "test", lambda cfg, model: evaluated.append(model) or {})
    arguments = default_argument_parser().parse_args(["--eval-only"])
    script.run(cfg, arguments)
    expected = state["ema" if average else "model"]
    for name, tensor in evaluated[0].state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_training_starts_from_the_weights_themselves(cfg, checkpoint):
    path, state = checkpoint
    cfg.MODEL.WEIGHTS = path
    trainer = FixedClipsTrainer(cfg)
    trainer.resume_or_load(resume=False)
    for name, tensor in trainer.model.state_dict().items():
        assert torch.equal(tensor, state["model"][name]), name


def test_weights_without_an_average_are_loaded_as_they_are(cfg, tmp_path):
    model = build_model(cfg)
    RCFCheckpointer(model, str(tmp_path)).save("plain")
    other = build_model(cfg)
    RCFCheckpointer(other, load_ema=True).load(str(tmp_path / "plain.pth"))
    assert torch.equal(other.heads.class_embed.weight, model.heads.class_embed.weight)
