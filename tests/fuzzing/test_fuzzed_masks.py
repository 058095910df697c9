"""The reader of masks: no exception but the documented one, and no wrong mask."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rcf_vis.data.masks import decode_rles, rle_areas_covered, to_compressed_rle

from .mutations import anything

HEIGHT, WIDTH = 6, 9
_WRITTEN = st.lists(st.integers(-(2**70), 2**70) | st.integers(-60, 60), min_size=1, max_size=8)
_LETTERS = st.text(alphabet=[chr(code) for code in range(48, 112)], max_size=12)


def runs_of(text: str) -> list[int] | None:
    """The slow way, with integers of any size; None where the last run does not end."""
    runs, value, place = [], 0, 0
    for letter in text:
        code = ord(letter) - 48
        value |= (code & 31) << (5 * place)
        place += 1
        if code & 32:
            continue
        if code & 16:
            value -= 1 << (5 * place)
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = place = 0
    return None if place or not runs else runs


def written(values: list[int]) -> str:
    """What is written of each run, in groups of five bits, lowest first."""
    text = ""
    for value in values:
        last = False
        while not last:
            group, value = value & 31, value >> 5
            last = value == (-1 if group & 16 else 0)
            text += chr(48 + group + (0 if last else 32))
    return text


@given(st.lists(st.one_of(_LETTERS, _WRITTEN.map(written), st.text(max_size=6)), max_size=5))
def test_strings(texts):
    found = rle_areas_covered([{"counts": text} for text in texts])
    for text, covered in zip(texts, found.tolist(), strict=True):
        runs = runs_of(text) if all(48 <= ord(letter) < 112 for letter in text) else None
        possible = runs is not None and all(0 <= run < 2**31 - 1 for run in runs)
        assert covered == (sum(runs) if possible else -1)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=9), st.sampled_from([None, (3, 4)]))
def test_possible_runs_become_their_mask(runs, size):
    runs = [*runs, max(HEIGHT * WIDTH - sum(runs), 0)]
    counts = written([run - (runs[k - 2] if k > 2 else 0) for k, run in enumerate(runs)])
    rle = {"size": [HEIGHT, WIDTH], "counts": counts}
    if sum(runs) != HEIGHT * WIDTH:
        try:
            decode_rles([rle], HEIGHT, WIDTH, size)
        except ValueError as error:
            assert "do not cover" in str(error)
            return
        raise AssertionError(runs)
    (mask,) = decode_rles([rle], HEIGHT, WIDTH, size)
    values = np.arange(len(runs)) % 2
    expected = np.repeat(values, runs).reshape(WIDTH, HEIGHT).T
    if size is None:
        np.testing.assert_array_equal(mask, expected)
    assert mask.shape == (size or (HEIGHT, WIDTH))


_COORDINATES = st.one_of(st.floats(), st.integers(), st.floats(-20, 20))
_POLYGONS = st.lists(st.lists(_COORDINATES | anything, max_size=9), max_size=3)
_FORMS = st.one_of(
    anything,
    _POLYGONS,
    st.fixed_dictionaries({"size": st.just([HEIGHT, WIDTH]), "counts": anything | _LETTERS}),
)


@given(_FORMS)
def test_whatever_stands_for_a_mask(form):
    try:
        rle = to_compressed_rle(form, HEIGHT, WIDTH)
        (mask,) = decode_rles([rle], HEIGHT, WIDTH)
    except (ArithmeticError, TypeError, ValueError) as error:
        assert len(str(error)) < 2000
    else:
        assert mask.shape == (HEIGHT, WIDTH) and set(np.unique(mask)) <= {0, 1}
