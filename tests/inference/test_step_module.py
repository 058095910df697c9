"""The step of flat tensors against the step with its state as a value."""

import pytest
import torch
from detectron2.modeling import build_model
from torch import nn

from rcf_vis import optimize_for_inference
from rcf_vis.inference.step_module import StepModule
from rcf_vis.modeling import OnlineState

SIZE = (50, 90)  # no multiple of the stride: with padding


def model_of(cfg):
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    if model.carrier is not None:
        nn.init.normal_(model.carrier.query.weight, std=0.3)
    return optimize_for_inference(model, inplace=True)


def video(length, size=SIZE):
    generator = torch.Generator().manual_seed(1)
    return list(torch.randint(0, 256, (length, 3, *size), dtype=torch.uint8, generator=generator))


def compare(model, frames, audio=None):
    """A video, then the first frames of another: a state of zeros."""
    step = StepModule(model, SIZE).eval()
    audio = audio or [None] * len(frames)
    for part in (slice(None), slice(2, 4)):
        state, (_, *tensors) = OnlineState(), step.example()
        silence, tensors = tensors[: len(tensors) - len(step.state)], tensors[-len(step.state) :]
        tensors = tensors if step.state else []
        for frame, patch in zip(frames[part], audio[part], strict=True):
            expected, state = model._frame_output(frame, state, patch)
            sound = silence if patch is None else [patch]
            with torch.no_grad():
                logits, masks, *tensors = step(frame, *sound, *tensors)
            torch.testing.assert_close(logits, expected.logits)
            torch.testing.assert_close(masks, expected.masks)
            assert [tuple(x.shape) for x in tensors] == [x.shape for x in step.state.values()]
            assert [x.dtype for x in tensors] == [x.dtype for x in step.state.values()]
    return step


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("delta", [0, 1, 2, 3])
def test_it_goes_on_from_its_tensors(patch_cfg, delta, carry):
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
    patch_cfg.MODEL.RCF.CARRY_CODE = carry
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.3
    step = compare(model_of(patch_cfg), video(6))
    references = [f"reference_{k}" for k in range(delta)]
    carried = ["carried_code", "carried_age", "carried_place"] if carry else []
    frames = ["frames"] if delta or carry else []
    assert list(step.state) == [*frames, *references, *carried]
    assert step.input_names == ["image", *step.state] and step.stride == 4


@pytest.mark.parametrize("fusion", ["full_encoder", "full_decoder"])
def test_other_fusions(patch_cfg, fusion):
    patch_cfg.MODEL.RCF.FUSION = fusion
    compare(model_of(patch_cfg), video(4))


def test_with_sound(patch_cfg):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 24, 32
    audio.LSTM_HIDDEN, audio.LSTM_LAYERS = 8, 1
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 2
    patches = [torch.randn(32, 64) for _ in range(4)] + [None, None]
    step = compare(model_of(patch_cfg), video(6), patches)
    assert step.input_names == [
        *("image", "audio", "frames"),
        *("reference_0", "reference_1", "audio_0", "audio_1"),
    ]


def test_half_precision_is_inside_alone(patch_cfg):
    patch_cfg.MODEL.RCF.CARRY_CODE = True
    model = optimize_for_inference(model_of(patch_cfg), precision="bf16")
    step = StepModule(model, SIZE)
    with torch.no_grad():
        outputs = step(*step.example())
    assert {x.dtype for x in outputs} == {torch.float32, torch.int64}
