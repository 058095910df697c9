"""SOLVER.ACCUMULATE_STEPS: the gradient of the joint batch, whatever it is split into."""

from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from torch import nn

from rcf_vis.engine import (
    AccumulatingAMPTrainer,
    AccumulatingTrainer,
    FullModelClippingAdamW,
    check_batch_size,
)
from tests.engine.training import FixedClipsTrainer, save_gradients


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    patch_cfg.SOLVER.MAX_ITER = 1
    patch_cfg.SOLVER.IMS_PER_BATCH = 4
    return patch_cfg


class Regression(nn.Module):
    """Two losses, each a mean over the inputs."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, inputs):
        out = self.net(torch.stack([item["x"] for item in inputs]))
        truth = torch.stack([item["y"] for item in inputs])
        return {"square": (out - truth).square().mean(), "abs": (out - truth).abs().mean()}


def regression_data(size=12):
    return [{"x": torch.randn(3), "y": torch.randn(2)} for _ in range(size)]


def gradients_of_one_step(trainer):
    trainer.train(0, 1)
    return {name: p.grad for name, p in trainer.model.named_parameters()}


@pytest.mark.parametrize("steps", [2, 3, 12])
def test_gradient_of_the_joint_batch_exactly(double_precision, steps):
    model, batch = Regression(), regression_data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    sum(model(batch).values()).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    found = gradients_of_one_step(AccumulatingTrainer(model, [batch], optimizer, steps=steps))
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-12, atol=1e-14, msg=name)


@pytest.mark.parametrize("clip_value", [1e6, 0.05])
@pytest.mark.parametrize("steps", [2, 4])
def test_rcf_gradient_in_double_precision(double_precision, cfg, tmp_path, steps, clip_value):
    """Through the whole model and its trainer; clipped, if at all, when it is complete."""
    clip = cfg.SOLVER.CLIP_GRADIENTS
    clip.ENABLED, clip.CLIP_TYPE, clip.CLIP_VALUE = True, "full_model", clip_value
    joint, parts = str(tmp_path / "joint.pth"), str(tmp_path / "parts.pth")
    save_gradients(cfg, joint)
    cfg.SOLVER.ACCUMULATE_STEPS = steps
    save_gradients(cfg, parts)
    expected, found = torch.load(joint), torch.load(parts)
    assert set(expected) == set(found)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-12, msg=name)
    norm = torch.stack([g.norm() for g in found.values()]).norm()
    assert norm.dtype == torch.float64
    assert float(norm) == pytest.approx(0.05, rel=1e-4) if clip_value < 1 else norm > 1


class Noting(FixedClipsTrainer):
    """Keeps the losses that are written for each iteration."""

    def __init__(self, cfg):
        super().__init__(cfg)
        self.written = []
        self._trainer._write_metrics = lambda losses, seconds: self.written.append(losses)


def test_iterations_schedule_and_curves_stay(double_precision, cfg):
    """Three steps with and without parts: the same weights, rates and losses written."""
    cfg.SOLVER.MAX_ITER, cfg.SOLVER.BASE_LR = 3, 1e-3
    runs = []
    for steps in (1, 2):
        cfg.SOLVER.ACCUMULATE_STEPS = steps
        torch.manual_seed(0)
        trainer = Noting(cfg)
        trainer.train()
        assert trainer.iter == 3
        runs.append((trainer.model.state_dict(), trainer.scheduler.get_last_lr(), trainer.written))
    (weights, rates, losses), (weights_of_parts, rates_of_parts, losses_of_parts) = runs
    assert rates == rates_of_parts
    assert len(losses) == len(losses_of_parts) == 3
    for whole, mean in zip(losses, losses_of_parts, strict=True):
        assert set(whole) == set(mean)
        for name, loss in whole.items():
            torch.testing.assert_close(mean[name], loss.detach(), rtol=1e-8, atol=1e-8)
    for name, tensor in weights.items():
        torch.testing.assert_close(weights_of_parts[name], tensor, rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize("scale", [None, 1024.0])
def test_mixed_precision(scale):
    """Parts computed in bfloat16; a scaled gradient reaches the clipping unscaled."""
    model, batch = Regression(), regression_data()
    for start in (0, 6):
        with torch.autocast("cpu"):
            losses = model(batch[start : start + 6])
        (sum(losses.values()) / 2).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    optimizer = FullModelClippingAdamW(model.parameters(), lr=0.0, max_norm=1e6)
    trainer = AccumulatingAMPTrainer(model, [batch], optimizer, steps=2)
    if scale:
        trainer.grad_scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    found = gradients_of_one_step(trainer)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-7, msg=name)


def test_the_key_chooses_the_loop(cfg):
    assert type(FixedClipsTrainer(cfg)._trainer) is AccumulatingTrainer
    cfg.SOLVER.AMP.ENABLED = True
    assert type(FixedClipsTrainer(cfg)._trainer) is AccumulatingAMPTrainer
    cfg.SOLVER.AMP.PRECISION = "half"
    with pytest.raises(ValueError, match=r"SOLVER.AMP.PRECISION is 'half', expected .*'bf16'"):
        FixedClipsTrainer(cfg)


@pytest.mark.parametrize(
    ("device", "precision", "dtype", "scaled"),
    [
        ("cuda", "fp16", torch.float16, True),
        ("cuda", "bf16", torch.bfloat16, False),
        ("cpu", "fp16", torch.bfloat16, False),
    ],
)
def test_precision_of_amp(monkeypatch, device, precision, dtype, scaled):
    made, entered = [], []
    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda device, enabled: made.append((device, enabled))
    )
    monkeypatch.setattr(torch, "autocast", lambda *args: entered.append(args) or nullcontext())
    model = mock.Mock()
    model.parameters = lambda: iter([mock.Mock(device=torch.device(device))])
    trainer = AccumulatingAMPTrainer(model, [], mock.Mock(), precision=precision)
    trainer._losses([])
    assert made == [(device, scaled)] and entered == [(device, dtype)]


@pytest.mark.parametrize(
    ("batch_size", "steps", "processes", "message"),
    [
        (6, 4, 1, "SOLVER.IMS_PER_BATCH is 6, expected a multiple of 4: 1 processes"),
        (8, 4, 4, "expected a multiple of 16: 4 processes × SOLVER.ACCUMULATE_STEPS 4"),
        (3, 1, 2, "SOLVER.IMS_PER_BATCH is 3, expected a multiple of 2"),
        (0, 1, 1, "SOLVER.IMS_PER_BATCH is 0"),
        (4, 0, 1, "SOLVER.ACCUMULATE_STEPS is 0, expected an integer from 1 on"),
        (4, 1.5, 1, "SOLVER.ACCUMULATE_STEPS is 1.5"),
    ],
)
def test_batches_that_cannot_be_split(batch_size, steps, processes, message):
    with pytest.raises(ValueError, match=message):
        check_batch_size(batch_size, steps, processes)


def test_the_trainer_refuses_before_it_builds(cfg):
    cfg.SOLVER.ACCUMULATE_STEPS = 3
    cfg.MODEL.META_ARCHITECTURE = "nothing that could be built"
    with pytest.raises(ValueError, match="SOLVER.IMS_PER_BATCH is 4, expected a multiple of 3"):
        FixedClipsTrainer(cfg)


def test_a_loader_of_another_size():
    model = Regression()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    trainer = AccumulatingTrainer(model, [regression_data(5)], optimizer, steps=2)
    with pytest.raises(ValueError, match="a batch of 5, which cannot be split into 2 equal parts"):
        trainer.train(0, 1)
