"""The captured step, by a graph that a CPU can replay: the same numbers, in tensors of its own."""

from copy import deepcopy

import pytest
import torch
from detectron2.modeling import build_model
from torch.utils._pytree import tree_leaves

from rcf_vis import optimize_for_inference
from rcf_vis.config import read_config
from rcf_vis.inference import graphs
from rcf_vis.modeling import OnlineState
from tests.scripts import ROOT


def tensors_of(outputs):
    frame, context, carried = outputs
    leaves = tree_leaves((frame, context.data, carried))
    return [t for t in leaves if isinstance(t, torch.Tensor)]


@pytest.fixture
def captures(monkeypatch):
    """Replays by running again and writing over the first results, as a CUDA graph does."""
    made = []

    def captured(step, device):
        outputs = step()
        made.append(device)

        def replay():
            for old, new in zip(tensors_of(outputs), tensors_of(step()), strict=True):
                old.copy_(new)

        return replay, outputs

    monkeypatch.setattr(graphs, "captured", captured)
    return made


def model_of(config="configs/synthvis/rcf_tiny.yaml", *opts):
    opts = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", *opts]
    torch.manual_seed(0)
    model = build_model(read_config(str(ROOT / config), opts)).eval()
    model.score_thresh = 0.0
    return optimize_for_inference(model)


def video(length, size=(50, 90)):
    generator = torch.Generator().manual_seed(1)
    return [
        torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
        for _ in range(length)
    ]


def tracked(model, frames, audio=None):
    state, found = OnlineState(), []
    for number, frame in enumerate(frames):
        patch = None if audio is None else audio[number]
        instances, state = model.track(frame, state, tuple(frame.shape[1:]), patch)
        found.append((instances, state))
    return found


@pytest.mark.parametrize("carry", [False, True])
@pytest.mark.parametrize("delta", [0, 1, 3])
def test_a_replayed_step_gives_the_same(captures, delta, carry):
    opts = ["MODEL.RCF.NUM_REFERENCE_FRAMES", delta, "MODEL.RCF.CARRY_CODE", carry]
    plain = model_of("configs/synthvis/rcf_tiny.yaml", *opts, "MODEL.RCF.TEST.SCORE_THRESH", 0.3)
    if carry:
        torch.nn.init.normal_(plain.carrier.query.weight, std=0.3)
    graphed = deepcopy(plain)
    graphed.frame_step = graphs.GraphedStep(graphed)
    frames = video(5)
    expected, found = tracked(plain, frames), tracked(graphed, frames)
    for (want, want_state), (got, got_state) in zip(expected, found, strict=True):
        torch.testing.assert_close(got.class_probs, want.class_probs)
        assert torch.equal(got.pred_masks, want.pred_masks)
        assert torch.equal(got.track_ids, want.track_ids)
        assert len(got_state.references) == len(want_state.references)
        for a, b in zip(got_state.references, want_state.references, strict=True):
            torch.testing.assert_close(a.data, b.data)  # of a frame long replayed over
        assert (got_state.carried is not None) == carry
        if carry:
            torch.testing.assert_close(got_state.carried, want_state.carried)
    assert len(captures) == 1


def test_a_graph_for_each_size_and_none_for_the_number_of_objects(captures):
    model = model_of()
    model.frame_step = graphs.GraphedStep(model)
    for thresh in (0.0, 1.0, 0.1):
        model.score_thresh = thresh
        tracked(model, video(3))
    assert len(captures) == 1
    tracked(model, video(2, (64, 64)))
    assert len(captures) == 2
    tracked(model, video(1, (32, 32)))  # a first frame, which has no past, runs as it is
    assert len(captures) == 2


@pytest.mark.parametrize("carry", [False, True])
def test_several_videos_are_filled_up_to_a_power_of_two(captures, carry):
    plain = model_of("configs/synthvis/rcf_tiny.yaml", "MODEL.RCF.CARRY_CODE", carry)
    graphed = deepcopy(plain)
    graphed.frame_step = graphs.GraphedStep(graphed)
    states = {model: [OnlineState()] * 4 for model in (plain, graphed)}
    frames = [video(16)[start::4] for start in range(4)]
    for number, count in enumerate((4, 3, 4, 2)):
        images, found = [of_video[number] for of_video in frames[:count]], {}
        for model in (plain, graphed):
            found[model] = model.track_each(images, states[model][:count], (50, 90))
            states[model][:count] = [state for _, state in found[model]]
        for (want, _), (got, _) in zip(found[plain], found[graphed], strict=True):
            torch.testing.assert_close(got.class_probs, want.class_probs)
            assert torch.equal(got.track_ids, want.track_ids)
    assert len(captures) == 2  # of 4, for 3 as well, and of 2
    assert states[graphed][3].references[0].image_sizes == ((50, 90),)


def test_with_sound(captures):
    plain = model_of("configs/synthvis/rcf_tiny_av.yaml")
    graphed = deepcopy(plain)
    graphed.frame_step = graphs.GraphedStep(graphed)
    audio = [torch.randn(plain.audio.patch_frames, 64) for _ in range(3)] + [None]
    frames = video(4)
    expected, found = tracked(plain, frames, audio), tracked(graphed, frames, audio)
    for (want, want_state), (got, got_state) in zip(expected, found, strict=True):
        torch.testing.assert_close(got.class_probs, want.class_probs)
        torch.testing.assert_close(got_state.audio_features, want_state.audio_features)
    assert len(captures) == 1


def test_another_size_is_another_video(captures):
    model = model_of()
    model.frame_step = graphs.GraphedStep(model)
    _, state = tracked(model, video(2))[-1]
    with pytest.raises(ValueError, match=r"a frame of \(64, 90\) pixels .* frames of \(50, 90\)"):
        model.track(video(1, (64, 90))[0], state, (64, 90))


def test_the_oldest_graph_goes_and_a_copy_captures_its_own(captures, monkeypatch):
    monkeypatch.setattr(graphs, "_LIMIT", 2)
    model = model_of()
    model.frame_step = graphs.GraphedStep(model)
    for width in (32, 64, 96):
        tracked(model, video(2, (32, width)))
    tracked(model, video(2, (32, 96)))
    assert len(captures) == 3
    tracked(model, video(2, (32, 32)))
    assert len(captures) == 4
    copy = deepcopy(model)
    assert copy.frame_step._model is copy
    tracked(copy, video(2, (32, 32)))
    assert len(captures) == 5


def test_constants_outlive_their_eviction(captures):
    """The addresses of what a graph reads must stay its own."""
    model = model_of()
    model.frame_step = graphs.GraphedStep(model)
    tracked(model, video(2))
    (graph,) = model.frame_step._graphs.values()
    assert len(graph._held) == len(model.constants.kept()) > 3
