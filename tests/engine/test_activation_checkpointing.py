"""SOLVER.ACTIVATION_CHECKPOINTING: the same numbers from fewer stored activations."""

from copy import deepcopy

import pytest
import torch
from detectron2.layers import CNNBlockBase
from detectron2.modeling import build_model

from rcf_vis.engine import checkpoint_activations
from rcf_vis.modeling.transformer import DecoderLayer, EncoderLayer
from tests.engine.training import FixedClipsTrainer, fixed_clips

KEY = "SOLVER.ACTIVATION_CHECKPOINTING"
BLOCKS = {"backbone": CNNBlockBase, "encoder": EncoderLayer, "decoder": DecoderLayer}


def one_step(cfg, parts):
    """Losses, gradients, state and the number of runs of each block's first child."""
    torch.manual_seed(0)
    model = build_model(cfg).train()
    names = list(model.state_dict())
    checkpoint_activations(model, parts)
    assert list(model.state_dict()) == names
    runs = {part: 0 for part in BLOCKS}

    def count(part):
        def hook(*_):
            runs[part] += 1

        return hook

    for part, kind in BLOCKS.items():
        block = [module for module in model.modules() if isinstance(module, kind)][-1]
        next(block.children()).register_forward_hook(count(part))
    torch.manual_seed(1)
    losses = model(fixed_clips()[:2])
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    return losses, gradients, model.state_dict(), runs


@pytest.mark.parametrize("parts", [["backbone"], ["encoder", "decoder"], list(BLOCKS)])
def test_equal_losses_gradients_and_running_statistics(double_precision, small_resnet, parts):
    """With dropout, whose draws are repeated, and a BatchNorm that counts each batch once."""
    small_resnet.MODEL.RCF.DROPOUT = 0.1
    losses, gradients, state, runs = one_step(small_resnet, [])
    assert set(runs.values()) == {1}
    assert state["backbone.stem.conv1.norm.num_batches_tracked"] == 1
    found_losses, found_gradients, found_state, found_runs = one_step(small_resnet, parts)
    assert found_runs == {part: 2 if part in parts else 1 for part in BLOCKS}
    for name, loss in losses.items():
        assert torch.equal(found_losses[name], loss), name
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            found_gradients[name], gradient, rtol=1e-12, atol=1e-14, msg=name
        )
    for name, tensor in state.items():
        assert torch.equal(found_state[name], tensor), name


def test_fusion_with_an_encoder_for_the_references(double_precision, patch_cfg):
    patch_cfg.MODEL.RCF.FUSION = "full_decoder"
    gradients = []
    for parts in ([], ["encoder"]):
        torch.manual_seed(0)
        model = build_model(patch_cfg).train()
        checkpoint_activations(model, parts)
        sum(model(fixed_clips()[:2]).values()).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-12, atol=1e-14, msg=name)


def test_nothing_changes_without_gradients(patch_cfg):
    model = build_model(patch_cfg).eval()
    image = [fixed_clips()[0]["image"][0]]
    video = {"image": image, "height": 64, "width": 96}
    model.score_thresh = 0.0
    (expected,) = list(model([video])[0])
    checkpoint_activations(model, ["encoder", "decoder"])
    (found,) = list(model([video])[0])
    assert torch.equal(found.class_probs, expected.class_probs)


def test_a_copy_runs_its_own_layers(patch_cfg):
    """As the moving average is one: it must not compute with the weights of the original."""
    model = build_model(patch_cfg)
    checkpoint_activations(model, ["encoder"])
    copy = deepcopy(model)
    layer, copied = model.context_fusion.layers[0], copy.context_fusion.layers[0]
    tokens, padding = torch.randn(1, 4, 32), torch.zeros(1, 4, dtype=torch.bool)
    before = copied(tokens, padding)
    with torch.no_grad():
        layer.feed_forward[0].weight.zero_()
    assert torch.equal(copied(tokens, padding), before)
    assert not torch.allclose(layer(tokens, padding), before)


def test_backbones_that_do_it_themselves(patch_cfg):
    """As timm's: they are asked to."""
    model, asked = build_model(patch_cfg), []
    model.backbone.set_grad_checkpointing = lambda enable: asked.append(enable)
    checkpoint_activations(model, ["backbone"])
    assert asked == [True]


def test_the_key_reaches_the_trainer(patch_cfg, tmp_path):
    patch_cfg.OUTPUT_DIR = str(tmp_path)
    patch_cfg.SOLVER.ACTIVATION_CHECKPOINTING = ["encoder"]
    trainer = FixedClipsTrainer(patch_cfg)
    assert all("forward" in vars(layer) for layer in trainer.model.context_fusion.layers)
    assert not any("forward" in vars(layer) for layer in trainer.model.instance_decoder.layers)


def test_what_cannot_be_done_is_named(patch_cfg):
    model = build_model(patch_cfg)
    with pytest.raises(ValueError, match=f"{KEY} names 'neck', expected some of backbone, enc"):
        checkpoint_activations(model, ["neck"])
    with pytest.raises(ValueError, match=f"{KEY} names 'backbone', but PatchBackbone has no"):
        checkpoint_activations(model, ["backbone"])


def test_statistics_that_would_be_counted_twice(small_resnet):
    small_resnet.MODEL.RESNETS.NORM = "naiveSyncBN"
    with pytest.raises(ValueError, match=f"{KEY}: the running statistics of the NaiveSyncBatch"):
        checkpoint_activations(build_model(small_resnet), ["backbone"])
    small_resnet.MODEL.RESNETS.NORM = "BN"
    model = build_model(small_resnet)
    model.backbone.set_grad_checkpointing = lambda enable: None
    with pytest.raises(ValueError, match=f"{KEY}: the running statistics of the BatchNorm2d at"):
        checkpoint_activations(model, ["backbone"])
