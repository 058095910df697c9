"""A run that is resumed goes on as if it had never ended, as the command says."""

import json
import logging
import math
import os

import numpy as np
import pytest
import torch
from detectron2.data.samplers import TrainingSampler

from rcf_vis.data import StreamSampler
from rcf_vis.data.stream import Clips, seeded
from rcf_vis.engine import build_loop
from rcf_vis.engine.exact_resume import follow_command
from rcf_vis.files import only_run_in
from tests.engine.training import FixedClipsTrainer
from tests.scripts import load_script


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path / "out")
    patch_cfg.DATASETS.TEST = ()
    patch_cfg.SOLVER.IMS_PER_BATCH = 4
    patch_cfg.SOLVER.MAX_ITER = 4
    patch_cfg.SOLVER.WARMUP_ITERS = 0
    patch_cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupPolyLR"
    patch_cfg.SOLVER.CHECKPOINT_PERIOD = 2
    return patch_cfg


def trained(cfg, resume=False):
    os.makedirs(cfg.OUTPUT_DIR, exist_ok=True)
    trainer = FixedClipsTrainer(cfg)
    trainer.resume_or_load(resume=resume)
    trainer.train()
    return trainer


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_some_moments(workers, tmp_path, monkeypatch):
    """benchmarks/kill_and_resume.py does it at two hundred."""
    program = load_script("benchmarks/kill_and_resume.py")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "datasets"))
    program.ensure_synthvis(tmp_path / "datasets", spec=program.SPEC)
    row = program.measure(tmp_path / "runs", workers, 1, count=3, seed=workers)
    assert row == {"processes": 1, "workers": workers, "runs": 3, "killed": 3}


def test_the_stream_goes_on_at_any_place():
    def build(seed):
        return TrainingSampler(5, seed=seed)

    whole, late = StreamSampler(build, seed=3), StreamSampler(build)
    places = [place for place, _ in zip(iter(whole), range(20), strict=False)]
    assert [place[1] for place in places] == list(range(20))
    assert [place[2] for place in places[:5]] != [place[2] for place in places[5:10]]
    late.seed, late.start = 3, 7
    assert [place for place, _ in zip(iter(late), range(13), strict=False)] == places[7:]


def test_a_clip_depends_on_its_place_alone():
    def mapper(record):
        return record["name"], np.random.rand(), torch.rand(()).item()

    clips = Clips([{"name": "a"}, {"name": "b"}], mapper)
    first = clips[7, 0, 1]
    np.random.seed(1)
    torch.manual_seed(1)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    assert clips[7, 0, 1] == first and first[0] == "b"
    assert clips[7, 1, 1] != first and clips[8, 0, 1] != first
    assert (np.random.get_state()[1] == before[0]).all()
    assert torch.equal(torch.get_rng_state(), before[1])


def test_a_mapper_may_pass_a_record_over():
    clips = Clips([{"n": n} for n in range(9)], lambda record: record["n"] if record["n"] else None)
    assert clips[0, 5, 0] == clips[0, 5, 0] != 0
    with pytest.raises(RuntimeError, match="gave None for 100 records"):
        Clips([{}], lambda record: None)[0, 0, 0]


def test_seeded_is_over_after_an_error():
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(1, 2):
        torch.rand(3)
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), before)


def test_a_longer_schedule_counts_on_resume(cfg, caplog):
    """Learning rates are those of the new length, at each iteration."""
    trained(cfg)
    cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR, cfg.SOLVER.WEIGHT_DECAY = 10, 0.002, 0.07
    rates = []

    class Noting(FixedClipsTrainer):
        def run_step(self):
            rates.append(max(group["lr"] for group in self.optimizer.param_groups))
            super().run_step()

    trainer = Noting(cfg)
    with caplog.at_level(logging.INFO, logger="rcf_vis.engine.exact_resume"):
        trainer.resume_or_load(resume=True)
    assert trainer.start_iter == 4
    assert "schedule: max_iters is 10, no longer 4" in caplog.text
    assert "base_lrs is" in caplog.text
    trainer.train()
    power = cfg.SOLVER.POLY_LR_POWER
    expected = [0.002 * (1 - k / 10) ** power for k in range(4, 10)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)
    assert {group["weight_decay"] for group in trainer.optimizer.param_groups} <= {0.0, 0.07}
    assert 0.07 in {group["weight_decay"] for group in trainer.optimizer.param_groups}


def test_a_run_longer_than_the_command_is_refused(cfg):
    trained(cfg)
    cfg.SOLVER.MAX_ITER = 3
    with pytest.raises(ValueError, match=r"SOLVER.MAX_ITER is 3, but .* has 4 iterations"):
        FixedClipsTrainer(cfg).resume_or_load(resume=True)


