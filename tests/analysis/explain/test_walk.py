"""Videos to explain: which frames are drawn, what the audio holds, what is annotated."""

import json
import wave

import numpy as np
import pytest
import torch

from rcf_vis import OnlinePredictor
from rcf_vis.analysis.explain.walk import (
    VideoSource,
    explain_frames,
    video_of_frames,
    video_of_record,
)
from rcf_vis.audio import AudioFile, split_by_frames
from rcf_vis.data import load_ytvis_json
from rcf_vis.inference.video_io import open_frames
from tests.data.clip_data import make_content, object_mask, write_frames


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [(20, 4, [1, 7, 13, 19]), (20, 1, [1]), (3, 4, [1, 2]), (9, 0, []), (None, 3, [1, 2, 3])],
)
def test_drawn_frames_have_one_before_them(length, count, expected):
    assert VideoSource("v", length, lambda: ()).spread(count) == expected


@pytest.fixture
def record(tmp_path):
    content = make_content(lengths=(4,), size=(64, 96), absent=((1, 2),))
    content["annotations"].append({**content["annotations"][0], "id": 19, "iscrowd": 1})
    write_frames({**content, "annotations": content["annotations"][:2]}, tmp_path)
    (tmp_path / "instances.json").write_text(json.dumps(content))
    return load_ytvis_json(str(tmp_path / "instances.json"), str(tmp_path))[0]


def test_a_record(record):
    video = video_of_record(record)
    assert (video.name, video.length, video.audio) == ("1", 4, None)
    assert [frame.image.shape for frame in video.frames()] == [(64, 96, 3)] * 4
    assert [set(video.truth(t)) for t in range(4)] == [{10, 11}, {10, 11}, {10}, {10, 11}]
    assert np.array_equal(video.truth(3)[11].numpy(), object_mask(64, 96, 1, 3))
    del record["annotations"]
    assert video_of_record(record).truth is None


def test_a_folder(record, tmp_path):
    video = video_of_frames(open_frames(str(tmp_path / "video1")), "clip")
    assert (video.name, video.length, video.truth, video.audio) == ("clip", 4, None, None)
    assert len(list(video.frames())) == len(list(video.frames())) == 4  # it can be walked again


@pytest.fixture
def audio(tmp_path):
    """A quarter of a second at 8 kHz in which sample k is k / 32768."""
    path = tmp_path / "audio.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(np.arange(2000, dtype="<i2").tobytes())
    return str(path)


def pieces_of(path, count, frame_rate=10):
    """By the rule of training: split by the frame rate."""
    file = AudioFile(path)
    pieces = split_by_frames(file, sample_rate=file.sample_rate, frame_rate=frame_rate)
    return [{"audio": next(pieces), "sample_rate": file.sample_rate} for _ in range(count)]


@pytest.mark.parametrize("with_audio", [True, False])
def test_what_the_model_is_given(record, patch_cfg, audio, with_audio):
    keys = patch_cfg.MODEL.RCF.AUDIO
    keys.ENABLED, keys.NET, keys.FREEZE = with_audio, "small", False
    keys.FEATURE_DIM, keys.LSTM_HIDDEN = 16, 8
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
    video = video_of_record({**record, "audio_file": audio, "frame_rate": 10.0})
    predictor = OnlinePredictor(patch_cfg)
    frames = list(explain_frames(predictor, video, {1, 2}, length=3))
    assert [frame.number for frame in frames] == [0, 1, 2]
    assert [frame.step.attention is None for frame in frames] == [True, False, False]
    assert all(frame.slots == [0, 1, 2, 3, 4] for frame in frames)
    groups = {"target": 6, "reference": 4, **({"audio": 2} if with_audio else {})}
    assert frames[1].step.attention.groups == groups
    predictor.reset()
    for frame, given in zip(frames, pieces_of(audio, 3), strict=True):
        expected = predictor(frame.picture, **(given if with_audio else {}))
        assert torch.equal(frame.instances.class_probs, expected.class_probs)
    assert not any(module._forward_hooks for module in predictor.model.modules())
