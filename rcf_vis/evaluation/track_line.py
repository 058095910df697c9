"""Masks of tracks, and many of them decoded on one line.

As runs go column by column, the frames of a track side by side are one mask: a line of T · H · W
pixels. Many tracks behind one another are a longer line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rcf_vis.data.json_rules import DatasetError

from .run_lengths import BrokenRunsError, MaskRuns, decode_masks

__all__ = ["Line", "TrackMasks", "decode_tracks"]


@dataclass(frozen=True, eq=False)
class TrackMasks:
    """The masks of one track.

    Attributes:
        masks: compressed RLE of each frame of the video, None where the object is absent.
        where: names the track in errors.
    """

    masks: Sequence[dict | None]
    where: str

    @cached_property
    def areas(self) -> np.ndarray:
        """Pixels of each frame's mask, ``(T,)`` int64; 0 where there is none.

        Raises:
            ValueError: a mask is broken.
        """
        return decode_tracks([self]).areas

    @cached_property
    def mean_area(self) -> float:
        """Mean area over the frames in which it has pixels; 0.0 when there are none."""
        return float(self.areas.sum() / max(np.count_nonzero(self.areas), 1))


@dataclass(frozen=True, eq=False)
class Line:
    """N decoded tracks, one behind the other on one line. A slot is a frame of a track.

    Attributes:
        areas: pixels of the object in each slot, ``(S,)`` int64.
        left, right: its first and last column, where it has pixels, ``(S,)`` int64.
        slot_stops: ``(N + 1,)``, from 0 on: how many slots there are up to and with each track.
        heights: of the frames of each track, ``(N,)``.
        begins: where on the line each track begins, ``(N,)``.
        edges: where each run of an object begins and ends, in turn, ``(2 P,)`` int64, ascending.
        edge_stops: ``(N + 1,)``, from 0 on: how many edges there are up to and with each track.
        sums: pixels of each track, ``(N,)`` int64.
    """

    areas: np.ndarray
    left: np.ndarray
    right: np.ndarray
    slot_stops: np.ndarray
    heights: np.ndarray
    begins: np.ndarray
    edges: np.ndarray
    edge_stops: np.ndarray
    sums: np.ndarray


def _sums(values: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """Sums from stop to stop, ``(N,)`` int64."""
    return np.diff(np.concatenate([[0], np.cumsum(values)])[stops])


def decode_tracks(tracks: Sequence[TrackMasks]) -> Line:
    """Decode and check tracks of any videos, and set their ``areas``.

    Raises:
        DatasetError: a mask is broken.
    """
    masks = [mask for track in tracks for mask in track.masks]
    present = [mask for mask in masks if mask is not None]
    slots = np.flatnonzero([mask is not None for mask in masks])
    slot_stops = np.cumsum([0] + [len(track.masks) for track in tracks])
    sizes = [next((m["size"] for m in track.masks if m is not None), (1, 1)) for track in tracks]
    heights, widths = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
    pixels = np.repeat(heights * widths, np.diff(slot_stops))
    slot_begins = np.cumsum(pixels) - pixels
    areas = np.zeros(len(masks), dtype=np.int64)
    left, right = areas.copy(), areas.copy()
    edges, edge_stops = areas[:0], np.zeros_like(slot_stops)
    if present:
        try:
            runs = decode_masks([mask["counts"] for mask in present], pixels[slots])
        except BrokenRunsError as error:
            raise _located(error, tracks, slot_stops, slots) from error
        height = np.repeat(heights, np.diff(slot_stops))[slots]
        areas[slots] = runs.areas
        left[slots] = runs.first // height
        right[slots] = (pixels[slots] - runs.last - 1) // height
        edges = _edges(runs, slot_begins[slots], pixels[slots])
        edge_stops = 2 * np.concatenate([[0], runs.stops])[np.searchsorted(slots, slot_stops)]
    sums, visible = _sums(areas, slot_stops), _sums(areas > 0, slot_stops)
    means = (sums / np.maximum(visible, 1)).tolist()
    bounds = slot_stops.tolist()
    for track, begin, stop, mean in zip(tracks, bounds, bounds[1:], means, strict=False):
        # What cached_property would do
        track.__dict__.update(areas=areas[begin:stop], mean_area=mean)
    begins = np.concatenate([[0], np.cumsum(pixels)])[slot_stops[:-1]]
    return Line(areas, left, right, slot_stops, heights, begins, edges, edge_stops, sums)


def _located(
    error: BrokenRunsError, tracks: Sequence[TrackMasks], slot_stops: np.ndarray, slots: np.ndarray
) -> DatasetError:
    """The error, with the track and frame that it is about."""
    slot = slots[error.index]
    track = int(np.searchsorted(slot_stops, slot, side="right")) - 1
    frame = int(slot - slot_stops[track])
    height, width = tracks[track].masks[frame]["size"]
    return DatasetError(
        f"{tracks[track].where}: segmentations[{frame}]: 'counts' is broken (a mask of {height} x "
        f"{width}): {error}"
    )


def _edges(runs: MaskRuns, begins: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Where the runs of objects begin and end, if mask m has its pixels from begins[m] on."""
    some = np.flatnonzero(np.diff(runs.stops, prepend=0))
    if not len(some):
        return np.zeros(0, dtype=np.int64)
    edges = np.empty(len(runs.runs), dtype=np.int64)
    starts, ends = (begins + runs.first)[some], (begins + pixels)[some]
    edges[0] = starts[0]
    edges[1:] = runs.runs[:-1]
    edges[2 * runs.stops[some[:-1]]] += starts[1:] - ends[:-1]
    return np.cumsum(edges, out=edges)
