"""Many videos through one model: each as if it were alone, whatever the others do."""

import threading

import numpy as np
import pytest
import torch

from rcf_vis import OnlinePredictor, StreamPool
from rcf_vis.checkpoint import save_bare_weights

SIZES = [(70, 100), (48, 80)]


@pytest.fixture
def cfg(patch_cfg, tmp_path):
    """Of a model some of whose slots fire, with its weights in a file."""
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.3
    return with_weights(patch_cfg, tmp_path)


def with_weights(cfg, folder):
    torch.manual_seed(0)
    model = OnlinePredictor(cfg).model
    if model.carrier is not None:
        torch.nn.init.normal_(model.carrier.query.weight, std=0.3)
    save_bare_weights({"model": model.state_dict()}, folder / "weights.safetensors")
    cfg.MODEL.WEIGHTS = str(folder / "weights.safetensors")
    return cfg


def frames_of(stream, length=12):
    rng = np.random.default_rng(stream)
    size = SIZES[stream % 2]
    base = rng.integers(0, 256, (*size, 3))
    return [
        np.clip(base + rng.normal(0, 40, base.shape), 0, 255).astype(np.uint8)
        for _ in range(length)
    ]


def same(found, expected):
    assert found.track_ids.tolist() == expected.track_ids.tolist()
    assert found.slots.tolist() == expected.slots.tolist()
    torch.testing.assert_close(found.class_probs, expected.class_probs, atol=1e-5, rtol=1e-4)
    different = (found.pred_masks != expected.pred_masks).float().mean()
    assert found.pred_masks.shape == expected.pred_masks.shape and not different > 1e-3


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("delta", "carry"), [(0, False), (1, False), (3, False), (1, True)])
def test_each_stream_is_as_if_it_were_alone(patch_cfg, tmp_path, seed, delta, carry):
    """Streams join, pause, leave and come again by a random schedule."""
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.3
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
    patch_cfg.MODEL.RCF.CARRY_CODE = carry
    cfg = with_weights(patch_cfg, tmp_path)
    alone = OnlinePredictor(cfg)
    expected = {}
    for stream in range(5):
        alone.reset()
        expected[stream] = [alone(frame) for frame in frames_of(stream)]
    assert sum(len(found) for videos in expected.values() for found in videos) > 20

    rng, pool, places = np.random.default_rng(seed), StreamPool(cfg, max_batch=3), {}
    for _ in range(25):
        for stream in range(5):
            if stream not in places and rng.random() < 0.3:
                pool.join(stream)
                places[stream] = 0
            elif stream in places and (places[stream] == 12 or rng.random() < 0.05):
                pool.leave(stream)
                del places[stream]
        due = [stream for stream in places if places[stream] < 12 and rng.random() < 0.8]
        rng.shuffle(due)
        instances, errors = pool.step({s: frames_of(s)[places[s]] for s in due})
        assert list(instances) == due and errors == {}
        for stream in due:
            same(instances[stream], expected[stream][places[stream]])
            places[stream] += 1
    assert places.keys() == {s for s in range(5) if s in pool} and len(pool) == len(places)


def test_frames_of_one_size_go_through_the_network_together(cfg, monkeypatch):
    pool, batches = StreamPool(cfg), []
    frame_step = pool.model.frame_step

    def counted(images, *rest):
        batches.append(len(images))
        return frame_step(images, *rest)

    monkeypatch.setattr(pool.model, "frame_step", counted)
    for stream in range(6):
        pool.join(stream)
    for index in range(3):
        pool.step({stream: frames_of(stream)[index] for stream in range(6)})
    assert batches == [3, 3] * 3
    pool.join("new")
    pool.step({"new": frames_of(0)[0], 0: frames_of(0)[3], 2: frames_of(2)[3]})
    assert batches[6:] == [1, 2]


