"""Features of audio on disk: used where they are of this audio and this net, and nowhere else."""

import os
from pathlib import Path

import pytest
import torch

from rcf_vis.audio.feature_cache import AudioFeatureCache, audio_fingerprint
from rcf_vis.data import DatasetError
from rcf_vis.data.audio import FrameAudio
from tests.data.audio_data import noise, write_wav

LENGTH = 5
FEATURES = torch.arange(LENGTH * 3, dtype=torch.float32).view(LENGTH, 3)


@pytest.fixture
def record(tmp_path) -> dict:
    write_wav(tmp_path / "cow.wav", noise(1.0))
    path = str(tmp_path / "cow.wav")
    return {"video_id": 4, "length": LENGTH, "frame_rate": 5.0, "audio_file": path}


@pytest.fixture
def cache(tmp_path, record) -> AudioFeatureCache:
    cache = AudioFeatureCache(str(tmp_path / "cache"), "abc")
    cache.write(record, FEATURES)
    cache.write({"audio_file": None}, -torch.ones(1, 3))
    return cache


def test_what_was_written_is_read(cache, record):
    assert torch.equal(cache.read(record), FEATURES)
    for indices in ([0], [4, 4, 2], [3, 1], range(LENGTH)):
        assert torch.equal(cache.read(record, indices), FEATURES[list(indices)])
    assert cache.fault(record) is None
    cache.check([record])


def test_one_file_a_video_and_nothing_beside_it(cache, record):
    names = sorted(path.name for path in cache.folder.iterdir())
    assert len(names) == 2 and names[0].startswith("cow-") and names[1] == "silence.safetensors"
    plain = cache.folder / "plain"
    plain.touch()
    assert len({path.stat().st_mode for path in cache.folder.iterdir()}) == 1  # as any other file


def test_videos_without_audio_share_the_features_of_silence(cache):
    for video in ({"video_id": 1, "length": 2}, {"video_id": 2, "length": 2, "audio_file": None}):
        assert torch.equal(cache.read(video), -torch.ones(2, 3))
        assert torch.equal(cache.read(video, [0, 0, 1]), -torch.ones(3, 3))


def test_the_mapper_is_given_features_in_place_of_patches(cache, record):
    audio = FrameAudio(cache=cache)
    some = audio.of_frames(record, [2, 2, 4])
    assert set(some) == {"audio_features"}
    assert torch.equal(some["audio_features"], FEATURES[[2, 2, 4]])
    video = audio.of_video(record)
    assert set(video) == {"audio_features"}
    assert torch.equal(torch.stack(list(video["audio_features"])), FEATURES)
    assert torch.equal(video["audio_features"][3], FEATURES[3])
    still = {"video_id": 1, "length": 1, "still_image": True}
    assert torch.equal(audio.of_frames(still, [0, 0])["audio_features"], -torch.ones(2, 3))


def _other_audio(record):
    write_wav(Path(record["audio_file"]), noise(0.9))


def _touched(record):
    stat = os.stat(record["audio_file"])
    os.utime(record["audio_file"], ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))


@pytest.mark.parametrize(
    ("change", "what"), [(_other_audio, "size in bytes was 32"), (_touched, "date in ns was")]
)
def test_another_audio_outdates_the_features(cache, record, change, what):
    change(record)
    with pytest.raises(DatasetError, match=rf"video 4, features .*cow-.*outdated, {what}") as error:
        cache.read(record)
    assert "cache_audio.py" in str(error.value) and cache.fault(record) == str(error.value)
    with pytest.raises(DatasetError, match="outdated.*1 videos in all"):
        FrameAudio(cache=cache).check([record, {"video_id": 1, "length": 1}])


def test_another_net_outdates_all_features(cache, record):
    other = AudioFeatureCache(str(cache.folder), "def")
    for video in (record, {"video_id": 1, "length": 2}):
        with pytest.raises(DatasetError, match="outdated, audio net was abc and is now def"):
            other.read(video)
    other.write(record, FEATURES + 1)
    assert torch.equal(other.read(record), FEATURES + 1)


@pytest.mark.parametrize("change", [{"frame_rate": 6.0}, {"length": 4}])
def test_other_frames_have_features_of_their_own(cache, record, change):
    with pytest.raises(DatasetError, match="video 4, features of its audio .*: not there"):
        cache.read({**record, **change})


def test_what_is_missing_or_broken_is_named(cache, record, tmp_path):
    cache.path(record).write_bytes(b"no features")
    with pytest.raises(DatasetError, match="video 4, features .*cannot be read"):
        cache.read(record)
    cache.path(record).unlink()
    with pytest.raises(DatasetError, match=r"video 4, features .*not there; .*cache_audio\.py"):
        cache.read(record)
    (tmp_path / "cow.wav").unlink()
    with pytest.raises(FileNotFoundError, match=r"video 4, audio .*cow\.wav"):
        cache.read(record)


def test_the_fingerprint_is_that_of_weights_and_patches():
    def of(weights, net="small", patch_frames=96):
        return audio_fingerprint(weights, net=net, patch_frames=patch_frames)

    weights = {"a": torch.randn(2, 3), "b": torch.randn(3)}
    other = {"b": weights["b"].clone(), "a": weights["a"].clone()}
    assert of(weights) == of(other)
    assert len({of(weights), of(weights, patch_frames=95), of(weights, net="vggish")}) == 3
    other["b"][1] += 1e-6
    assert of(weights) != of(other)
