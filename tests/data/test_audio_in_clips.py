"""The mapper and the loaders give each frame its own audio."""

import numpy as np
import pytest
import torch

from rcf_vis.audio.feature_cache import AudioFeatureCache
from rcf_vis.data import (
    ClipDatasetMapper,
    DatasetError,
    build_test_loader,
    build_train_loader,
    load_ytvis_json,
    register_ytvis_instances,
)
from rcf_vis.data.audio import FrameAudio

from .audio_data import SILENCE, expected_patch, noise, write_audio_dataset
from .mappers import indices, plain_mapper

ETA = 16
RATE = 10.0
AUDIO = noise(0.6)


@pytest.fixture
def records(tmp_path) -> list[dict]:
    """Video 1 with audio, video 2 without."""
    paths = write_audio_dataset(tmp_path, {"video1": AUDIO}, lengths=(6, 6), frame_rate=RATE)
    return load_ytvis_json(*paths[:2], audio_root=paths[2])


def mapper(**kwargs) -> ClipDatasetMapper:
    return plain_mapper(audio=FrameAudio(patch_frames=ETA), **kwargs)


def expected(frames) -> torch.Tensor:
    return torch.stack([expected_patch(AUDIO, t, RATE, ETA) for t in frames])


@pytest.mark.parametrize("target", [0, 1, 5])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("all_frames", [False, True])
def test_each_frame_of_a_clip_has_its_own_patch(
    records, target_is, monkeypatch, target, reverse, all_frames
):
    target_is(target)
    monkeypatch.setattr(np.random, "rand", lambda: 0.0)
    sample = mapper(all_frames=all_frames, time_reversal=reverse)(records[0])
    frames = indices(sample)
    assert len(frames) == (5 if all_frames else 3) == len(sample["audio"]) == len(sample["image"])
    assert frames[-1] == target and (frames[0] >= target if reverse else frames[0] <= target)
    assert sample["audio"].shape == (len(frames), ETA, 64)
    assert sample["audio"].dtype == torch.float32
    assert torch.allclose(sample["audio"], expected(frames), atol=1e-5)


def test_frames_that_are_far_apart_keep_their_audio(records, monkeypatch):
    from rcf_vis.data import dataset_mapper

    monkeypatch.setattr(dataset_mapper, "clip_indices", lambda target, past: [0, 2, 5])
    sample = mapper()(records[0])
    assert indices(sample) == [0, 2, 5]
    assert torch.allclose(sample["audio"], expected([0, 2, 5]), atol=1e-5)


def test_silence_where_there_is_no_audio(records):
    silence = torch.full((3, ETA, 64), SILENCE)
    without = {
        key: value for key, value in records[0].items() if key not in ("audio_file", "frame_rate")
    }
    for record in (records[1], without, {**without, "still_image": True}):
        assert torch.equal(mapper()(record)["audio"], silence)


def test_a_model_that_does_not_hear_is_given_no_audio(records, cfg):
    assert "audio" not in plain_mapper()(records[0])
    assert not {"audio", "audio_features"} & set(ClipDatasetMapper(cfg)(records[0]))
    assert "audio" not in ClipDatasetMapper(cfg, is_train=False)(records[0])


def test_the_config_switches_the_audio_on(records, cfg):
    cfg.MODEL.RCF.AUDIO.ENABLED, cfg.MODEL.RCF.AUDIO.NUM_FRAMES = True, ETA
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 3
    sample = ClipDatasetMapper(cfg)(records[0])
    assert torch.allclose(sample["audio"], expected(indices(sample)), atol=1e-5)
    video = ClipDatasetMapper(cfg, is_train=False)(records[0])["audio"]
    assert torch.allclose(torch.stack(list(video)), expected(range(6)), atol=1e-5)


@pytest.fixture
def register(tmp_path):
    from detectron2.data import DatasetCatalog, MetadataCatalog

    names = []

    def make(name, **kwargs):
        (tmp_path / name).mkdir()
        register_ytvis_instances(
            name, {}, *write_audio_dataset(tmp_path / name, lengths=(2, 3), **kwargs)
        )
        names.append(name)
        return name

    yield make
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture
def audio_cfg(cfg):
    cfg.MODEL.RCF.AUDIO.ENABLED, cfg.MODEL.RCF.AUDIO.NUM_FRAMES = True, ETA
    return cfg


def test_sets_with_and_without_audio_are_mixed(register, audio_cfg):
    sounding = register("test_clips_audio", audio={"video1": AUDIO, "video2": AUDIO})
    silent = register("test_clips_silent", audio={})
    audio_cfg.DATASETS.TRAIN, audio_cfg.DATASETS.DATASET_RATIO = (sounding, silent), [1, 1]
    loader, audio_of = iter(build_train_loader(audio_cfg)), {sounding: set(), silent: set()}
    for _ in range(8):
        for clip in next(loader):
            name = sounding if sounding in clip["file_names"][0] else silent
            assert clip["audio"].shape == (2, ETA, 64)
            audio_of[name].add(bool((clip["audio"] != np.float32(SILENCE)).any()))
    assert audio_of == {sounding: {True}, silent: {False}}


def test_the_audio_of_a_whole_video_passes_through_worker_processes(register, audio_cfg):
    name = register("test_clips_workers", audio={"video2": AUDIO}, frame_rate=RATE)
    audio_cfg.DATALOADER.NUM_WORKERS = 1
    first, second = (batch[0] for batch in build_test_loader(audio_cfg, name))
    assert len(first["audio"]) == 2 and len(second["audio"]) == 3
    assert torch.allclose(torch.stack(list(second["audio"])), expected(range(3)), atol=1e-5)


def test_outdated_features_stop_before_the_first_step(register, audio_cfg, tmp_path):
    name = register("test_clips_cached", audio={"video1": AUDIO})
    audio_cfg.DATASETS.TRAIN = (name,)
    cache = AudioFeatureCache(str(tmp_path / "cache"), "abc")
    cache.write({"audio_file": None}, torch.zeros(1, 4))
    audio = FrameAudio(patch_frames=ETA, cache=cache)
    with pytest.raises(DatasetError, match="video 1, features of its audio .*not there"):
        build_train_loader(audio_cfg, mapper=plain_mapper(references=1, audio=audio))
    with pytest.raises(DatasetError, match="video 1, features of its audio .*not there"):
        build_test_loader(audio_cfg, name, mapper=plain_mapper(references=1, audio=audio))
