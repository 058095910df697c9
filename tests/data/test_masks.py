"""Run-length masks: every form to one, and broken strings found before pycocotools sees them."""

import numpy as np
import pycocotools.mask as mask_util
import pytest
from PIL import Image

from rcf_vis.data.masks import decode_rles, rle_areas_covered, to_compressed_rle


def random_rle(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, dict]:
    mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
    rle = mask_util.encode(np.asfortranarray(mask))
    return mask, {"size": [height, width], "counts": rle["counts"].decode()}


def runs_of(mask: np.ndarray) -> list[int]:
    """Uncompressed run lengths, column by column, beginning with zeros: the slow way."""
    runs, value = [0], 0
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return runs


def test_each_form_gives_the_same_mask():
    mask, compressed = random_rle(np.random.default_rng(0), 9, 13)
    uncompressed = {"size": [9, 13], "counts": runs_of(mask)}
    as_bytes = {"size": [9, 13], "counts": compressed["counts"].encode()}
    for form in (compressed, uncompressed, as_bytes):
        assert to_compressed_rle(form, 9, 13) == compressed


def test_polygons_become_their_filled_mask():
    rle = to_compressed_rle([[2, 1, 8, 1, 8, 5, 2, 5], [9, 6, 11, 6, 11, 8, 9, 8]], 10, 12)
    expected = np.zeros((10, 12), dtype=np.uint8)
    expected[1:5, 2:8] = expected[6:8, 9:11] = 1
    np.testing.assert_array_equal(decode_rles([rle], 10, 12)[0], expected)
    empty = to_compressed_rle([], 10, 12)
    assert decode_rles([empty], 10, 12)[0].sum() == 0


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"size": [10, 12], "counts": "abc"}, r"\[10, 12\].*\[9, 13\]"),
        ({"size": None, "counts": "abc"}, "None"),
        ({"size": [9, 13], "counts": [9, 13]}, "add up to 9 x 13 = 117"),
        ({"size": [9, 13], "counts": [120, -3]}, "add up to"),
        ({"size": [9, 13], "counts": [117.0]}, "add up to"),
        ({"size": [9, 13], "counts": 5}, "'counts' is a int"),
        ({"size": [9, 13]}, "'size' and 'counts'"),
        ("abc", "'size' and 'counts'"),
        ([[1, 2, 3, 4]], "three points"),
        ([[1, 2, 3, 4, 5, 6, 7]], "three points"),
    ],
)
def test_what_is_no_mask_is_refused(form, message):
    with pytest.raises(ValueError, match=message):
        to_compressed_rle(form, 9, 13)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (40, 33), (300, 500)])
def test_audio_masks_cover_all_pixels(size):
    rng = np.random.default_rng(1)
    rles = [random_rle(rng, *size)[1] for _ in range(20)]
    for filled in (np.zeros(size, np.uint8), np.ones(size, np.uint8)):
        rles.append({"counts": mask_util.encode(np.asfortranarray(filled))["counts"].decode()})
    np.testing.assert_array_equal(rle_areas_covered(rles), np.full(22, size[0] * size[1]))


def test_broken_strings_are_told_from_audio_ones_beside_them():
    audio = to_compressed_rle({"size": [8, 8], "counts": [10, 5, 3, 6, 2, 4, 34]}, 8, 8)
    counts = audio["counts"]
    broken = ["", "P", counts + "0", counts[:-1], "zz", counts[:3] + "\x07" + counts[3:]]
    rles = [audio, *({"counts": text} for text in broken), audio]
    covered = rle_areas_covered(rles)
    assert covered[0] == covered[-1] == 64
    assert all(covered[1:-1] != 64), covered
    assert covered[1] == covered[2] == -1  # nothing at all; a run that does not end


def test_decoding_refuses_what_is_broken():
    audio = to_compressed_rle({"size": [8, 8], "counts": [10, 5, 49]}, 8, 8)
    assert [int(mask.sum()) for mask in decode_rles([audio, audio], 8, 8)] == [5, 5]
    assert decode_rles([], 8, 8) == []
    with pytest.raises(ValueError, match=r"\[8, 8\].*\[8, 9\]"):
        decode_rles([audio], 8, 9)
    with pytest.raises(ValueError, match="do not cover 8 x 8"):
        decode_rles([audio, {**audio, "counts": audio["counts"][:-1]}], 8, 8)


