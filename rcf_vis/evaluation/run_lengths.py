"""Run-length strings, decoded and checked.

A string holds the runs of a mask, column by column: background, object, background, … A number is
written in groups of five bits, lowest first, one character (code 48 and up) each: bit 5 says that
another group follows, bit 4 of the last is the sign. From the fourth on, each number is the
difference to the run before the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

__all__ = ["BrokenRunsError", "MaskRuns", "decode_masks"]

_MAX_GROUPS = 6  # of five bits: pixels of a frame, with a sign
_CUT_OFF, _WRONG_CHARACTER, _TOO_LONG, _NEGATIVE, _WRONG_SIZE = range(5)
_REASONS = {
    _CUT_OFF: "it is cut off",
    _WRONG_CHARACTER: "it has a character that no run-length string has",
    _TOO_LONG: "it has a run that is too long",
    _NEGATIVE: "it has a run of less than 0 pixels",
    _WRONG_SIZE: "expected runs that cover {} pixels, found {}",
}


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
    """The runs of the object in M masks.

    Attributes:
        areas: ``(M,)`` int64, pixels of the object.
        edges: where each run begins and ends, in turn, in its mask, ``(2 P,)`` int32.
        stops: how many edges there are up to and with each mask, ``(M,)`` int64.
    """

    areas: np.ndarray
    edges: np.ndarray
    stops: np.ndarray


def decode_masks(counts: Sequence[str | bytes], pixels: np.ndarray) -> MaskRuns:
    """Runs of masks.

    Args:
        counts: M strings.
        pixels: ``(M,)`` int64, height × width of each, below 2^30.

    Raises:
        BrokenRunsError: a string is cut off, has a wrong character, or its runs do not cover the
            pixels.
    """
    if bytes in set(map(type, counts)):
        counts = [text.decode("latin-1") if type(text) is bytes else text for text in counts]
    ends = np.cumsum(list(map(len, counts)), dtype=np.int64)
    joined = "".join(counts)
    if not joined.isascii():
        wrong = next(index for index, text in enumerate(counts) if not text.isascii())
        raise BrokenRunsError(wrong, _REASONS[_WRONG_CHARACTER])
    text = np.frombuffer(bytearray(joined, "ascii"), dtype=np.uint8)
    areas, stops = np.zeros(len(ends), dtype=np.int64), np.zeros(len(ends), dtype=np.int64)
    edges = np.empty(len(text), dtype=np.int32)  # a run takes a character at least
    wrong, reason, covered = _decode(text, ends, pixels, areas, edges, stops)
    if wrong >= 0:
        raise BrokenRunsError(wrong, _REASONS[reason].format(pixels[wrong], covered))
    return MaskRuns(areas, edges[: stops[-1]] if len(stops) else edges, stops)


# Places are unsigned: for signed ones numba would ask each time whether they count from the end
_ONE = np.uint64(1)


@numba.njit(cache=True)
def _read_number(text: np.ndarray, place: int, end: int) -> tuple[int, int, int]:
    """A number of any length: its value, the place behind it, and what is wrong with it, or −1."""
    value, shift = 0, 0
    while place < end:
        group = np.int64(text[place]) - 48
        if group < 0 or group > 63:
            return 0, place, _WRONG_CHARACTER
        if shift == 5 * _MAX_GROUPS:
            return 0, place, _TOO_LONG
        place += _ONE
        value |= (group & 31) << shift
        shift += 5
        if group < 32:
            return value - ((group & 16) << (shift - 4)), place, -1
    return 0, place, _CUT_OFF


# The types are given, so that it is loaded (or compiled, once) with the import, not with a call
@numba.njit("(u1[::1], i8[::1], i8[::1], i8[::1], i4[::1], i8[::1])", cache=True)
def _decode(
    text: np.ndarray,
    ends: np.ndarray,
    pixels: np.ndarray,
    areas: np.ndarray,
    edges: np.ndarray,
    stops: np.ndarray,
) -> tuple[int, int, int]:
    """Fill ``areas``, ``edges`` and ``stops``.

    Returns:
        The first broken mask, or −1; what is wrong with it, and how many pixels it covers.
    """
    place, edge = np.uint64(0), np.uint64(0)
    for mask in range(len(ends)):
        end = np.uint64(ends[mask])
        if place == end:
            return mask, _CUT_OFF, 0
        covered, area, last, before_last, number = 0, 0, 0, 0, 0
        is_object = False
        while place < end:
            group = np.int64(text[place]) - 48
            if 0 <= group < 32:  # as nearly all numbers are
                difference = group - ((group & 16) << 1)
                place += _ONE
            else:
                difference, place, reason = _read_number(text, place, end)
                if reason >= 0:
                    return mask, reason, covered
            run = difference + before_last if number > 2 else difference
            if run < 0:
                return mask, _NEGATIVE, covered
            if is_object:
                edges[edge], edges[edge + _ONE] = covered, covered + run
                edge += np.uint64(2)
                area += run
            covered += run
            is_object = not is_object
            number += 1
            last, before_last = run, last
        if covered != pixels[mask]:
            return mask, _WRONG_SIZE, covered
        areas[mask], stops[mask] = area, np.int64(edge)
    return -1, 0, 0
