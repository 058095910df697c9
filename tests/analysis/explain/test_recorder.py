"""What the hooks see is what the model did; and they leave no trace."""

import pytest
import torch
from detectron2.modeling import build_model
from torch.nn import functional as F

from rcf_vis.analysis.explain.recorder import StepRecorder
from rcf_vis.modeling import OnlineState, TokenGroup

from .test_attention import weights_in_loops

SIZE = (60, 90)  # padded to 64×96: 2×3 cells of stride 32, 15×23 of stride 4


def build(cfg, **rcf):
    for key, value in rcf.items():
        setattr(cfg.MODEL.RCF, key, value)
    model = build_model(cfg).eval()
    model.score_thresh = 0.0
    return model


def video(num_frames=3, size=SIZE):
    generator = torch.Generator().manual_seed(3)
    shape = (num_frames, 3, *size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@torch.no_grad()
def walk(model, recorder=None, frames=None):
    """Raw outputs of each step, and the records."""
    state, outputs, records = OnlineState(), [], []
    for frame in video() if frames is None else frames:
        output, state = model.step(model.extract_features([frame]), state)
        outputs += [output.logits, output.masks, output.segmentation.data]
        if recorder is not None:
            records.append(recorder.take())
    return outputs, records


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("fusion", ["token", "full_encoder", "full_decoder"])
def test_outputs_are_the_same_bits_before_during_and_after(patch_cfg, fusion):
    model = build(patch_cfg, FUSION=fusion)
    before, _ = walk(model)
    with StepRecorder(model) as recorder:
        unasked, records = walk(model, recorder)
        assert all(record.attention is None for record in records)
        recorder.attention = True
        asked, records = walk(model, recorder)
        assert all(record.attention is not None for record in records)
    after, _ = walk(model)
    assert equal(unasked, before) and equal(asked, before) and equal(after, before)
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_are_removed_after_an_error(patch_cfg):
    model = build(patch_cfg)
    with pytest.raises(KeyError), StepRecorder(model):
        raise KeyError
    assert not any(module._forward_hooks for module in model.modules())


def test_what_is_recorded(patch_cfg):
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2)
    codes = []
    model.heads.register_forward_pre_hook(lambda _, args: codes.append(args[0][0]))
    with StepRecorder(model) as recorder:
        outputs, records = walk(model, recorder)
    for t, (frame, record) in enumerate(zip(video(), records, strict=True)):
        logits, masks = outputs[3 * t][0], outputs[3 * t + 1][0]
        torch.testing.assert_close(record.image, (frame.float() - 120) / 60)
        assert torch.equal(record.codes, codes[t])
        torch.testing.assert_close(record.class_probs, logits.softmax(-1))
        torch.testing.assert_close(record.masks, masks[:, :15, :23].sigmoid())
        assert record.stride == 32 and record.region.shape == (2, 3)
        assert torch.equal(record.outputs()[0], record.class_probs)


def test_weight_map_by_hand(patch_cfg):
    model = build(patch_cfg, NUM_REFERENCE_FRAMES=2)
    conv = model.context_fusion.reference_tokens.weight
    with StepRecorder(model) as recorder:
        _, records = walk(model, recorder)
    with torch.no_grad():
        older, newer, _ = (model.extract_features([f]).context.data[0] for f in video())
        features = torch.cat((newer, older))
        logits = torch.einsum("c,chw->hw", conv.weight[0, :, 0, 0], features) + conv.bias
    torch.testing.assert_close(records[2].weight_map, logits.sigmoid())
    assert records[2].weight_map.shape == (2, 3)


