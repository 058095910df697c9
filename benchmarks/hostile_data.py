"""Hostile data: jsons, masks, images, audio, video, for benchmarks/hostile_files.py."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from hostile_cases import (
    HEIGHT,
    WIDTH,
    Case,
    check,
    evaluate,
    good_set,
    listen,
    pipe,
    play,
    train,
    write_json,
)

__all__ = ["JSONS", "MEDIA"]

_NAN, _INF = float("nan"), float("inf")


def _set(part: str, **values: Any) -> Callable[[Path], Path]:
    """A json, of whose first video or annotation something is changed."""

    def make(folder: Path) -> Path:
        content = good_set()
        content[part][0].update(values)
        return write_json(folder, content)

    return make


def _mask(mask: Any) -> Callable[[Path], Path]:
    return _set("annotations", segmentations=[mask, None])


def _polygon(*values: Any) -> Callable[[Path], Path]:
    return _mask([[4, 4, 14, *values, 14, 14, 4, 14]])


def _results(**values: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        content = good_set()
        write_json(folder, content)
        (track,) = content["annotations"]
        return write_json(folder, [{**track, "score": 0.5, **values}], "results.json")

    return make


def _text(content: bytes, size: int = 0) -> Callable[[Path], Path]:
    """A json of some bytes, followed by a hole up to a size."""

    def make(folder: Path) -> Path:
        (folder / "frames").mkdir()
        with open(folder / "set.json", "wb") as file:
            file.write(content)
            file.truncate(max(size, len(content)))
        return folder / "set.json"

    return make


def _named(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "frames").mkdir()
        os.symlink("/etc/hostname", folder / "frames" / "link.png")
        return _set("videos", file_names=[name, "1.png"])(folder)

    return make


def _packed_results(size: int, kind: int = zipfile.ZIP_DEFLATED) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        write_json(folder, good_set())
        with zipfile.ZipFile(folder / "results.zip", "w", kind) as archive:
            with archive.open("results.json", "w", force_zip64=True) as file:
                for _ in range(size >> 24):
                    file.write(b" " * (1 << 24))
        return folder / "results.zip"

    return make


def _rle(*runs: int) -> dict[str, Any]:
    """In COCO's compressed form, also of runs that cannot be."""
    text = bytearray()
    for place, run in enumerate(runs):
        value = run - (runs[place - 2] if place > 2 else 0)
        last = False
        while not last:
            group, value = value & 31, value >> 5
            last = value == (-1 if group & 16 else 0)
            text.append(48 + group + (0 if last else 32))
    return {"size": [HEIGHT, WIDTH], "counts": text.decode()}


JSONS = (
    Case("json of 10^5 open lists", _text(b"[" * 10**5), train),
    Case("json of 10^5 open dicts", _text(b'{"a":' * 10**5), evaluate),
    Case("json of 1 TB, a hole", _text(b'{"a": 1', 2**40), train),
    Case("json of 1.9 GB of zeros", _text(b'{"a": 1', 1_900_000_000), check),
    Case("json of 1.9 GB of zeros, UTF-16", _text(b"\xff\xfe{\0", 1_900_000_000), evaluate),
    Case("json: a pipe", lambda folder: pipe(folder / "set.json"), train),
    Case("json: an id of 10^400", _set("videos", id=10**400), check),
    Case("json: a video of 10^18 pixels", _set("videos", width=10**9, height=10**9), train),
    Case("json: a video of 10^9 frames", _set("videos", length=10**9), train),
    Case("json: a polygon with NaN", _polygon(_NAN), train),
    Case("json: a polygon with null", _polygon(None), check),
    Case("json: a polygon with infinity", _polygon(_INF), evaluate),
    Case("json: a polygon at 3e8", _polygon(3e8), check),
    Case("json: a polygon at 1e308", _polygon(1e308), train),
    Case("json: a polygon of 10^9 pixels", _mask([[0, 0, 10**6, 10**6] * 500]), evaluate),
    Case("json: runs of 2^62 pixels", _mask({"size": [2**31] * 2, "counts": [2**62]}), train),
    Case("json: a negative run", _mask(_rle(500, -232, HEIGHT * WIDTH - 268)), check),
    Case("json: runs beyond 32 bits", _mask(_rle(2**32 + HEIGHT * WIDTH)), evaluate),
    Case("json: runs beyond 64 bits", _mask(_rle(*[2**62] * 4, HEIGHT * WIDTH)), train),
    Case("json: a box with NaN", _set("annotations", bboxes=[[0, 0, _NAN, 1], None]), check),
    Case("json: an area of 10^400", _set("annotations", areas=[10**400, None]), evaluate),
    Case("json: a frame in ../", _named("../../set.json"), check),
    Case("json: a frame in /etc", _named("/etc/hostname"), train),
    Case("json: a frame that is a link", _named("link.png"), check),
    Case("results: a score of 10^400", _results(score=10**400), evaluate),
    Case(
        "results: a polygon at 3e8", _results(segmentations=[[[0, 0, 3e8, 1, 1, 1]]] * 2), evaluate
    ),
    Case("results: 1 GB in 1 MB of zip", _packed_results(1 << 30), evaluate),
    Case("results: a zip by LZMA", _packed_results(1 << 26, zipfile.ZIP_LZMA), evaluate),
)


