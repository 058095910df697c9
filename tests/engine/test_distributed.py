"""Accumulation and the moving average in two processes, which are costly to start: one test."""

import torch
from detectron2.engine import hooks, launch
from detectron2.utils import comm
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook

from tests.engine.training import FixedClipsTrainer, save_gradients


def _gradients_and_exchanges(cfg, steps):
    """Of one iteration: the gradients, and how many buckets of them the processes exchanged."""

    def exchange(group, bucket):
        buckets.append(bucket.index())
        return allreduce_hook(group, bucket)

    buckets = []
    cfg.SOLVER.ACCUMULATE_STEPS = steps
    torch.manual_seed(0)
    trainer = FixedClipsTrainer(cfg)
    trainer.model.register_comm_hook(None, exchange)
    trainer.train()
    gradients = {name: p.grad for name, p in trainer.model.module.named_parameters()}
    return gradients, len(buckets)


def _averages(cfg):
    """The moving average after three iterations, and the weights after each of them."""
    cfg.SOLVER.MAX_ITER, cfg.SOLVER.EMA.ENABLED, cfg.SOLVER.EMA.DECAY = 3, True, 0.75
    torch.manual_seed(comm.get_rank())  # what is trained begins as in process 0
    trainer, seen = FixedClipsTrainer(cfg), []
    weight = trainer.model.module.instance_decoder.queries.weight
    note = hooks.CallbackHook(after_step=lambda _: seen.append(weight.detach().clone()))
    trainer.register_hooks([note])
    trainer.train()
    return trainer.ema.model.instance_decoder.queries.weight, seen


def _run(cfg, path):
    torch.set_num_threads(1)
    whole, parts = _gradients_and_exchanges(cfg, 1), _gradients_and_exchanges(cfg, 2)
    averages = comm.gather(_averages(cfg))
    if comm.is_main_process():
        torch.save({"whole": whole, "parts": parts, "averages": averages}, path)


def test_two_processes(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    patch_cfg.SOLVER.MAX_ITER, patch_cfg.SOLVER.BASE_LR = 1, 1e-2
    patch_cfg.SOLVER.IMS_PER_BATCH = 4
    save_gradients(patch_cfg, str(tmp_path / "joint.pth"))
    expected = torch.load(tmp_path / "joint.pth")
    launch(_run, num_gpus_per_machine=2, dist_url="auto", args=(patch_cfg, str(tmp_path / "2.pth")))
    found = torch.load(tmp_path / "2.pth")

    gradients, exchanges = found["parts"]
    for name, gradient in expected.items():
        torch.testing.assert_close(gradients[name], gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert exchanges == found["whole"][1] > 0  # once a step, not once a part

    (average, (first, second, third)), (of_the_other, _) = found["averages"]
    assert torch.equal(average, of_the_other)
    mean = 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third
    torch.testing.assert_close(average, mean)
    assert not torch.allclose(average, third)
