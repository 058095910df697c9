"""Checks of what stands in the jsons of ground truth and results, entry by entry."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

from rcf_vis.errors import DatasetError

from .track_iou import TrackMasks

__all__ = [
    "Video",
    "by_id",
    "check_category",
    "check_list",
    "is_finite",
    "is_key",
    "read_track",
    "values_of",
]


@dataclass(frozen=True)
class Video:
    """What is needed of an entry of ``videos``."""

    size: list[int]  # height, width
    length: int


def values_of(item: Any, keys: tuple[str, ...], where: str) -> list[Any]:
    """The values of some keys of a dict; a DatasetError where there is no dict or no such key."""
    if not isinstance(item, Mapping):
        raise DatasetError(f"{where}: {type(item).__name__} found, expected a dict with {keys}")
    missing = [key for key in keys if key not in item]
    if missing:
        raise DatasetError(f"{where}: key '{missing[0]}' is missing; expected {', '.join(keys)}")
    return [item[key] for key in keys]


def check_list(items: Any, where: str) -> list | tuple:
    """The items, or a DatasetError where they are no list."""
    if not isinstance(items, (list, tuple)):
        raise DatasetError(f"{where}: {type(items).__name__} found, expected a list")
    return items


def by_id(items: list, where: str) -> dict[int, Mapping[str, Any]]:
    """Items by their id, which must be unique."""
    found: dict[int, Mapping[str, Any]] = {}
    for index, item in enumerate(items):
        (key,) = values_of(item, ("id",), f"{where}[{index}]")
        if key in found:
            raise DatasetError(f"{where}[{index}]: id {key} is there twice")
        found[key] = item
    return found


def is_key(key: Any, items: Mapping[int, Any]) -> bool:
    """``key in items`` for whatever a json may have in its place."""
    return isinstance(key, Hashable) and key in items


def is_finite(score: Any) -> bool:
    """True for a number that is neither nan nor infinite."""
    return isinstance(score, Real) and not isinstance(score, bool) and math.isfinite(score)


def check_category(category_id: Any, categories: Mapping[int, str], where: str) -> None:
    """Raise a DatasetError for an id that is not in the ground truth."""
    if not is_key(category_id, categories):
        raise DatasetError(
            f"{where}: category_id {category_id!r} is not in the ground truth's 'categories'; "
            f"expected one of {list(categories)}"
        )


def read_track(segmentations: Any, video: Video, where: str) -> TrackMasks:
    """Masks with pycocotools-ready ``counts``; None for null and whatever else is empty."""
    segmentations = check_list(segmentations, f"{where}: 'segmentations'")
    if len(segmentations) != video.length:
        raise DatasetError(
            f"{where}: {len(segmentations)} 'segmentations' for a video of {video.length} frames; "
            "expected a mask or null for each"
        )
    if _are_plain([mask for mask in segmentations if mask], video.size):
        masks = [mask or None for mask in segmentations]
    else:
        masks = [
            _to_rle(mask, video, where, frame) if mask else None
            for frame, mask in enumerate(segmentations)
        ]
    return TrackMasks(masks, where)


def _are_plain(masks: list, size: list[int]) -> bool:
    """All are compressed, of this size, in the types that a json has: the fast way."""
    try:
        sizes = [mask["size"] for mask in masks]
        types = {type(mask["counts"]) for mask in masks}
    except (TypeError, KeyError):
        return False
    return types <= {str} and sizes.count(size) == len(sizes)


def _to_rle(segmentation: Any, video: Video, where: str, frame: int) -> dict:
    """Any form of a mask in compressed form; anything else is an error."""
    from rcf_vis.data.masks import to_compressed_rle  # needs pycocotools, which few files do

    try:
        return to_compressed_rle(segmentation, *video.size)
    except ValueError as error:
        raise DatasetError(f"{where}: segmentations[{frame}]: {error}") from error
