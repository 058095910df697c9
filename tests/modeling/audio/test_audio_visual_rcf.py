"""Audio-visual RCF: one way for training, videos and the online step; every a_t computed once."""

import pytest
import torch
from detectron2.modeling import build_model

from rcf_vis.modeling import OnlineState
from rcf_vis.modeling.audio import AudioContext


def frames(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8, generator=generator)
        for _ in range(count)
    ]


def video(count=4, **audio):
    return {"image": frames(count), "height": 64, "width": 96, **audio}


def probabilities(model, *videos):
    model.eval().score_thresh = 0.0
    return [torch.stack([x.class_probs for x in run]) for run in model(list(videos))]


@pytest.mark.parametrize("delta", [0, 1, 3])
def test_gradients_reach_every_parameter(build, make_clip, make_patches, delta):
    model = build(NUM_REFERENCE_FRAMES=delta).train()
    clip = {**make_clip(num_frames=1 + delta), "audio": make_patches(1 + delta)}
    sum(model([clip]).values()).backward()
    zero = {n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max()}
    # With δ = 0 the LSTM has one step, so what it carries from step to step is not used.
    assert all("weight_hh" in name for name in zero) if delta == 0 else zero == set()


def test_a_frozen_net_stays_as_it_is(build, make_clip, make_patches):
    model = build(audio={"FREEZE": True}).train()
    assert model.training and model.audio.tokens.training and not model.audio.net.training
    clip = {**make_clip(), "audio": make_patches(2)}
    sum(model([clip]).values()).backward()
    without = {n for n, p in model.named_parameters() if p.grad is None}
    assert without == {n for n, _ in model.named_parameters() if n.startswith("audio.net.")}


def test_training_takes_the_audio_that_online_inference_takes(build, make_clip, make_patches):
    """The losses of two clips are those of the online step walked by hand."""
    model = build(NUM_REFERENCE_FRAMES=2).train()
    clips = [{**make_clip(num_frames=3, seed=s), "audio": make_patches(3, seed=s)} for s in (0, 1)]
    state = OnlineState()
    for t in range(3):
        features = model.extract_features([clip["image"][t] for clip in clips])
        audio_feature = model.audio.features(torch.stack([clip["audio"][t] for clip in clips]))
        output, state = model.step(features, state, audio_feature)
    seen = []
    model.criterion.register_forward_pre_hook(lambda _, args: seen.append(args[0][-1].logits))
    model(clips)
    torch.testing.assert_close(seen[-1], output.logits)


def test_each_audio_feature_is_computed_once(build, make_patches):
    model = build(NUM_REFERENCE_FRAMES=3).eval()
    calls = []
    model.audio.net.register_forward_hook(lambda _, args, __: calls.append(len(args[0])))
    state = OnlineState()
    for image, patch in zip(frames(6), make_patches(6), strict=True):
        _, state = model.track(image, state, (64, 96), patch)
    assert calls == [1] * 6
    assert len(state.audio_features) == 3  # δ
    torch.testing.assert_close(state.audio_features[0], model.audio.features(make_patches(6)[5:]))


def test_order_of_the_past_and_what_stands_in_for_it(build, make_patches):
    model = build(NUM_REFERENCE_FRAMES=3).eval()
    image = model.extract_features(frames(1))
    a, b, now = (model.audio.features(patch[None]) for patch in make_patches(3))
    given = []
    model.audio.tokens.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    for past in ([], [a], [a, b], [a, b, now]):
        state = OnlineState()
        for audio_feature in past:
            state = state.remember(image.context, 3, audio_feature)
        model.step(image, state, now)
    expected = [(now,) * 4, (a, a, a, now), (a, a, b, now), (a, b, now, now)]
    for found, wanted in zip(given, expected, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(found, wanted, strict=True))


def test_audio_changes_the_prediction(build, make_patches):
    model = build()
    own, other, silent, without = probabilities(
        model,
        video(audio=make_patches(4)),
        video(audio=make_patches(4, seed=1)),
        video(audio=model.audio.silence().expand(4, -1, -1)),
        video(),
    )
    assert (own - other).abs().max() > 1e-6
    assert (own - silent).abs().max() > 1e-6
    assert torch.equal(silent, without)


def test_features_of_a_cache(build, make_clip, make_patches):
    model = build(audio={"FREEZE": True})
    patches = make_patches(4)
    with torch.no_grad():
        features = torch.cat([model.audio.features(patch[None]) for patch in patches])
    own, cached = probabilities(model, video(audio=patches), video(audio_features=features))
    assert torch.equal(own, cached)

    clip = make_clip()
    expected = model.train()([{**clip, "audio": patches[:2]}])
    for name, loss in model([{**clip, "audio_features": features[:2]}]).items():
        torch.testing.assert_close(loss, expected[name])
    model.audio.frozen = False
    with pytest.raises(ValueError, match="FREEZE True or DATASETS.AUDIO_CACHE ''"):
        model([{**clip, "audio_features": features[:2]}])


def test_clips_with_and_without_audio(build, make_clip, make_patches):
    model = build().train()
    silent = {**make_clip(seed=1), "audio": model.audio.silence().expand(2, -1, -1)}
    clips = [{**make_clip(), "audio": make_patches(2)}, make_clip(seed=1)]
    for name, loss in model(clips).items():
        torch.testing.assert_close(loss, model([clips[0], silent])[name])


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ({"audio": torch.zeros(3, 16, 64)}, "clip of 2 frames with audio for 3"),
        ({"audio": torch.zeros(2, 17, 64)}, r"patches of \(2, 17, 64\), expected \(B, 16, 64\)"),
        ({"audio_features": torch.zeros(1, 24)}, "clip of 2 frames with audio for 1"),
        ({"audio_features": torch.zeros(2, 9)}, "features of 9 numbers, expected 24"),
    ],
)
def test_audio_of_another_shape(build, make_clip, audio, message):
    model = build(audio={"FREEZE": True}).train()
    with pytest.raises(ValueError, match=message):
        model([{**make_clip(), **audio}])
    with pytest.raises(ValueError, match="a video of 4 frames with audio for"):
        next(model.eval()([video(**audio)])[0])


def test_order_supervision_and_mixed_precision(build, make_clip, make_patches):
    model = build(ORDER_SUPERVISION=True).train()
    clip = {**make_clip(num_frames=3), "audio": make_patches(3)}
    clip["instances"] = clip["instances"] * 2
    exact = model([clip])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model([clip])
    for name, loss in exact.items():
        assert abs(rough[name].item() - loss.item()) < 0.1 * (1 + loss.item())


def test_a_model_without_audio_has_no_audio_branch(patch_cfg):
    model = build_model(patch_cfg).eval()
    assert not any(isinstance(module, AudioContext) for module in model.modules())
    ((instances, *_),) = model([video(1, audio=torch.zeros(1, 96, 64))])
    assert instances.image_size == (64, 96)