def test_region_is_the_share_of_a_cell_inside_fired_masks(patch_cfg):
    model = build(patch_cfg)
    with StepRecorder(model) as recorder:
        _, (record,) = walk(model, recorder, video(1))
        model.score_thresh = float(record.class_probs[:, :-1].amax(1).sort().values[-2])
        _, (record,) = walk(model, recorder, video(1))
    fired = record.class_probs[:, :-1].amax(1) >= model.score_thresh
    assert fired.sum() == 2
    inside = (record.masks[fired] > 0.5).any(0)
    assert 0 < inside.float().mean() < 1
    for y in range(2):
        for x in range(3):
            cell = inside[8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
            assert float(record.region[y, x]) == pytest.approx(float(cell.float().mean()))


@pytest.mark.parametrize(
    ("switches", "groups"),
    [
        ({}, {"target": 6, "reference": 4}),
        ({"REF_TOKEN_SIZE": 1, "NUM_REFERENCE_FRAMES": 3}, {"target": 6, "reference": 1}),
        ({"NUM_REFERENCE_FRAMES": 0}, {"target": 6}),
        ({"FUSION": "full_encoder", "NUM_REFERENCE_FRAMES": 2}, {"target": 6, "reference": 12}),
        ({"FUSION": "full_decoder"}, {"target": 6}),
    ],
)
def test_groups_of_tokens(patch_cfg, switches, groups):
    model = build(patch_cfg, **switches)
    with StepRecorder(model) as recorder:
        recorder.attention = True
        _, records = walk(model, recorder)
    attention = records[-1].attention
    assert attention.groups == groups
    assert attention.grid == attention.valid == (2, 3)
    assert len(attention.padding) == attention.weights.shape[-1] == sum(groups.values())
    torch.testing.assert_close(attention.weights.sum(-1), torch.ones(attention.weights.shape[:2]))
    has_map = model.context_fusion.reference_tokens is not None and "FUSION" not in switches
    assert (records[-1].weight_map is not None) == has_map


def test_no_weight_map_without_weights(patch_cfg):
    with StepRecorder(build(patch_cfg, REF_WEIGHT_ON=False)) as recorder:
        _, records = walk(recorder.model, recorder)
    assert records[0].weight_map is None


@pytest.mark.parametrize("pre_norm", [False, True])
def test_attention_is_that_of_the_last_layer(patch_cfg, pre_norm):
    model = build(patch_cfg, PRE_NORM=pre_norm, SIZE_DIVISIBILITY=128)
    layer, seen = model.context_fusion.layers[-1], []
    layer.register_forward_pre_hook(lambda _, args: seen.append(args))
    with StepRecorder(model) as recorder:
        recorder.attention = True
        _, records = walk(model, recorder)
    tokens, padding = seen[-1]
    assert padding.sum() == 16 - 6  # of 4×4 cells
    with torch.no_grad():
        x = layer.norm_self_attn(tokens) if pre_norm else tokens
        expected = weights_in_loops(layer.self_attn, x, x, padding)[0]
    attention = records[-1].attention
    real = ~padding[0]
    torch.testing.assert_close(attention.weights[:, real], expected[:, real])
    assert torch.equal(attention.padding, padding[0])
    assert (attention.grid, attention.valid) == ((4, 4), (2, 3))
    assert attention.map("target", "target").shape == (4, 2, 3)


def test_tokens_of_audio_are_a_group(patch_cfg, monkeypatch):
    model = build(patch_cfg)
    fusion, forward = model.context_fusion, model.context_fusion.forward
    audio = TokenGroup(F.normalize(torch.randn(1, 2, 32), dim=-1))
    monkeypatch.setattr(fusion, "forward", lambda *args: forward(*args[:2], [audio]))
    with StepRecorder(model) as recorder:
        recorder.attention = True
        _, records = walk(model, recorder)
    assert records[0].attention.groups == {"target": 6, "reference": 4, "audio": 2}


def test_what_cannot_be_taken(patch_cfg):
    model = build(patch_cfg)
    with StepRecorder(model) as recorder:
        with pytest.raises(RuntimeError, match="the model was not called"):
            recorder.take()
        walk(model, recorder, video(1))
        with pytest.raises(RuntimeError, match="the model was not called"):
            recorder.take()
        model.step(model.extract_features(list(video(2))), OnlineState())
        with pytest.raises(ValueError, match="a step of 2 videos"):
            recorder.take()