@pytest.mark.parametrize("size", [(9, 13), (4, 6), (1, 1), (9, 5), (30, 7), (3, 40), (27, 39)])
def test_masks_of_another_size_are_those_that_pillow_resizes(size):
    rng = np.random.default_rng(0)
    masks, rles = zip(*(random_rle(rng, 9, 13) for _ in range(60)), strict=True)
    blocks = [np.zeros((9, 13), np.uint8) for _ in range(20)]
    for mask in blocks:
        y, x = rng.integers(0, 9), rng.integers(0, 13)
        mask[y : y + rng.integers(1, 9), x : x + rng.integers(1, 13)] = 1
    rles += tuple(mask_util.encode(np.asfortranarray(mask)) for mask in blocks)
    found = decode_rles([{**rle, "size": [9, 13]} for rle in rles], 9, 13, size)
    for mask, got in zip((*masks, *blocks), found, strict=True):
        expected = np.asarray(Image.fromarray(mask).resize(size[::-1], Image.NEAREST))
        np.testing.assert_array_equal(got, expected)
        assert got.dtype == np.uint8


@pytest.mark.parametrize(
    "runs",
    [
        (50, -20, 10),  # their sum is that of a whole mask of 5 × 8 pixels: pycocotools would
        (10, 50, 10, -70, 40),  # write what they say outside of it
        (-5, 45),
        (2**31, 40 - 2**31),
        (2**32 + 40,),  # 40 in the 32 bits of pycocotools
        (2**62, 2**62, 2**62, 2**62, 40),  # 40 in 64 bits
    ],
)
def test_impossible_runs_are_refused(runs):
    written = [run - (runs[k - 2] if k > 2 else 0) for k, run in enumerate(runs)]
    counts = b"".join(_written(value) for value in written)
    good = {"counts": b"".join(map(_written, (30, 10)))}
    found = rle_areas_covered([good, {"counts": counts}, good])
    assert found[0] == found[2] == 40 and found[1] != 40
    assert found[1] == -1
    for size in (None, (3, 4)):
        with pytest.raises(ValueError, match="do not cover 5 x 8 pixels"):
            decode_rles([{"size": [5, 8], "counts": counts}], 5, 8, size)


@pytest.mark.parametrize("runs", [(40,), (0, 40), (10, 0, 0, 30), (1, 2, 3, 4, 5, 6, 7, 12)])
def test_runs_that_are_possible(runs):
    written = [run - (runs[k - 2] if k > 2 else 0) for k, run in enumerate(runs)]
    rle = {"size": [5, 8], "counts": b"".join(map(_written, written))}
    assert rle_areas_covered([rle] * 3).tolist() == [40] * 3
    assert decode_rles([rle], 5, 8)[0].sum() == sum(runs[1::2])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "not finite"),
        (float("inf"), "not finite"),
        (-float("inf"), "not finite"),
        (None, "expected numbers"),
        ("3", "expected numbers"),
        (True, "expected numbers"),
        ([3], "expected numbers"),
        (3e8, "pixels along polygons: .* is over the limit of 2500000; LIMITS.OUTLINE_PIXELS"),
        (-(2**40), "over the limit"),
        (1e308, "over the limit"),
        (10**400, "too large"),
    ],
)
def test_coordinates_that_are_no_pixels(value, message):
    """pycocotools ends in a segmentation fault, or takes all memory."""
    for polygon in ([4, 4, 14, value, 14, 14], [value] * 8):
        with pytest.raises((ValueError, OverflowError), match=message):
            to_compressed_rle([polygon], 24, 32)


def test_outlines_are_limited_together(monkeypatch):
    zigzag = [0, 0, 1000, 1000] * 1249
    with pytest.raises(ValueError, match="over the limit of 2500000"):
        to_compressed_rle([zigzag, [0, 0, 5, 0, 5, 5]], 24, 32)
    with pytest.raises(ValueError, match="over the limit of 2500000"):
        to_compressed_rle([zigzag[:2400], zigzag[:2400], zigzag[:1200]], 24, 32)
    beyond = to_compressed_rle([[-1e4, -1e4, 1e4, -1e4, 1e4, 1e4, -1e4, 1e4]], 24, 32)
    assert decode_rles([beyond], 24, 32)[0].all()
    assert to_compressed_rle([np.array([1, 1, 9, 1, 9, 9], np.float32).tolist()], 24, 32)
    monkeypatch.setenv("RCF_LIMIT_OUTLINE_PIXELS", "3000000")
    assert to_compressed_rle([zigzag], 24, 32)


def _written(run: int) -> bytes:
    """A run in groups of five bits, lowest first."""
    groups = bytearray()
    while True:
        group, run = run & 31, run >> 5
        last = run == (-1 if group & 16 else 0)
        groups.append(48 + group + (0 if last else 32))
        if last:
            return bytes(groups)
