"""Frames out: rate, size, content, and nothing half-written."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from rcf_vis.inference.video_io import open_frames
from rcf_vis.inference.video_writer import ImageFolderWriter, VideoWriter, open_writer


def grey(value, height=32, width=48):
    return np.full((height, width, 3), value, np.uint8)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), 12.5, 6, Fraction(179, 6), Fraction(1, 3)])
@pytest.mark.parametrize("suffix, length", [(".mp4", 7), (".mp4", 1), (".mkv", 7), (".mov", 2)])
def test_round_trip(tmp_path, rate, suffix, length):
    path = tmp_path / f"out{suffix}"
    with VideoWriter(path, frame_rate=rate) as writer:
        for index in range(length):
            writer.write(grey(30 * index))
    frames = open_frames(path)
    assert frames.frame_rate == Fraction(rate)
    assert (frames.width, frames.height) == (48, 32)
    means = [frame.mean() for frame in frames]
    assert means == pytest.approx([30 * index for index in range(length)], abs=2)
    assert names(tmp_path) == [path.name]


def test_codec_and_pixel_format(tmp_path):
    with VideoWriter(tmp_path / "out.mp4", frame_rate=6) as writer:
        writer.write(grey(0))
    with av.open(str(tmp_path / "out.mp4")) as container:
        codec = container.streams.video[0].codec_context
        assert codec.pix_fmt == "yuv420p"
        assert codec.name == ("h264" if "libx264" in av.codecs_available else "mpeg4")


def test_without_x264_the_codec_is_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libx264"})
    with VideoWriter(tmp_path / "out.mp4", frame_rate=Fraction(30000, 1001)) as writer:
        for value in (0, 100, 200):
            writer.write(grey(value))
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.name == "mpeg4"
    frames = open_frames(tmp_path / "out.mp4")
    assert frames.frame_rate == Fraction(30000, 1001)
    assert [frame.mean() for frame in frames] == pytest.approx([0, 100, 200], abs=4)


@pytest.mark.parametrize("height, width, padded", [(31, 47, (32, 48)), (32, 47, (32, 48))])
def test_odd_sizes_are_padded_at_right_and_bottom(tmp_path, height, width, padded):
    frame = grey(0, height, width)
    frame[:, width // 2 :] = 200
    with VideoWriter(tmp_path / "out.mp4", frame_rate=6) as writer:
        writer.write(frame)
    (back,) = open_frames(tmp_path / "out.mp4")
    assert back.shape == (*padded, 3)
    error = np.abs(back[:height, :width].astype(int) - frame)
    assert error.mean() < 3
    assert back[:, -1].mean() == pytest.approx(200, abs=4)  # the edge goes on


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", ["out.mp4", "frames"])
def test_nothing_is_left_after_an_exception(tmp_path, name, error):
    with pytest.raises(error), open_writer(tmp_path / name, frame_rate=6) as writer:
        for value in range(60):
            writer.write(grey(value))
        raise error
    assert names(tmp_path) == []


def test_an_older_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "out.mp4"
    path.write_bytes(b"older")
    with pytest.raises(ValueError), VideoWriter(path, frame_rate=6) as writer:
        writer.write(grey(0))
        writer.write(grey(0, height=34))
    assert path.read_bytes() == b"older"
    with VideoWriter(path, frame_rate=6) as writer:
        writer.write(grey(0))
        assert path.read_bytes() == b"older"
    assert open_frames(path).num_frames == 1


def test_a_video_without_frames_is_an_error(tmp_path):
    with (
        pytest.raises(ValueError, match=r"no frame was written to .*out\.mp4"),
        VideoWriter(tmp_path / "out.mp4", frame_rate=6),
    ):
        pass
    assert names(tmp_path) == []


def test_frames_are_checked(tmp_path):
    for frame in (grey(0).astype(np.float32), grey(0)[:, :, 0], np.zeros((4, 4, 4), np.uint8)):
        with (
            pytest.raises(ValueError, match="uint8"),
            VideoWriter(tmp_path / "a.mp4", frame_rate=6) as w,
        ):
            w.write(frame)
    with pytest.raises(ValueError, match="frame rate"):
        VideoWriter(tmp_path / "a.mp4", frame_rate=0)


def test_image_folder(tmp_path):
    folder = tmp_path / "new" / "frames"
    with open_writer(folder, frame_rate=6) as writer:
        for value in (10, 250):
            writer.write(grey(value))
        assert not folder.exists()
    assert names(folder) == ["00000.jpg", "00001.jpg"]
    assert names(tmp_path / "new") == ["frames"]
    assert cv2.imread(str(folder / "00001.jpg")).mean() == pytest.approx(250, abs=1)


def test_a_folder_with_images_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "mine.jpg"), grey(0))
    with pytest.raises(FileExistsError, match="already holds images"):
        ImageFolderWriter(tmp_path).__enter__()
    assert names(tmp_path) == ["mine.jpg"]


def test_kind_of_output(tmp_path):
    assert isinstance(open_writer("a/out.MP4", frame_rate=6), VideoWriter)
    assert isinstance(open_writer("a/out", frame_rate=6), ImageFolderWriter)
    with pytest.raises(ValueError, match=r"out\.gif: expected \.mp4"):
        open_writer("a/out.gif", frame_rate=6)
