"""What depends on sizes alone is made once: no tensor of a later frame comes from the host."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from rcf_vis.config import read_config
from rcf_vis.modeling import RCF, OnlineState
from rcf_vis.modeling.feature_map import FeatureMap, SizeConstants
from tests.scripts import ROOT

_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class CopiesToTheDevice(TorchDispatchMode):
    """Counts operations that make a tensor of the GPU of one of the host, numbers left aside."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        made = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        of_host = [t for t in given if t.device.type == "cpu" and (t.dim() or func in _COPIES)]
        self.count += bool(of_host) and any(t.device.type == "cuda" for t in made)
        return result


def copies_of_steps(cfg, sizes):
    """For each step; of a GPU that need not be there."""
    counts = []
    with FakeTensorMode(), torch.no_grad():
        with torch.device("cuda"):
            model = RCF(cfg).eval()
        state = OnlineState()
        for size in sizes:
            image = torch.empty(3, *size, device="cuda", dtype=torch.uint8)
            with CopiesToTheDevice() as copies:
                _, state = model.step(model.extract_features([image]), state)
            counts.append(copies.count)
    return counts


def test_no_tensor_of_a_step_comes_from_the_host():
    cfg = read_config(str(ROOT / "configs/rcf_r50.yaml"), ["MODEL.WEIGHTS", ""])
    first, *later = copies_of_steps(cfg, [(360, 640)] * 3)
    assert first > 0 and later == [0, 0]
    assert copies_of_steps(cfg, [(70, 100)] * 2)[1] == 0  # with padding in all levels


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
