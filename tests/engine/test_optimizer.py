"""Section IV-A: parameter groups, the poly schedule, clipping over the whole model."""

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.projects.deeplab import build_lr_scheduler
from torch import nn

from rcf_vis.engine import FullModelClippingAdamW, build_optimizer, parameter_groups


def test_every_parameter_is_in_one_group_with_its_rates(patch_cfg):
    patch_cfg.SOLVER.BASE_LR = 6e-4
    patch_cfg.SOLVER.WEIGHT_DECAY = 1e-4
    patch_cfg.SOLVER.BACKBONE_MULTIPLIER = 0.1
    patch_cfg.SOLVER.WEIGHT_DECAY_NORM = 0.0
    model = build_model(patch_cfg)
    optimizer = build_optimizer(patch_cfg, model)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(of)
    assert set(of) == {id(p) for p in model.parameters() if p.requires_grad}

    def rates(parameter):
        group = of[id(parameter)]
        return group["lr"], group["weight_decay"]

    assert rates(model.backbone.stem.weight) == pytest.approx((6e-5, 1e-4))
    assert rates(model.heads.class_embed.weight) == pytest.approx((6e-4, 1e-4))
    assert rates(model.heads.class_embed.bias) == pytest.approx((6e-4, 1e-4))
    assert rates(model.instance_decoder.norm.weight) == pytest.approx((6e-4, 0.0))
    assert rates(model.mask_decoder.top[1].weight) == pytest.approx((6e-4, 0.0))
    assert rates(model.instance_decoder.queries.weight) == pytest.approx((6e-4, 0.0))


def test_frozen_and_shared_parameters():
    shared = nn.Linear(2, 2)
    model = nn.ModuleDict({"a": shared, "b": shared, "c": nn.Linear(2, 1)})
    model["c"].bias.requires_grad_(False)
    groups = parameter_groups(model, base_lr=1.0, weight_decay=0.1)
    assert sum(len(group["params"]) for group in groups) == 3


def test_parameters_that_a_module_asks_to_leave_out_of_the_decay():
    class Embedded(nn.Module):
        def __init__(self):
            super().__init__()
            self.position = nn.Parameter(torch.zeros(3))
            self.linear = nn.Linear(3, 2)

        def no_weight_decay(self):
            return {"position", "linear.bias"}

    model = nn.ModuleDict({"backbone": Embedded(), "other": nn.Linear(3, 3)})
    groups = parameter_groups(model, base_lr=1.0, weight_decay=0.1, backbone_multiplier=0.5)
    of = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    backbone = model["backbone"]
    assert of[id(backbone.position)] == of[id(backbone.linear.bias)] == (0.5, 0.0)
    assert of[id(backbone.linear.weight)] == (0.5, 0.1)
    assert of[id(model["other"].bias)] == (1.0, 0.1)


def test_poly_schedule(patch_cfg):
    solver = patch_cfg.SOLVER
    solver.BASE_LR, solver.MAX_ITER = 0.5, 100
    solver.LR_SCHEDULER_NAME = "WarmupPolyLR"
    solver.WARMUP_ITERS, solver.WARMUP_FACTOR = 10, 0.001
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = build_lr_scheduler(patch_cfg, optimizer)
    for iteration in range(100):
        warmup = min(1.0, 0.001 + (1 - 0.001) * iteration / 10)
        expected = 0.5 * warmup * (1 - iteration / 100) ** 0.9
        assert optimizer.param_groups[0]["lr"] == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        scheduler.step()


def test_full_model_clipping_scales_all_gradients_together(patch_cfg):
    parameters = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))]
    groups = [{"params": parameters[:1], "lr": 0.1}, {"params": parameters[1:], "lr": 0.2}]
    optimizer = FullModelClippingAdamW(groups, lr=0.1, max_norm=0.1)
    parameters[0].grad = torch.tensor([3.0, 0.0])
    parameters[1].grad = torch.tensor([0.0, 4.0, 0.0])
    optimizer.step()
    torch.testing.assert_close(parameters[0].grad, torch.tensor([0.06, 0.0]))
    torch.testing.assert_close(parameters[1].grad, torch.tensor([0.0, 0.08, 0.0]))
    small = torch.tensor([0.01, 0.0])
    parameters[0].grad, parameters[1].grad = small.clone(), torch.zeros(3)
    optimizer.step()
    torch.testing.assert_close(parameters[0].grad, small)


def test_clip_type_of_the_config(patch_cfg):
    clip = patch_cfg.SOLVER.CLIP_GRADIENTS
    clip.ENABLED, clip.CLIP_TYPE, clip.CLIP_VALUE = True, "full_model", 0.25
    model = build_model(patch_cfg)
    optimizer = build_optimizer(patch_cfg, model)
    assert isinstance(optimizer, FullModelClippingAdamW)
    assert (optimizer.max_norm, optimizer.norm_type) == (0.25, 2.0)
    clip.ENABLED = False
    assert type(build_optimizer(patch_cfg, model)) is torch.optim.AdamW
