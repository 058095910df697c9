"""Frames in: video files, folders, globs; order, size, rotation, memory and bad input."""

import itertools
import logging
import os
import struct
import weakref
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from rcf_vis.inference.video_io import ImageSequence, open_frames
from rcf_vis.inference.video_writer import VideoWriter
from tests.inference.videos import damaged_video, video_of_varying_rate


def grey(value, height=32, width=48):
    return np.full((height, width, 3), value, np.uint8)


def write_video(path, frames, frame_rate=10):
    with VideoWriter(path, frame_rate=frame_rate) as writer:
        for frame in frames:
            writer.write(frame)
    return path


def write_images(folder, names, **size):
    folder.mkdir()
    for index, name in enumerate(names):
        cv2.imwrite(str(folder / name), grey(20 * index, **size))
    return folder


def test_video_fields_and_content(tmp_path):
    frames = open_frames(
        write_video(tmp_path / "a.mp4", [grey(40 * i) for i in range(5)], Fraction(25, 2))
    )
    assert (frames.width, frames.height, frames.num_frames) == (48, 32, 5)
    assert frames.frame_rate == Fraction(25, 2)
    assert frames.name == str(tmp_path / "a.mp4")
    for _ in range(2):  # it can be read twice
        means = [frame.mean() for frame in frames]
        assert means == pytest.approx([0, 40, 80, 120, 160], abs=2)


def test_video_frames_are_bgr(tmp_path):
    blue = grey(0)
    blue[:, :, 0] = 200
    (frame,) = open_frames(write_video(tmp_path / "a.mp4", [blue]))
    assert frame.dtype == np.uint8
    assert frame.reshape(-1, 3).mean(0) == pytest.approx([200, 0, 0], abs=2)


