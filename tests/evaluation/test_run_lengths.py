import numpy as np
import pytest

from rcf_vis.evaluation.run_lengths import BrokenRunsError, decode_masks

from .ytvis_cases import box, rle


def edges_of(mask):
    """Where the runs of the object begin and end, in turn, from the pixels."""
    flat = np.concatenate([[0], mask.ravel("F"), [0]]).astype(int)
    return np.flatnonzero(np.diff(flat)).tolist()


def random_masks(seed):
    rng = np.random.default_rng(seed)
    sizes = [(1, 1), (7, 5), (37, 53), (200, 3), (300, 400)]
    for density in (0.0, 0.01, 0.3, 0.9, 1.0):
        for height, width in sizes:
            mask = rng.random((height, width)) < density
            yield mask
            mask[-1, -1] = ~mask[-1, -1]
            yield mask
    blob = np.zeros((720, 1280), dtype=bool)
    blob[100:600, 300:900] = True  # long runs: numbers of many groups
    yield blob


def test_equals_the_pixels():
    masks = list(random_masks(0))
    runs = decode_masks([rle(mask)["counts"] for mask in masks], np.array([m.size for m in masks]))
    expected = [edges_of(mask) for mask in masks]
    assert runs.edges.tolist() == [edge for edges in expected for edge in edges]
    assert runs.stops.tolist() == np.cumsum([len(edges) for edges in expected]).tolist()
    assert runs.areas.tolist() == [mask.sum() for mask in masks]


def test_no_mask_at_all():
    runs = decode_masks([], np.zeros(0, dtype=np.int64))
    assert (len(runs.areas), len(runs.edges), len(runs.stops)) == (0, 0, 0)


def test_bytes_are_taken_too():
    mask = box(2, 3, 9, 11)
    strings = [mask["counts"], mask["counts"].encode()]
    assert decode_masks(strings, np.array([600, 600])).areas.tolist() == [56, 56]


GOOD = box(2, 2, 8, 8)["counts"]


def of_runs(*runs):
    """String of up to three runs, which are written as they are."""
    text = ""
    for run in runs:
        more = True
        while more:
            group, run = run & 31, run >> 5
            more = run != (-1 if group & 16 else 0)
            text += chr(group + 32 * more + 48)
    return text


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (GOOD + "o", "cut off"),
        ("", "cut off"),
        (GOOD[:-1] + "p", "character"),
        (GOOD[:3] + " " + GOOD[3:], "character"),
        (GOOD[:3] + "ü" + GOOD[3:], "character"),
        (GOOD + "0", "cover 600 pixels, found"),
        (of_runs(100, 200, 301), "cover 600 pixels, found 601"),
        (of_runs(599), "cover 600 pixels, found 599"),
        (of_runs(100, -50, 550), "less than 0"),
        ("oooooooo0", "too long"),
    ],
)
def test_broken_strings_are_found(broken, message):
    with pytest.raises(BrokenRunsError, match=message) as error:
        decode_masks([GOOD, GOOD, broken, GOOD], np.full(4, 600))
    assert error.value.index == 2
