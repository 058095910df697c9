"""The training loop: several processes, resuming, mixed precision."""

import json

import pytest
import torch
from detectron2.engine import launch

from tests.engine.training import FixedClipsTrainer, save_gradients


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    patch_cfg.SOLVER.BASE_LR = 1e-3
    patch_cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupPolyLR"
    patch_cfg.SOLVER.WARMUP_ITERS = 2
    patch_cfg.SOLVER.MAX_ITER = 6
    patch_cfg.SOLVER.CHECKPOINT_PERIOD = 3
    return patch_cfg


def test_two_processes_give_the_gradient_of_the_joint_batch(cfg, tmp_path):
    cfg.SOLVER.MAX_ITER = 1
    one, two = str(tmp_path / "one.pth"), str(tmp_path / "two.pth")
    save_gradients(cfg, one)
    launch(save_gradients, num_gpus_per_machine=2, dist_url="auto", args=(cfg, two))
    expected, found = torch.load(one), torch.load(two)
    assert set(expected) == set(found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert max(float(g.abs().max()) for g in found.values()) > 1e-3


def _train(cfg, *, resume=False):
    torch.manual_seed(0)
    trainer = FixedClipsTrainer(cfg)
    trainer.resume_or_load(resume=resume)
    start = trainer.start_iter
    trainer.train()
    return start, trainer.model.state_dict()


class BreakingTrainer(FixedClipsTrainer):
    """Its loader breaks in the fifth iteration, after the checkpoint of the third."""

    @classmethod
    def build_train_loader(cls, cfg):
        yield from super().build_train_loader(cfg)[:4]
        raise OSError("the disk is gone")


def test_resuming_ends_where_an_unbroken_run_does(cfg, tmp_path):
    start, unbroken = _train(cfg)
    assert start == 0
    cfg.OUTPUT_DIR = str(tmp_path / "broken")
    torch.manual_seed(0)
    with pytest.raises(OSError, match="the disk is gone"):
        BreakingTrainer(cfg).train()
    start, resumed = _train(cfg, resume=True)
    assert start == 3
    for name, tensor in unbroken.items():
        torch.testing.assert_close(resumed[name], tensor, msg=name)


def test_writers_leave_curves(cfg, tmp_path):
    _train(cfg)
    lines = (tmp_path / "output" / "metrics.json").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["iteration"] == 5
    assert last["total_loss"] > 0 and last["loss_dice"] > 0
    assert list((tmp_path / "output").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("steps", [1, 2])
def test_mixed_precision_on_a_cpu(cfg, steps, recwarn):
    """bfloat16, with and without accumulation, and no word on deprecated functions."""
    cfg.SOLVER.AMP.ENABLED, cfg.SOLVER.MAX_ITER = True, 2
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.ACCUMULATE_STEPS = 2, steps
    trainer, dtypes = FixedClipsTrainer(cfg), set()
    trainer.model.heads.register_forward_hook(lambda _, __, out: dtypes.add(out[0].dtype))
    before = trainer.model.instance_decoder.queries.weight.detach().clone()
    trainer.train()
    assert dtypes == {torch.bfloat16}
    assert not torch.equal(trainer.model.instance_decoder.queries.weight, before)
    assert not [w for w in recwarn if "cuda" in str(w.message)]
