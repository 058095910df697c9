"""Reading frames: lazily, checked, one at a time."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import torch
from detectron2.data import transforms as T
from PIL import Image

from rcf_vis.data import DatasetError, LazyFrames, frames, read_frame

SIZE = {"height": 48, "width": 64}


@pytest.fixture
def files(tmp_path) -> list[str]:
    """Five frames of 64x48; frame i is red = i, green = 100, blue = 200 all over."""
    paths = []
    for i in range(5):
        path = tmp_path / f"{i:05d}.png"
        Image.new("RGB", (64, 48), (i, 100, 200)).save(path)
        paths.append(str(path))
    return paths


def lazy(files: list[str], **kwargs) -> LazyFrames:
    options = {"video_id": 7, "image_format": "BGR", "resize": T.ResizeShortestEdge(24, 100)}
    return LazyFrames(files, **{**SIZE, **options, **kwargs})


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """Names of the files that are read, in order."""
    names = []
    open_image = frames.open_image

    def counting(name):
        names.append(name)
        return open_image(name)

    monkeypatch.setattr(frames, "open_image", counting)
    return names


def test_a_frame_is_read_when_it_is_asked_for_and_never_before(files, opened):
    video = lazy(files)
    assert len(video) == 5 and opened == []
    assert video[3].shape == (3, 24, 32)
    assert opened == [files[3]]
    assert video[-1][2, 0, 0] == 4 and video[3][2, 0, 0] == 3
    assert opened == [files[3], files[4], files[3]]  # nothing is kept
    iterator = iter(video)
    next(iterator), next(iterator)
    assert opened[3:] == files[:2]
    assert [int(frame[2, 0, 0]) for frame in video] == [0, 1, 2, 3, 4]


def test_one_frame_in_memory_at_a_time(files):
    alive, peak = [], 0
    for frame in lazy(files * 40):
        alive = [reference for reference in alive if reference() is not None]
        alive.append(weakref.ref(frame))
        peak = max(peak, len(alive))
    assert peak <= 2  # the loop's own and the one before, which it has just let go
    del frame
    gc.collect()
    assert [reference for reference in alive if reference() is not None] == []


def test_channels_and_type(files):
    bgr, rgb = lazy(files)[1], lazy(files, image_format="RGB")[1]
    assert bgr.dtype == torch.uint8 and bgr.is_contiguous()
    assert bgr[:, 0, 0].tolist() == [200, 100, 1]
    assert rgb[:, 0, 0].tolist() == [1, 100, 200]


def test_out_of_range_and_slices(files, opened):
    video = lazy(files)
    with pytest.raises(IndexError):
        video[5]
    part = video[1:4:2]
    assert isinstance(part, LazyFrames) and opened == []
    assert [int(frame[2, 0, 0]) for frame in part] == [1, 3]


def test_it_can_be_pickled_without_its_frames(files):
    data = pickle.dumps(lazy(files))
    assert len(data) < 2000
    assert torch.equal(pickle.loads(data)[2], lazy(files)[2])


def test_a_missing_frame_is_named(files, tmp_path):
    video = lazy([files[0], str(tmp_path / "gone.jpg")])
    assert video[0].shape == (3, 24, 32)
    with pytest.raises(FileNotFoundError, match=r"video 7, frame .*gone\.jpg: no such file"):
        video[1]


@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_a_broken_jpg_is_named(tmp_path, keep):
    path = tmp_path / "00003.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep == 0.5 else keep])
    with pytest.raises(DatasetError, match=r"video 7, frame .*00003\.jpg: .*cannot be read"):
        read_frame(str(path), image_format="BGR", video_id=7, **SIZE)


def test_a_frame_of_another_size_is_named(files, tmp_path):
    other = tmp_path / "small.png"
    Image.new("RGB", (48, 64)).save(other)
    video = lazy([*files, str(other)])
    with pytest.raises(DatasetError, match=r"video 7, frame .*small\.png: .*48x64.*expected 64x48"):
        list(video)