@pytest.mark.parametrize(
    "matrix, size, red",
    [
        ((1, 0, 0, 1), (64, 32), (0, 0)),
        ((0, 1, -1, 0), (32, 64), (0, 1)),  # a quarter clockwise: the upper left goes to the right
        ((-1, 0, 0, -1), (64, 32), (1, 1)),
        ((0, -1, 1, 0), (32, 64), (1, 0)),
    ],
)
def test_rotation_of_the_metadata_is_honoured(tmp_path, matrix, size, red):
    image = grey(0, height=32, width=64)
    image[:16, :32, 2] = 255
    path = write_video(tmp_path / "a.mp4", [image, image])
    content = bytearray(path.read_bytes())
    start = content.find(b"tkhd") + 44  # the matrix of a version 0 track header
    a, b, c, d = (value << 16 for value in matrix)
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    frames = open_frames(path)
    assert (frames.width, frames.height) == size
    for frame in frames:
        assert frame.shape == (size[1], size[0], 3)
        quarters = frame[:, :, 2].reshape(2, size[1] // 2, 2, size[0] // 2).mean((1, 3))
        assert tuple(np.unravel_index(quarters.argmax(), (2, 2))) == red


def test_full_range_jpeg_pixels(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
        for value in (0, 255):
            picture = av.VideoFrame.from_ndarray(grey(value), format="bgr24")
            container.mux(stream.encode(picture.reformat(format="yuvj420p")))
        container.mux(stream.encode(None))
    assert [frame.mean() for frame in open_frames(path)] == pytest.approx([0, 255], abs=3)


def test_folder_in_natural_order_without_hidden_files(tmp_path):
    folder = write_images(tmp_path / "a", ["2.png", "10.png", "1.PNG"])
    (folder / "._1.png").write_bytes(b"resource fork")
    (folder / "notes.txt").write_text("no image")
    frames = open_frames(folder)
    assert (frames.frame_rate, frames.num_frames) == (None, 3)
    assert (frames.width, frames.height) == (48, 32)
    assert [int(frame[0, 0, 0]) for frame in frames] == [40, 0, 20]  # 1, 2, 10


def test_glob_list_and_single_image(tmp_path):
    folder = write_images(tmp_path / "a", ["b10.png", "b9.png", "c1.png"])
    assert [int(f[0, 0, 0]) for f in open_frames(str(folder / "b*.png"))] == [20, 0]
    assert [int(f[0, 0, 0]) for f in open_frames(folder / "c1.png")] == [40]
    given = [folder / "c1.png", folder / "b10.png"]
    assert [int(f[0, 0, 0]) for f in open_frames(given)] == [40, 0]


def test_glob_that_matches_two_videos(tmp_path):
    for name in ("b.mp4", "a.mp4"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"\*\.mp4 matches 2 files .*a\.mp4, .*b\.mp4\): expected"):
        open_frames(str(tmp_path / "*.mp4"))


def test_no_images():
    with pytest.raises(FileNotFoundError, match="nothing: no image was given"):
        ImageSequence([], name="nothing")


def test_glob_that_matches_one_video(tmp_path):
    write_video(tmp_path / "a.mp4", [grey(0)])
    assert open_frames(str(tmp_path / "*.mp4")).frame_rate == 10


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_one_frame_in_memory(tmp_path, kind):
    if kind == "video":
        source = write_video(tmp_path / "a.mp4", [grey(i) for i in range(6)])
    else:
        source = write_images(tmp_path / "a", [f"{i}.png" for i in range(6)])
    alive = []
    for frame in open_frames(source):
        assert all(reference() is None for reference in alive)
        alive.append(weakref.ref(frame))
        del frame
    assert len(alive) == 6


def test_nothing_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.mp4"):
        open_frames(tmp_path / "nothing.mp4")
    with pytest.raises(FileNotFoundError, match=r"\*\.jpg"):
        open_frames(str(tmp_path / "*.jpg"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no image in the folder .*empty"):
        open_frames(tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="no such image: .*b.jpg"):
        open_frames([str(tmp_path / "b.jpg"), str(tmp_path / "c.jpg")])


def test_several_inputs_must_be_images(tmp_path):
    paths = [write_video(tmp_path / f"{name}.mp4", [grey(0)]) for name in "ab"]
    with pytest.raises(ValueError, match=r"a\.mp4 is not an image"):
        open_frames(paths)


@pytest.mark.parametrize("content", [b"", b"this is not a video"])
def test_not_a_video(tmp_path, content):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mp4"):
        open_frames(path)


def test_cut_off_mp4(tmp_path):
    path = write_video(tmp_path / "a.mp4", [grey(i) for i in range(20)])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"a\.mp4 is not a video"):
        open_frames(path)


def test_cut_off_mkv_warns(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("rcf_vis"), "propagate", True)
    noise = np.random.default_rng(0).integers(0, 255, (30, 64, 96, 3), np.uint8)
    path = write_video(tmp_path / "a.mkv", noise)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    frames = open_frames(path)
    assert 0 < sum(1 for _ in frames) < 27
    assert "cut off" in caplog.text and "a.mkv" in caplog.text


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.avi", "mjpeg", "yuvj420p"), ("a.mkv", "mpeg4", "yuv420p"), ("a.mkv", "libx264", "yuv420p"),
     ("a.mov", "prores", "yuv422p10le"), ("a.webm", "libvpx-vp9", "yuv420p")],
)  # fmt: skip
def test_a_damaged_packet_is_skipped_counted_and_said(tmp_path, caplog, name, codec, pix_fmt):
    if codec not in av.codecs_available:
        pytest.skip(f"PyAV has no {codec}")
    path = damaged_video(tmp_path / name, codec, {2}, pix_fmt)
    frames = list(open_frames(path).timed())
    means = [frame.image.mean() for frame in frames]
    assert len(frames) >= 5 and means[-1] == pytest.approx(200, abs=6)
    assert [round(10 * frame.start) for frame in frames] in ([0, 1, 3, 4, 5], [0, 1, 2, 3, 4, 5])
    assert f"{name} is damaged" in caplog.text
    assert ("1 of 6 packets" in caplog.text) == (len(frames) == 5)
    if codec != "libx264":  # whose decoder loses the frame without an error
        with pytest.raises(ValueError, match=rf"frame [12] of .*{name} cannot be decoded"):
            list(open_frames(path, on_error="stop"))
    with pytest.raises(ValueError, match="on_error is 'ignore', expected one of"):
        open_frames(path, on_error="ignore")


def test_frames_have_their_own_times(tmp_path):
    times = [Fraction(n, 10) for n in (0, 1, 2, 10, 11, 25)]
    found = list(open_frames(video_of_varying_rate(tmp_path / "a.mkv", times)).timed())
    assert [frame.start for frame in found] == times
    for frame, following in zip(found, found[1:], strict=False):
        assert frame.start < frame.end <= following.start
    constant = open_frames(write_video(tmp_path / "b.mp4", [grey(0)] * 4, Fraction(30000, 1001)))
    spans = [(frame.start, frame.end) for frame in constant.timed()]
    assert spans == [(Fraction(n * 1001, 30000), Fraction((n + 1) * 1001, 30000)) for n in range(4)]


def test_a_name_with_a_colon_is_that_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_video("cam1-10:22:33.mp4", [grey(7)] * 3)
    assert len(list(open_frames("cam1-10:22:33.mp4"))) == 3


def test_a_cover_picture_is_not_the_video(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 200, 160, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for number in range(5):
            for to, size in [(stream, (32, 48)), *([(cover, (160, 200))] if number == 0 else [])]:
                picture = av.VideoFrame.from_ndarray(grey(100, *size), format="bgr24")
                picture.pts = number
                container.mux(to.encode(picture.reformat(format=to.pix_fmt)))
        for to in (stream, cover):
            container.mux(to.encode(None))
    frames = open_frames(path)
    assert (frames.width, frames.height, len(list(frames))) == (48, 32, 5)


def test_no_video_stream(tmp_path):
    samples = bytes(200)
    header = b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt "
    header += struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    path = tmp_path / "a.wav"
    path.write_bytes(header + b"data" + struct.pack("<I", len(samples)) + samples)
    with pytest.raises(ValueError, match=r"a\.wav has no video stream"):
        open_frames(path)


def test_broken_image_is_named(tmp_path):
    folder = write_images(tmp_path / "a", ["0.jpg", "1.jpg", "2.jpg"])
    content = (folder / "1.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(content[: len(content) // 2])
    frames = iter(open_frames(folder))
    next(frames)
    with pytest.raises(ValueError, match=r"1\.jpg is broken"):
        next(frames)
    (folder / "0.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"0\.jpg is broken"):
        open_frames(folder)


def test_frames_of_different_size(tmp_path):
    folder = write_images(tmp_path / "a", ["0.png", "1.png"])
    cv2.imwrite(str(folder / "2.png"), grey(0, height=32, width=50))
    with pytest.raises(ValueError, match=r"2\.png is 50x32 .* 48x32"):
        list(open_frames(folder))


@pytest.mark.skipif("RCF_REAL_CLIPS" not in os.environ, reason="RCF_REAL_CLIPS is not set")
def test_real_videos():
    paths = sorted(Path(os.environ["RCF_REAL_CLIPS"]).glob("videos/*"))
    assert paths
    for path in paths:
        frames = open_frames(path)
        assert 5 <= frames.frame_rate <= 60 and frames.num_frames > 30, path
        shapes = [frame.shape for frame in itertools.islice(frames, 30)]
        assert shapes == [(frames.height, frames.width, 3)] * 30, path


@pytest.mark.parametrize("name", ["pipe.mp4", "pipe.png"])
def test_a_pipe_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} is a pipe or a device, expected a file"):
        open_frames(tmp_path / name)
