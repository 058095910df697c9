"""What depends on sizes alone is made once: no tensor of a later frame comes from the host."""

import pytest
import torch

from rcf_vis.config import read_config
from rcf_vis.modeling import RCF, OnlineState
from rcf_vis.modeling.feature_map import FeatureMap, SizeConstants
from tests.pretend_device import PretendDevice
from tests.scripts import ROOT


@pytest.mark.parametrize("config", ["rcf_r50", "rcf_swint", "avis/rcf_r50"])
@pytest.mark.parametrize("size", [(64, 96), (70, 100)])  # without padding and with
@pytest.mark.parametrize("carry", [False, True])
def test_no_tensor_of_a_step_comes_from_the_host_or_goes_there(config, size, carry):
    opts = ["MODEL.WEIGHTS", "", "MODEL.TIMM.PRETRAINED", "False", "MODEL.DEVICE", "cpu"]
    opts += ["MODEL.RCF.AUDIO.WEIGHTS", "", "MODEL.RCF.CARRY_CODE", str(carry)]
    model = RCF(read_config(str(ROOT / f"configs/{config}.yaml"), opts)).eval()
    device, state, audio_feature = PretendDevice(), OnlineState(), None
    device.move(model)
    counts = []
    for _ in range(3):
        image = device.tensor(torch.randint(0, 256, (3, *size), dtype=torch.uint8))
        with torch.no_grad(), device:
            device.reset()
            if model.audio is not None:
                audio_feature = model.audio.features_of_frame(None)
            _, context, carried = model.frame_step(image[None], state, audio_feature)
            state = state.remember(context, model.num_reference_frames, audio_feature, carried)
        counts.append(device.copies_in)
        assert device.copies_out == 0 and device.waits == []
    assert counts[0] > 0 and counts[1:] == [0, 0]


def test_constants_are_kept_for_their_size_alone():
    constants = SizeConstants()
    maps = [
        FeatureMap(torch.zeros(1, 2, 3, 4, dtype=dtype), 4, (size,), constants)
        for dtype in (torch.float32, torch.float64)
        for size in ((12, 16), (9, 16))
    ]
    assert [map_.is_full for map_ in maps[:2]] == [True, True]
    assert not FeatureMap(maps[0].data, 4, ((8, 16),)).is_full
    found = [map_.axis_coordinates()[0] for map_ in maps]
    assert len({id(rows) for rows in found}) == 4
    assert found[0].dtype == torch.float32 and found[2].dtype == torch.float64
    assert torch.equal(found[0][0], torch.tensor([2, 6, 10]) / 12)
    again = FeatureMap(maps[0].data + 1, 4, ((12, 16),), constants)
    assert again.axis_coordinates()[0] is found[0]


def test_the_oldest_constants_go():
    constants = SizeConstants(limit=2)
    assert [constants.get(key, lambda: object()) is not None for key in "ab"] == [True, True]
    a = constants.get("a", lambda: None)
    constants.get("c", object)
    assert constants.get("a", lambda: None) is a
    assert constants.get("b", lambda: None) is None


def test_constants_of_inference_mode_can_be_trained_with(patch_cfg):
    model = RCF(patch_cfg).eval()
    image = torch.zeros(3, 64, 96, dtype=torch.uint8)
    with torch.inference_mode():
        model.step(model.extract_features([image]), OnlineState())
    output, _ = model.step(model.extract_features([image]), OnlineState())
    output.masks.sum().backward()
    assert model.heads.filters[0].weight.grad.abs().max() > 0


@pytest.mark.parametrize("size", [(64, 96), (50, 90)])
def test_a_kept_constant_changes_nothing(patch_cfg, size):
    model = RCF(patch_cfg).eval()
    image = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    with torch.no_grad():
        first, _ = model.step(model.extract_features([image]), OnlineState())
        again, _ = model.step(model.extract_features([image]), OnlineState())
    assert torch.equal(first.masks, again.masks) and torch.equal(first.logits, again.logits)
