"""SOLVER.CHANNELS_LAST: the same numbers in another memory layout."""

from copy import deepcopy

import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis.engine import use_channels_last
from tests.engine.training import FixedClipsTrainer, fixed_clips


def is_channels_last(tensor):
    """Not for a tensor that is both, as one of a single channel."""
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def one_step(model):
    """Losses, gradients and running statistics of a training step."""
    losses = model.train()(fixed_clips()[:2])
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters()}, model.state_dict()


def test_equal_losses_gradients_and_statistics(double_precision, small_resnet):
    model = build_model(small_resnet)
    other = deepcopy(model)
    use_channels_last(other)
    assert is_channels_last(other.backbone.res2[0].conv2.weight)
    assert is_channels_last(other.mask_decoder.steps[0].smooth[0].weight)
    assert not is_channels_last(model.backbone.res2[0].conv2.weight)
    for expected, found in zip(one_step(model), one_step(other), strict=True):
        assert list(expected) == list(found)
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("copied", [False, True])
def test_the_backbone_keeps_the_layout_from_image_to_feature(small_resnet, copied):
    """Also that of a copy, such as the moving average."""
    model = build_model(small_resnet).eval()
    use_channels_last(model)
    model = deepcopy(model) if copied else model
    seen = []
    model.backbone.stem.register_forward_pre_hook(lambda _, images: seen.extend(images))
    with torch.no_grad():
        features = model.extract_features(fixed_clips()[0]["image"])
    assert is_channels_last(seen[0])
    assert is_channels_last(features.context.data)


def test_the_key_reaches_the_trainer_and_checkpoints_fit_both_layouts(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path)
    patch_cfg.SOLVER.MAX_ITER = 1
    patch_cfg.SOLVER.CHANNELS_LAST = True
    trainer = FixedClipsTrainer(patch_cfg)
    trainer.train()
    weights = {name: p for name, p in trainer.model.named_parameters() if p.dim() == 4}
    assert any(map(is_channels_last, weights.values()))

    patch_cfg.SOLVER.CHANNELS_LAST = False
    patch_cfg.MODEL.WEIGHTS = str(tmp_path / "model_final.pth")
    plain = FixedClipsTrainer(patch_cfg)
    plain.resume_or_load(resume=False)
    loaded = dict(plain.model.named_parameters())
    for name, weight in weights.items():
        assert torch.equal(loaded[name], weight), name
        assert loaded[name].is_contiguous(), name
