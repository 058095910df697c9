"""The masks of tracks, and those of many tracks decoded at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rcf_vis.errors import DatasetError

from .run_lengths import BrokenRunsError, decode_masks

__all__ = ["DecodedTracks", "TrackMasks", "decode_tracks"]


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
class DecodedTracks:
    """N tracks, one behind the other. A slot is a frame of a track.

    Attributes:
        slot_stops: ``(N + 1,)``, from 0 on: how many slots there are up to and with each track.
        areas: pixels of the object in each slot, ``(S,)`` int64.
        edges: where its runs begin and end, in turn, in its frame, ``(2 P,)`` int32.
        edge_stops: ``(S + 1,)``, from 0 on: how many edges there are up to and with each slot.
    """

    slot_stops: np.ndarray
    areas: np.ndarray
    edges: np.ndarray
    edge_stops: np.ndarray


def decode_tracks(tracks: Sequence[TrackMasks]) -> DecodedTracks:
    """Decode and check tracks of any videos, and set their ``areas``.

    Raises:
        DatasetError: a mask is broken.
    """
    masks = [mask for track in tracks for mask in track.masks]
    present = [mask for mask in masks if mask is not None]
    slots = np.flatnonzero([mask is not None for mask in masks])
    slot_stops = np.cumsum([0] + [len(track.masks) for track in tracks])
    sizes = [next((m["size"] for m in track.masks if m is not None), (1, 1)) for track in tracks]
    sizes = np.array(sizes, dtype=np.int64).reshape(-1, 2)
    pixels = np.repeat(sizes.prod(1), np.diff(slot_stops))[slots]
    try:
        runs = decode_masks([mask["counts"] for mask in present], pixels)
    except BrokenRunsError as error:
        raise _located(error, tracks, slot_stops, slots) from error
    areas = np.zeros(len(masks), dtype=np.int64)
    areas[slots] = runs.areas
    stops = np.concatenate([[0], runs.stops])
    edge_stops = stops[np.searchsorted(slots, np.arange(len(masks) + 1))]
    bounds = slot_stops.tolist()
    for track, begin, stop in zip(tracks, bounds, bounds[1:], strict=False):
        track.__dict__["areas"] = areas[begin:stop]  # what cached_property would do
    return DecodedTracks(slot_stops, areas, runs.edges, edge_stops)


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