def test_a_broken_frame_is_the_error_of_its_stream_alone(cfg):
    pool, alone = StreamPool(cfg), OnlinePredictor(cfg)
    for stream in ("good", "broken"):
        pool.join(stream)
    good, other = frames_of(0), frames_of(2)
    pool.step({"good": good[0], "broken": other[0]})
    wrong = [None, other[0].astype(np.float32), other[0][:, :, 0], np.zeros((9, 9, 3), np.uint8)]
    words = [
        "uint8, got NoneType",
        "got ndarray of float32",
        "(H, W, 3)",
        "follows frames of shape",
    ]
    for index, (frame, word) in enumerate(zip(wrong, words, strict=True), 1):
        instances, errors = pool.step({"good": good[index], "broken": frame, "gone": good[0]})
        assert list(instances) == ["good"]
        assert word in str(errors["broken"]) and "no such stream has joined" in str(errors["gone"])
    instances, errors = pool.step({"good": good[5], "broken": other[1]})
    assert errors == {}
    for frames, name, count in ((other, "broken", 2), (good, "good", 6)):
        alone.reset()
        *_, last = [alone(frame) for frame in frames[:count]]
        same(instances[name], last)


def test_joining_twice_and_leaving_twice(cfg):
    pool = StreamPool(cfg)
    pool.join("a")
    with pytest.raises(ValueError, match="stream 'a' has joined already"):
        pool.join("a")
    pool.leave("a")
    with pytest.raises(ValueError, match=r"no stream 'a' to leave; there are \[\]"):
        pool.leave("a")
    with pytest.raises(ValueError, match="max_batch is 0"):
        StreamPool(cfg, max_batch=0)
    assert pool.step({}) == ({}, {})


def test_a_stream_that_leaves_during_a_step_is_waited_for(cfg, monkeypatch):
    pool, inside, goes_on = StreamPool(cfg), threading.Event(), threading.Event()
    pool.join("a")
    track_each = pool.model.track_each

    def slow(*args):
        inside.set()
        assert goes_on.wait(10)
        return track_each(*args)

    monkeypatch.setattr(pool.model, "track_each", slow)
    results = []
    stepping = threading.Thread(target=lambda: results.append(pool.step({"a": frames_of(0)[0]})))
    stepping.start()
    assert inside.wait(10)
    leaving = threading.Thread(target=pool.leave, args=("a",))
    leaving.start()
    leaving.join(0.05)
    assert leaving.is_alive()
    goes_on.set()
    stepping.join(10)
    leaving.join(10)
    assert list(results[0].instances) == ["a"] and "a" not in pool


def test_each_stream_has_its_own_audio(patch_cfg, tmp_path):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FREEZE = True, "small", False
    audio.FEATURE_DIM, audio.LSTM_HIDDEN = 12, 8
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    cfg = with_weights(patch_cfg, tmp_path)
    sounds = np.random.default_rng(1).uniform(-0.5, 0.5, (3, 4, 8000)).astype(np.float32)
    rates = {0: 16000, 2: 44100}  # stream 4 is silent
    alone, pool, expected = OnlinePredictor(cfg), StreamPool(cfg), {}
    for stream in (0, 2, 4):
        pool.join(stream)
        alone.reset()
        for index, frame in enumerate(frames_of(stream)[:4]):
            sound = {"audio": sounds[stream // 2, index], "sample_rate": rates.get(stream)}
            expected[stream, index] = alone(frame, **(sound if stream in rates else {}))
    for index in range(4):
        frames = {stream: frames_of(stream)[index] for stream in (0, 2, 4)}
        sound = {stream: sounds[stream // 2, index] for stream in rates}
        instances, errors = pool.step(frames, sound, rates)
        assert errors == {}
        for stream in frames:
            same(instances[stream], expected[stream, index])
    _, errors = pool.step({4: frames_of(4)[5]}, {0: sounds[0, 0], 4: sounds[0, 0]})
    assert "audio without a frame" in str(errors[0]) and "needs its sample_rate" in str(errors[4])