def test_the_last_checkpoint_is_written_after_all(cfg, tmp_path):
    trained(cfg)
    out = tmp_path / "out"
    expected = torch.load(out / "model_final.pth")
    (out / "model_final.pth").unlink()
    trainer = FixedClipsTrainer(cfg)
    trainer.resume_or_load(resume=True)
    assert trainer.start_iter == 4
    found = torch.load(out / "model_final.pth")
    assert found["iteration"] == expected["iteration"] == 3
    for name, data in expected["model"].items():
        assert torch.equal(found["model"][name], data), name


def test_follow_command():
    saved = {"last_epoch": 5, "_step_count": 6, "max_iters": 10, "power": 0.9}
    own = {"last_epoch": 0, "_step_count": 1, "max_iters": 20, "power": 0.9, "warmup_iters": 3}
    expected = {"last_epoch": 5, "_step_count": 6, "max_iters": 20, "power": 0.9, "warmup_iters": 3}
    assert follow_command(saved, own, "schedule") == expected


class Broken(torch.nn.Module):
    """A loss whose value, or whose gradient, is not finite in the given iteration."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.what, self.calls = what, 0

    def forward(self, batch):
        self.calls += 1
        loss = self.weight.sum()
        if self.calls == 3:
            if self.what == "loss":
                loss = loss * math.nan
            elif self.what == "gradient":  # of sqrt at 0: infinite
                loss = loss + (self.weight - self.weight.detach()).abs().sum().sqrt()
        return {"loss_good": self.weight.sum() * 0, "loss_bad": loss}


@pytest.mark.parametrize("what", ["loss", "gradient"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_step_that_is_not_finite_is_not_made(what, steps):
    model = Broken(what)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    trainer = build_loop(model, [[0, 0]] * 9, optimizer, accumulate_steps=steps)
    message = {
        "loss": r"iteration \d: losses are not finite: \{'loss_bad': nan\}",
        "gradient": r"iteration \d: the gradients of 1 of 1 parameters .* weight the first",
    }[what]
    with pytest.raises(FloatingPointError, match=message):
        trainer.train(0, 9)
    made = 2 if steps == 1 else 1
    assert trainer.iter == made
    assert model.weight.tolist() == [1 - 0.25 * made] * 3


def test_predictions_that_are_not_finite(cfg):
    trainer = FixedClipsTrainer(cfg)
    with torch.no_grad():
        trainer.model.heads.class_embed.weight[:] = math.nan
    with pytest.raises(FloatingPointError, match="iteration 0: the network's .* are not finite"):
        trainer.train()


def test_no_checkpoint_of_weights_that_are_not_finite(cfg, tmp_path):
    trainer = trained(cfg)
    with torch.no_grad():
        trainer.model.instance_decoder.queries.weight[1, 2] = math.inf
    with pytest.raises(FloatingPointError, match=r"model_final.pth is not written: 1 of .*queries"):
        trainer.checkpointer.save("model_final")
    state = torch.load(tmp_path / "out" / "model_final.pth")["model"]
    assert state["instance_decoder.queries.weight"].isfinite().all()


def test_metrics_of_iterations_that_are_done_again(cfg, tmp_path):
    cfg.SOLVER.MAX_ITER = 30  # written each 20
    trained(cfg)
    path = tmp_path / "out" / "metrics.json"
    whole = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["iteration"] for line in whole] == [19, 29]
    (tmp_path / "out" / "last_checkpoint").write_text("model_0000023.pth")
    path.write_text(path.read_text() + '{"iteration": 39, "lo')
    trained(cfg, resume=True)
    again = [json.loads(line) for line in path.read_text().splitlines()]
    for one, other in zip(whole, again, strict=True):
        times = ("time", "data_time", "rank_data_time", "eta_seconds")
        assert {k: v for k, v in one.items() if k not in times} == {
            k: v for k, v in other.items() if k not in times
        }


def test_one_run_in_a_folder(tmp_path):
    folder = tmp_path / "out"
    with only_run_in(folder):
        with pytest.raises(RuntimeError, match=r"OUTPUT_DIR .*out' is in use by another run"):
            with only_run_in(folder):
                pass
        (folder / ".model.partial-12.pth").touch()
    with only_run_in(folder):
        assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_worker_does_not_hold_the_folder(tmp_path):
    """As a loader's worker that lives on for a moment when its run was killed."""
    (read, write), (started, starts) = os.pipe(), os.pipe()
    with only_run_in(tmp_path):
        pid = os.fork()
        if pid == 0:
            os.close(write)
            os.write(starts, b"x")
            os.read(read, 1)
            os._exit(0)
        os.read(started, 1)
    try:
        with only_run_in(tmp_path):
            pass
    finally:
        os.write(write, b"x")
        os.waitpid(pid, 0)
        for end in (read, write, started, starts):
            os.close(end)
