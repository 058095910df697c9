"""Half precision: weights cast once, decisions in fp32, and what a device does not have."""

import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis import OnlinePredictor, optimize_for_inference
from rcf_vis.config import read_config
from rcf_vis.inference import optimize
from rcf_vis.modeling import OnlineState
from tests.scripts import ROOT


def cfg_of(config, *opts):
    alone = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "MODEL.TIMM.PRETRAINED", "False"]
    return read_config(str(ROOT / config), [*alone, *map(str, opts)])


def steps(model, frames, audio):
    state, outputs = OnlineState(), []
    for frame in frames:
        output, state = model._frame_output(frame, state, audio)
        outputs.append(output)
    return outputs, state


@pytest.mark.parametrize(
    "config",
    [
        "configs/synthvis/rcf_tiny.yaml",
        "configs/synthvis/rcf_tiny_av.yaml",
        "configs/rcf_swint.yaml",
    ],
)
def test_bf16_is_near_fp32(config):
    torch.manual_seed(0)
    model = build_model(cfg_of(config)).eval()
    half = optimize_for_inference(model, precision="bf16")
    floats = [t for t in (*half.parameters(), *half.buffers()) if t.is_floating_point()]
    kept = {id(half.pixel_mean), id(half.pixel_std)}
    assert {t.dtype for t in floats if id(t) not in kept} == {torch.bfloat16}
    assert half.pixel_mean.dtype == half.pixel_std.dtype == torch.float32
    assert next(model.parameters()).dtype == torch.float32
    frames = [torch.randint(0, 256, (3, 70, 100), dtype=torch.uint8) for _ in range(3)]
    audio = None if model.audio is None else torch.randn(model.audio.patch_frames, 64)
    (expected, _), (found, state) = steps(model, frames, audio), steps(half, frames, audio)
    for want, got in zip(expected, found, strict=True):
        for name in ("logits", "masks"):
            a, b = getattr(want, name), getattr(got, name)
            assert b.dtype == torch.bfloat16
            assert (a - b.float()).abs().max() < 0.1 * a.abs().max(), name
    assert all(r.data.dtype == torch.bfloat16 for r in state.references)


def test_positions_are_computed_in_fp32():
    """In bfloat16 itself the columns of a wide frame would share their places."""
    model = optimize_for_inference(
        build_model(cfg_of("configs/synthvis/rcf_tiny.yaml")).eval(), precision="bf16"
    )
    features = model.extract_features([torch.zeros(3, 64, 1280, dtype=torch.uint8)])
    _, columns = features.maps["res2"].axis_coordinates()
    assert columns.dtype == torch.float32 and len(columns.unique()) == 320


def test_the_predictor_takes_it_from_the_key_or_the_call():
    cfg = cfg_of("configs/synthvis/rcf_tiny.yaml", "MODEL.RCF.TEST.PRECISION", "bf16")
    cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    frame = np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)
    predictor = OnlinePredictor(cfg)
    assert predictor.model.dtype == torch.bfloat16
    instances = predictor(frame)
    assert instances.scores.dtype == torch.float32 and len(instances) == 10
    assert OnlinePredictor(cfg, precision="fp32").model.dtype == torch.float32


def test_what_there_is_not():
    cfg = cfg_of("configs/synthvis/rcf_tiny.yaml")
    model = build_model(cfg).eval()
    with pytest.raises(ValueError, match=r"TEST.PRECISION .* 'fp16', which needs a GPU; .* 'bf16'"):
        OnlinePredictor(cfg, precision="fp16")
    with pytest.raises(ValueError, match=r"PRECISION .* 'half', expected one of \['fp32', 'bf16'"):
        optimize_for_inference(model, precision="half")


def test_a_gpu_without_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    gpu = torch.device("cuda")
    with pytest.raises(ValueError, match="'bf16', which Tesla T4 does not have; .* 'fp16'"):
        optimize._dtype("bf16", gpu)
    assert optimize._dtype("fp16", gpu) == torch.float16
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    assert optimize._dtype("bf16", gpu) == torch.bfloat16
