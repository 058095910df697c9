"""MODEL.RCF.CARRY_CODE: what a slot last was reaches its next query and the fusion's tokens."""

import math

import pytest
import torch

from rcf_vis.checkpoint import RCFCheckpointer
from rcf_vis.modeling import RCF, CodeCarrier, FeatureMap, OnlineState
from rcf_vis.modeling.carried_code import CarriedCode
from rcf_vis.modeling.position_encoding import sine_position_encoding

SLOTS = 4


@pytest.fixture
def cfg(patch_cfg):
    patch_cfg.MODEL.RCF.CARRY_CODE = True
    patch_cfg.MODEL.RCF.NUM_OBJECT_QUERIES = SLOTS
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.3
    return patch_cfg


def build(cfg):
    torch.manual_seed(0)
    model = RCF(cfg)
    if model.carrier is not None:
        torch.nn.init.normal_(model.carrier.query.weight, std=0.3)
        torch.nn.init.normal_(model.carrier.nobody)
    return model


def video(length, size=(50, 90), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
        for _ in range(length)
    ]


def carrier_of(dim=8, **options):
    torch.manual_seed(0)
    carrier = CodeCarrier(dim=dim, **options)
    torch.nn.init.normal_(carrier.query.weight)
    torch.nn.init.normal_(carrier.nobody)
    return carrier


def carried_of(dim=8, ages=(0.0, 3.0, 4.0, math.inf), batch=2):
    return CarriedCode(
        torch.randn(batch, len(ages), dim),
        torch.tensor([ages] * batch),
        torch.rand(batch, len(ages), 4),
    )


def test_tokens_and_queries_of_slots_that_are_alive():
    carrier, carried = carrier_of(max_age=3), carried_of()
    tokens, queries = carrier.tokens(carried), carrier.queries(carried)
    assert tokens.padding is None and tokens.tokens.shape == (2, 4, 8)
    for b in range(2):
        for slot, age in enumerate((0, 3)):
            code, place = carried.code[b, slot], carried.place[b, slot]
            expected = carrier.token.weight @ code + carrier.token.bias
            expected = expected + carrier.age.weight[:, 0] * age / 3
            expected = expected + sine_position_encoding(place, 8)
            torch.testing.assert_close(tokens.tokens[b, slot], expected)
            shift = carrier.query.weight @ code + carrier.query.bias
            torch.testing.assert_close(queries[b, slot], shift)
        for slot in (2, 3):  # too old, and never
            assert torch.equal(tokens.tokens[b, slot], carrier.nobody)
            assert torch.equal(queries[b, slot], torch.zeros(8))


def test_update():
    """A slot that fires has its new code and place; any other keeps them, a frame older."""
    carrier, before = carrier_of(score_thresh=0.5), carried_of(batch=1)
    logits = torch.zeros(1, 4, 3)
    logits[0, :, 0] = torch.tensor([9.0, -9.0, 9.0, -9.0])
    masks = torch.full((1, 4, 6, 8), -1.0)
    masks[0, 0, 1:3, 2:6] = 1.0
    code = torch.randn(1, 4, 8)
    map_ = FeatureMap(torch.zeros(1, 2, 6, 8), 4, ((24, 32),))
    after = carrier.update(before, code, logits, masks, map_)
    assert after.age.tolist() == [[0.0, 4.0, 0.0, math.inf]]
    for slot, fired in enumerate((True, False, True, False)):
        assert torch.equal(after.code[0, slot], (code if fired else before.code)[0, slot])
        if not fired:
            assert torch.equal(after.place[0, slot], before.place[0, slot])
    rows, columns = [1.5 / 6, 2.5 / 6], [2.5 / 8, 3.5 / 8, 4.5 / 8, 5.5 / 8]
    expected = [
        sum(rows) / 2,
        sum(columns) / 4,
        math.sqrt(12 * sum((r - 2 / 6) ** 2 for r in rows) / 2),
        math.sqrt(12 * sum((c - 4 / 8) ** 2 for c in columns) / 4),
    ]
    torch.testing.assert_close(after.place[0, 0], torch.tensor(expected))
    assert after.place[0, 2].tolist() == [0.0] * 4  # it fired without a mask


def test_padding_has_no_place():
    carrier, before = carrier_of(), carried_of(batch=1)
    masks = torch.full((1, 4, 6, 8), 1.0)
    padded = FeatureMap(torch.zeros(1, 2, 6, 8), 4, ((16, 24),))
    logits = torch.zeros(1, 4, 3)
    logits[..., 0] = 9.0
    after = carrier.update(before, torch.zeros(1, 4, 8), logits, masks, padded)
    torch.testing.assert_close(after.place[0, 0, :2], torch.tensor([0.5, 0.5]))


def test_untrained_it_changes_no_query(cfg):
    carrier = CodeCarrier(dim=8)
    assert not carrier.queries(carried_of()).any()


