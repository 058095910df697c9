"""The resize in numpy against Pillow's, and sizes against Detectron2's."""

import numpy as np
import pytest
from detectron2.data import transforms as T
from PIL import Image

from rcf_vis.runtime.resizing import resize, resized_shape


def by_pillow(frame, size):
    image = Image.fromarray(frame).resize(size[::-1], Image.BILINEAR)
    return np.asarray(image).transpose(2, 0, 1)


@pytest.mark.parametrize(
    "given, wanted",
    [
        ((192, 320), (224, 373)),  # larger
        ((360, 640), (224, 398)),  # smaller
        ((90, 160), (90, 160)),
        ((150, 60), (90, 60)),
        ((60, 150), (60, 301)),
        ((50, 7), (64, 9)),
        ((1, 1), (3, 2)),
    ],
)
def test_it_is_pillows(given, wanted):
    frame = np.random.default_rng(0).integers(0, 256, (*given, 3), dtype=np.uint8)
    found = resize(frame, wanted)
    assert found.dtype == np.uint8 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, by_pillow(frame, wanted))


def test_a_tall_frame():
    """Older releases of Pillow always begin with the columns."""
    frame = np.random.default_rng(0).integers(0, 256, (300, 50, 3), dtype=np.uint8)
    difference = resize(frame, (150, 25)).astype(int) - by_pillow(frame, (150, 25))
    assert np.abs(difference).max() <= 1


def test_channels_in_another_order():
    frame = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(
        resize(frame[:, :, ::-1], (20, 30)), resize(frame, (20, 30))[::-1]
    )


def test_sizes_are_those_of_detectron2():
    rng = np.random.default_rng(0)
    for _ in range(2000):
        height, width, short = (int(x) for x in rng.integers(1, 2000, 3))
        longest = int(short * rng.uniform(1, 3))
        expected = T.ResizeShortestEdge.get_output_shape(height, width, short, longest)
        assert resized_shape(height, width, short, longest) == tuple(expected)
    assert resized_shape(30, 40, 0, 10) == (30, 40)
