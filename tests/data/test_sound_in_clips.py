"""The mapper and the loaders give each frame its own sound."""

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
from rcf_vis.data.audio import FrameSound

from .mappers import indices, plain_mapper
from .sound_data import SILENCE, heard, noise, write_sound_dataset

ETA = 16
RATE = 10.0
SOUND = noise(0.6)


@pytest.fixture
def records(tmp_path) -> list[dict]:
    """Video 1 with sound, video 2 without."""
    paths = write_sound_dataset(tmp_path, {"video1": SOUND}, lengths=(6, 6), frame_rate=RATE)
    return load_ytvis_json(*paths[:2], audio_root=paths[2])


def mapper(**kwargs) -> ClipDatasetMapper:
    return plain_mapper(sound=FrameSound(patch_frames=ETA), **kwargs)


def expected(frames) -> torch.Tensor:
    return torch.stack([heard(SOUND, t, RATE, ETA) for t in frames])


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


def test_frames_that_are_far_apart_keep_their_sound(records, monkeypatch):
    from rcf_vis.data import dataset_mapper

    monkeypatch.setattr(dataset_mapper, "clip_indices", lambda target, past: [0, 2, 5])
    sample = mapper()(records[0])
    assert indices(sample) == [0, 2, 5]
    assert torch.allclose(sample["audio"], expected([0, 2, 5]), atol=1e-5)


def test_silence_where_there_is_no_sound(records):
    silence = torch.full((3, ETA, 64), SILENCE)
    without = {
        key: value for key, value in records[0].items() if key not in ("audio_file", "frame_rate")
    }
    for record in (records[1], without, {**without, "still_image": True}):
        assert torch.equal(mapper()(record)["audio"], silence)


def test_a_model_that_does_not_hear_is_given_no_sound(records, cfg):
    assert "audio" not in plain_mapper()(records[0])
    assert not {"audio", "audio_features"} & set(ClipDatasetMapper(cfg)(records[0]))
    assert "audio" not in ClipDatasetMapper(cfg, is_train=False)(records[0])


def test_the_config_switches_the_sound_on(records, cfg):
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
            name, {}, *write_sound_dataset(tmp_path / name, lengths=(2, 3), **kwargs)
        )
        names.append(name)
        return name

    yield make
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture
def hearing_cfg(cfg):
    cfg.MODEL.RCF.AUDIO.ENABLED, cfg.MODEL.RCF.AUDIO.NUM_FRAMES = True, ETA
    return cfg


def test_sets_with_and_without_sound_are_mixed(register, hearing_cfg):
    sounding = register("test_clips_sound", sounds={"video1": SOUND, "video2": SOUND})
    silent = register("test_clips_silent", sounds={})
    hearing_cfg.DATASETS.TRAIN, hearing_cfg.DATASETS.DATASET_RATIO = (sounding, silent), [1, 1]
    loader, heard_of = iter(build_train_loader(hearing_cfg)), {sounding: set(), silent: set()}
    for _ in range(8):
        for clip in next(loader):
            name = sounding if sounding in clip["file_names"][0] else silent
            assert clip["audio"].shape == (2, ETA, 64)
            heard_of[name].add(bool((clip["audio"] != np.float32(SILENCE)).any()))
    assert heard_of == {sounding: {True}, silent: {False}}


def test_the_sound_of_a_whole_video_passes_through_worker_processes(register, hearing_cfg):
    name = register("test_clips_workers", sounds={"video2": SOUND}, frame_rate=RATE)
    hearing_cfg.DATALOADER.NUM_WORKERS = 1
    first, second = (batch[0] for batch in build_test_loader(hearing_cfg, name))
    assert len(first["audio"]) == 2 and len(second["audio"]) == 3
    assert torch.allclose(torch.stack(list(second["audio"])), expected(range(3)), atol=1e-5)


def test_outdated_features_stop_before_the_first_step(register, hearing_cfg, tmp_path):
    name = register("test_clips_cached", sounds={"video1": SOUND})
    hearing_cfg.DATASETS.TRAIN = (name,)
    cache = AudioFeatureCache(str(tmp_path / "cache"), "abc")
    cache.write({"audio_file": None}, torch.zeros(1, 4))
    sound = FrameSound(patch_frames=ETA, cache=cache)
    with pytest.raises(DatasetError, match="video 1, features of its sound .*not there"):
        build_train_loader(hearing_cfg, mapper=plain_mapper(references=1, sound=sound))
    with pytest.raises(DatasetError, match="video 1, features of its sound .*not there"):
        build_test_loader(hearing_cfg, name, mapper=plain_mapper(references=1, sound=sound))
