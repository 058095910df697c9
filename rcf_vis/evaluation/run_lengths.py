"""Run-length strings, decoded in numpy: all masks of many tracks at once, each of them checked.

A string holds the runs of a mask, column by column: background, object, background, … A number is
written in groups of five bits, lowest first, one character (code 48 and up) each: bit 5 says that
another group follows, bit 4 of the last is the sign. From the fourth on, each number is the
difference to the run before the last. Most differences are one character long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["BrokenRunsError", "MaskRuns", "decode_masks"]

_ALPHABET = frozenset(map(chr, range(48, 48 + 64)))
_MAX_GROUPS = 6  # of five bits: pixels of a frame, with a sign


class BrokenRunsError(ValueError):
    """A string that is no mask of the expected size.

    Attributes:
        index: which of the strings.
    """

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(reason)
        self.index = index


@dataclass(frozen=True, eq=False)
class MaskRuns:
    """Runs of M masks. After the first run of each, object and background follow in P pairs.

    Attributes:
        first: ``(M,)`` int64, length of the background before the object; all, where there is none.
        last: ``(M,)`` int64, length of the background behind the object; 0 without an object.
        areas: ``(M,)`` int64, pixels of the object.
        runs: ``(2 P,)`` int32, object and background in turn, mask after mask.
        stops: ``(M,)`` int64, how many pairs there are up to and with each mask.
    """

    first: np.ndarray
    last: np.ndarray
    areas: np.ndarray
    runs: np.ndarray
    stops: np.ndarray


def decode_masks(counts: Sequence[str | bytes], pixels: np.ndarray) -> MaskRuns:
    """Runs of masks.

    Args:
        counts: M ≥ 1 strings.
        pixels: ``(M,)`` int64, height × width of each.

    Raises:
        BrokenRunsError: a string is cut off, has a wrong character, or its runs do not cover the
            pixels.
    """
    values, keep, ends, heads, numbers = _read_numbers(counts)
    first = values[heads].astype(np.int64)

    keep[heads] = False
    even = numbers % 2 == 0  # the object has the last pixel: a background of 0 is added
    keep[ends[even]] = True
    values[ends[even]] = 0
    stops = np.cumsum(numbers // 2)
    some = np.flatnonzero(numbers > 1)
    last, areas, behind = np.zeros_like(first), np.zeros_like(first), np.zeros_like(first)
    runs = values[keep]
    if len(some):
        runs, last[some], areas[some], behind[some] = _sum_up(
            runs, stops[some] - numbers[some] // 2, stops[some], even[some]
        )
    _check(first + areas + behind, pixels, first, runs, stops)
    return MaskRuns(first, last, areas, runs, stops)


def _read_numbers(
    counts: Sequence[str | bytes],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The strings behind one another, each with an end mark: N characters.

    Returns:
        ``(N,)`` int32, a number at its last character; ``(N,)`` bool, where such characters are;
        of each string, ``(M,)``, the places of the end mark and of its first number, and how many
        numbers it has.
    """
    if bytes in set(map(type, counts)):
        counts = [text.decode("latin-1") if type(text) is bytes else text for text in counts]
    text = (" ".join(counts) + " ").encode("ascii", "xmlcharrefreplace")
    characters = np.frombuffer(text, dtype=np.uint8)
    codes = characters - np.uint8(48)
    is_last = codes < 32
    joined = np.flatnonzero(~is_last)  # a group that another one follows, or an end mark
    is_end = codes[joined] > 63
    end_places = np.flatnonzero(is_end)
    ends = joined[end_places]
    if len(ends) != len(counts):
        wrong = next(index for index, text in enumerate(counts) if not _ALPHABET.issuperset(text))
        raise BrokenRunsError(wrong, "it has a character that no run-length string has")
    unfinished = np.flatnonzero(~is_last[ends - 1])
    if len(unfinished):
        raise BrokenRunsError(int(unfinished[0]), "it is cut off")
    # Signed: as 48 is 16 modulo 32, the five bits of the character itself are the value + 16
    values = ((characters & 31).view(np.int8) - np.int8(16)).astype(np.int32)
    heads = np.concatenate([[0], ends[:-1] + 1])
    _join_groups(codes, values, joined[~is_end], ends, heads)
    return values, is_last, ends, heads, np.diff(ends - end_places, prepend=0)


def _join_groups(
    codes: np.ndarray,
    values: np.ndarray,
    continued: np.ndarray,
    ends: np.ndarray,
    heads: np.ndarray,
) -> None:
    """Complete the numbers of several groups, at their last characters, in place.

    Args:
        continued: places of the groups that another one follows.
        heads: ``(M,)``, where the first number of each string begins; is set to where it ends.
    """
    if not len(continued):
        return
    starts = np.flatnonzero(np.diff(continued, prepend=-2) != 1)
    lengths = np.diff(starts, append=len(continued))
    first, last = continued[starts], continued[starts] + lengths
    if lengths.max() >= _MAX_GROUPS:
        raise BrokenRunsError(
            int(np.searchsorted(ends, first[lengths.argmax()])), "it has a run that is too long"
        )
    place = np.arange(len(continued)) - np.repeat(starts, lengths)
    groups = (codes[continued] & 31).astype(np.int64) << 5 * place
    values[last] = np.add.reduceat(groups, starts) + (values[last].astype(np.int64) << 5 * lengths)
    number = np.searchsorted(first[:-1], heads)
    heads[:] = np.where(first[number] == heads, last[number], heads)


def _sum_up(
    differences: np.ndarray, begins: np.ndarray, stops: np.ndarray, even: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """From differences to runs; each mask begins anew.

    A pair of int32 is summed up as one int64, object + 2^32 · background: runs are no less than 0,
    so the two never mix.

    Args:
        differences: ``(2 P,)`` int32, of object and background in turn; is overwritten.
        begins, stops: the pairs of each mask, ``(M,)``.
        even: ``(M,)`` bool, the last background must become 0.

    Returns:
        The runs, ``(2 P,)``; of each mask the last background, and the sums of both kinds.
    """
    differences[1::2] += differences[0::2] >> 31  # what a negative lower half borrows
    pairs = differences.view("<i8")
    last = np.add.reduceat(pairs, begins)
    surplus = np.where(even, last >> 32 << 32, 0)
    pairs[stops - 1] -= surplus
    last -= surplus
    pairs[begins[1:]] -= last[:-1]
    pairs = np.cumsum(pairs)
    sums = np.add.reduceat(pairs, begins)
    return pairs.view("<i4"), last >> 32, sums & 0xFFFFFFFF, sums >> 32


def _check(
    covered: np.ndarray, pixels: np.ndarray, first: np.ndarray, runs: np.ndarray, stops: np.ndarray
) -> None:
    """Raise unless all runs are lengths, and those of each mask add up to its pixels."""
    reason = "it has a run of less than 0 pixels"
    if len(runs) and runs.min() < 0:
        raise BrokenRunsError(int(np.searchsorted(stops, runs.argmin() // 2, side="right")), reason)
    if first.min() < 0:
        raise BrokenRunsError(int(first.argmin()), reason)
    wrong = np.flatnonzero(covered != pixels)
    if len(wrong):
        index = int(wrong[0])
        raise BrokenRunsError(
            index, f"expected runs that cover {pixels[index]} pixels, found {covered[index]}"
        )
