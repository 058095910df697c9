"""Images that nobody has vouched for, and those of more than 8 bits."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from rcf_vis.data.frames import read_frame, read_resized_frame
from rcf_vis.data.images import read_image
from rcf_vis.errors import DatasetError
from rcf_vis.inference.video_io import open_frames


def png(path, width, height, depth=8, kind=0, lines=4) -> str:
    """A grey picture of any size in its header, and some lines."""
    row = bytes(1 + width * depth // 8)

    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    pixels = zlib.compress(row * min(lines, height))
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return str(path)


@pytest.mark.parametrize("size", [(30000, 30000), (13000, 13000), (2**31 - 1, 2), (50_000_001, 1)])
def test_a_picture_over_the_limit_is_not_decoded(tmp_path, size):
    path = png(tmp_path / "bomb.png", *size, lines=0)
    message = "over the limit of 50000000; LIMITS.IMAGE_PIXELS"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(DatasetError, match=message):
            read_image(path, "RGB")
        with pytest.raises(ValueError, match=rf"bomb\.png is broken or not an image: .*{message}"):
            open_frames(path)


@pytest.mark.parametrize("read", [read_frame, read_resized_frame])
def test_a_frame_of_another_size_is_not_decoded(tmp_path, read, monkeypatch):
    path = png(tmp_path / "x.png", 6000, 5000, lines=0)  # within the limit, without pixels
    where = {"image_format": "RGB", "height": 6, "width": 5, "video_id": 3}
    if read is read_resized_frame:
        where["size"] = (3, 2)
    with pytest.raises(DatasetError, match=r"video 3, frame .*x\.png: the image has 6000x5000 pix"):
        read(path, **where)


def test_the_limit_can_be_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    path = png(tmp_path / "x.png", 200_000_000, 1)
    with pytest.raises(DatasetError, match="over the limit"):
        read_image(path, "RGB")
    monkeypatch.setenv("RCF_LIMIT_IMAGE_PIXELS", "200000000")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DatasetError, match="cannot be read"):  # cut off, but decoded
            read_image(png(tmp_path / "y.png", 199_000_000, 1, lines=0), "RGB")


def test_what_is_no_image(tmp_path):
    (tmp_path / "x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n")
    (tmp_path / "y.png").write_bytes(b"")
    os.mkfifo(tmp_path / "z.png")
    for name, message in {
        "x.png": "cannot identify image file",  # for EPS, Pillow starts Ghostscript
        "y.png": "cannot identify image file",
        "z.png": "is a named pipe, expected a file",
        ".": "is a folder, expected a file",
        "/dev/zero": "is a device, expected a file",
    }.items():
        with pytest.raises(DatasetError, match=message):
            read_image(tmp_path / name, "RGB")
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "no\0name", "RGB")


RAMP = np.linspace(0, 65535, 64).reshape(8, 8)
EXPECTED = np.round(RAMP / 257)


@pytest.mark.parametrize(
    ("values", "suffix"),
    [
        (RAMP.astype(np.uint16), "png"),
        (RAMP.astype(np.uint16), "tiff"),
        (RAMP.astype(np.int32), "tiff"),
        ((RAMP / 257).astype(np.int32), "tiff"),
        ((RAMP / 65535).astype(np.float32), "tiff"),
        ((RAMP / 257).astype(np.float32), "tiff"),
        (RAMP.astype(np.float32), "tiff"),
        ((RAMP * 9).astype(np.float32), "tiff"),
    ],
)
def test_more_than_8_bits_are_scaled(tmp_path, values, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(values).save(path)
    where = {"height": 8, "width": 8, "video_id": 1}
    for found in (
        read_image(path, "RGB"),
        read_frame(str(path), image_format="BGR", **where),
        read_resized_frame(str(path), image_format="RGB", size=(8, 8), **where),
        next(iter(open_frames(path))),
    ):
        assert found.shape == (8, 8, 3) and found.dtype == np.uint8
        assert np.abs(found - EXPECTED[:, :, None]).max() <= 1


def test_dark_16_bits_stay_dark_and_broken_floats_are_black(tmp_path):
    Image.fromarray(np.full((2, 2), 200, np.uint16)).save(tmp_path / "x.png")
    assert (read_image(tmp_path / "x.png", "RGB") == 1).all()
    values = np.array([[np.nan, np.inf], [-np.inf, 0.5]], np.float32)
    Image.fromarray(values).save(tmp_path / "x.tiff")
    assert read_image(tmp_path / "x.tiff", "RGB")[:, :, 0].tolist() == [[0, 0], [0, 128]]
