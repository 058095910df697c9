"""The frames of a data set as files: which are there, and which can be decoded."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from rcf_vis.data.frames import read_frame
from rcf_vis.data.json_rules import OnFault
from rcf_vis.data.masks import decode_rles
from rcf_vis.errors import DatasetError

__all__ = ["Record", "check_image", "draw_frames", "present_frames"]

Record = dict[str, Any]


def present_frames(
    records: Iterable[Record], on_fault: OnFault
) -> Iterator[tuple[Record, list[int]]]:
    """Each record with the frames of it whose files are there; the others are faults."""
    list_folder = lru_cache(maxsize=4)(_list_folder)  # a video's frames are in one folder
    for record in records:
        missing = [
            index
            for index, path in enumerate(record["file_names"])
            if os.path.basename(path) not in list_folder(os.path.dirname(path))
        ]
        if missing:
            message = (
                f"video {record['video_id']}: {len(missing)} of {record['length']} frames are not "
                f"there, the first of them is {record['file_names'][missing[0]]}"
            )
            on_fault(DatasetError(message, "missing frames"))
        yield record, sorted(set(range(record["length"])) - set(missing))


def _list_folder(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))
    except (OSError, ValueError):  # no such folder, or a name that can be none
        return set()


def draw_frames(
    present: Sequence[tuple[Record, list[int]]], number: int | None, seed: int
) -> list[tuple[Record, int]]:
    """Frames to open: one of each video, then a second one of each, until there are enough."""
    if number is None:
        return [(record, frame) for record, frames in present for frame in frames]
    generator = random.Random(seed)
    order = []
    for position, (_, frames) in enumerate(present):
        shuffled = generator.sample(frames, len(frames))
        order += [
            (turn, generator.random(), position, frame) for turn, frame in enumerate(shuffled)
        ]
    return [(present[position][0], frame) for *_, position, frame in sorted(order)[:number]]


def check_image(record: Record, frame: int, on_fault: OnFault) -> None:
    """Decode a frame; of a still image also the masks, which its json's reader has not seen."""
    height, width, video_id = record["height"], record["width"], record["video_id"]
    try:
        read_frame(
            record["file_names"][frame],
            image_format="RGB",
            height=height,
            width=width,
            video_id=video_id,
        )
    except (FileNotFoundError, DatasetError) as error:
        on_fault(DatasetError(str(error), "images"))
    if record.get("still_image"):
        for item in record["annotations"][frame]:
            try:
                decode_rles([item["segmentation"]], height, width)
            except ValueError as error:
                where = f"image {video_id}, annotation {item['id']}"
                on_fault(DatasetError(f"{where}: {error}", "masks"))