@pytest.mark.parametrize("delta", [0, 2])
def test_what_was_last_reaches_the_next_frame(cfg, delta):
    """With δ = 0 it is all that one frame says to the next."""
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
    model = build(cfg).eval()
    model.carrier.score_thresh = 0.0
    first, other, second = video(3)
    outputs = []
    for frame in (first, other):
        _, state = model.step(model.extract_features([frame]), OnlineState())
        state = OnlineState(carried=state.carried)
        output, _ = model.step(model.extract_features([second]), state)
        outputs.append(output.logits)
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3


def test_a_stream_is_its_batch(cfg):
    """Two videos together are each by itself, and training walks as the online step does."""
    model = build(cfg).eval()
    frames = [video(4, seed=k) for k in (1, 2)]
    together, states = OnlineState(), [OnlineState(), OnlineState()]
    for t in range(4):
        both, together = model.step(model.extract_features([f[t] for f in frames]), together)
        for k in range(2):
            one, states[k] = model.step(model.extract_features([frames[k][t]]), states[k])
            torch.testing.assert_close(both.logits[k], one.logits[0], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(
                together.carried.code[k], states[k].carried.code[0], atol=1e-4, rtol=1e-4
            )
            assert torch.equal(together.carried.age[k], states[k].carried.age[0])


def test_memory_does_not_grow(cfg):
    model, state, sizes = build(cfg).eval(), OnlineState(), []
    with torch.no_grad():
        for frame in video(5):
            _, state = model.step(model.extract_features([frame]), state)
            sizes.append([tuple(t.shape) for t in state.carried])
    assert [size[:2] for size in sizes[0]] == [(1, SLOTS)] * 3 and sizes == sizes[:1] * 5


def test_gradient_through_the_carried_code(cfg):
    """A loss of the second frame alone reaches what the first was made of."""
    model = build(cfg).train()
    model.carrier.score_thresh = model.carrier.drop = model.carrier.swap = 0.0
    first, second = (model.extract_features([frame]) for frame in video(2))
    _, state = model.step(first, OnlineState())
    code = state.carried.code
    code.retain_grad()
    output, _ = model.step(second, OnlineState(carried=state.carried))
    output.masks.square().mean().backward()
    assert code.grad.abs().max() > 0
    assert model.carrier.query.weight.grad.abs().max() > 0
    assert model.carrier.token.weight.grad.abs().max() > 0


def test_disturbed():
    carrier = carrier_of(drop=0.5, swap=0.0)
    carried = carried_of(ages=(1.0,) * 200, batch=5)
    found = carrier.disturbed(carried)
    share = found.age.isinf().float().mean()
    assert 0.4 < share < 0.6 and torch.equal(found.code, carried.code)
    carrier = carrier_of(drop=0.0, swap=0.3)
    found = carrier.disturbed(carried)
    changed = (found.code != carried.code).any(-1)
    assert 0.2 < changed.float().mean() < 0.4
    rows = {tuple(row): k for k, row in enumerate(carried.code.flatten(0, 1).tolist())}
    origin = [rows[tuple(row)] for row in found.code.flatten(0, 1).tolist()]
    assert torch.equal(found.place.flatten(0, 1), carried.place.flatten(0, 1)[origin])
    assert torch.equal(carrier_of(drop=0.0, swap=0.0).disturbed(carried).code, carried.code)


def test_states_and_weights_of_another_model(cfg, tmp_path):
    model = build(cfg).eval()
    features = model.extract_features(video(1))
    _, state = model.step(features, OnlineState())
    cfg.MODEL.RCF.NUM_OBJECT_QUERIES = SLOTS + 1
    with pytest.raises(ValueError, match=r"carried code of \(1, 4, .*\(1, 5, .*OBJECT_QUERIES"):
        build(cfg).eval().step(features, state)
    cfg.MODEL.RCF.CARRY_CODE = False
    plain = build(cfg).eval()
    with pytest.raises(ValueError, match="a model with MODEL.RCF.CARRY_CODE, which is False"):
        plain.step(features, state)
    cfg.MODEL.RCF.NUM_OBJECT_QUERIES = SLOTS
    RCFCheckpointer(build(cfg), str(tmp_path)).save("plain")
    with pytest.raises(
        ValueError, match="plain.pth: weights that were trained without MODEL.RCF.C"
    ):
        RCFCheckpointer(model).load(str(tmp_path / "plain.pth"))
    RCFCheckpointer(model, trainer=torch.nn.Identity()).load(str(tmp_path / "plain.pth"))
    with pytest.raises(ValueError, match="MODEL.RCF.CARRY_MAX_AGE is -1"):
        CodeCarrier(dim=8, max_age=-1)


def test_clips_of_three_supervised_frames_train(cfg, make_clip):
    cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES = 3
    model = build(cfg).train()
    clips = [make_clip(num_frames=4, seed=k) for k in range(2)]
    for clip in clips:
        clip["instances"] = clip["instances"][-1:] * 3
    assert model.criterion.matcher.follow
    losses = model(clips)
    sum(losses.values()).backward()
    for name, parameter in model.carrier.named_parameters():
        if name != "age.weight":  # those that fired in the frame before are of age 0
            assert parameter.grad.abs().max() > 0, name