def _png(width: int, height: int, before: tuple[bytes, bytes] | None = None) -> bytes:
    """A header, maybe another chunk, and pixels that are black, as few bytes as can be."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check_sum = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check_sum

    packer, row = zlib.compressobj(9), bytes(1 + width // 8)
    pixels = b"".join([packer.compress(row) for _ in range(height)] + [packer.flush()])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    more = chunk(*before) if before else b""
    return b"\x89PNG\r\n\x1a\n" + header + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _frame(content: bytes) -> Callable[[Path], Path]:
    """As the first frame of a data set."""

    def make(folder: Path) -> Path:
        write_json(folder, good_set())
        path = folder / "frames" / "0.png"
        path.write_bytes(content)
        return path

    return make


def _file(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _tiff(width: int, height: int) -> bytes:
    tags = ((256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8))
    tags += ((277, 3, 1), (278, 4, height), (279, 4, width * height % 2**32))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + entries + bytes(4)


def _wav(size: int) -> Callable[[Path], Path]:
    """Silence: a hole behind a header."""

    def make(folder: Path) -> Path:
        form = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8)
        with open(folder / "a.wav", "wb") as file:
            file.write(b"RIFF" + struct.pack("<I", size) + form + b"data" + struct.pack("<I", size))
            file.truncate(size)
        return folder / "a.wav"

    return make


def _video(folder: Path) -> Path:
    """A video whose frames are pictures of 169 million pixels."""
    path = folder / "v.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 13_000
        stream.pix_fmt = "monob"
        packet = av.Packet(_png(13_000, 13_000))
        packet.stream, packet.pts, packet.time_base = stream, 0, Fraction(1)
        container.mux(packet)
    return path


_BOMB = _png(30_000, 30_000)
_TEXT = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 28)))
_PROFILE = (b"iCCP", b"icc\0\0" + zlib.compress(bytes(1 << 28)))
_JPEG = b"\xff\xd8\xff\xc0\0\x0b\x08\xff\xff\xff\xff\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0"
_WEBP = b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f\xff\xff\xff\x0f" + bytes(13)
_GIF = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;"
_EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n(mark) (w) file\n%%EOF\n"
MEDIA = (
    Case("frame: a png of 30000 x 30000", _frame(_BOMB), check),
    Case("frame: a png of 13000 x 13000", _frame(_png(13_000, 13_000)), check),
    Case("frame: a png with 256 MB of text", _frame(_png(WIDTH, HEIGHT, _TEXT)), check),
    Case("frame: a png with a profile of 256 MB", _frame(_png(8, 8, _PROFILE)), check),
    Case("frame: a jpeg of 65535 x 65535", _frame(_JPEG), check),
    Case("frame: an EPS, a program", _frame(_EPS), check),
    Case("frame: a pipe", lambda folder: pipe(_frame(b"")(folder)), check),
    Case("input: a png of 30000 x 30000", _file("x.png", _BOMB), play),
    Case("input: a png of 13000 x 13000", _file("x.png", _png(13_000, 13_000)), play),
    Case("input: a tiff of 2^31 x 2^31", _file("x.tiff", _tiff(2**31 - 1, 2**31 - 1)), play),
    Case("input: a webp of 16384 x 16384", _file("x.webp", _WEBP), play),
    Case("input: a gif of 65535 x 65535", _file("x.png", _GIF), play),
    Case("input: a pipe", lambda folder: pipe(folder / "x.mp4"), play),
    Case("input: a video of 13000 x 13000", _video, play),
    Case("audio: 3 GB of silence, a hole", _wav(3 * 10**9), listen),
    Case("audio: a pipe", lambda folder: pipe(folder / "a.wav"), listen),
)
