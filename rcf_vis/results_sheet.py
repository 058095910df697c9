"""A contact sheet of results in the YouTube-VIS format beside the input and the ground truth."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from rcf_vis.data import load_ytvis_json, read_frame

from .visualization import contact_sheet, draw_ground_truth

__all__ = ["draw_results_sheet"]


def draw_results_sheet(
    json_file: str | os.PathLike,
    image_root: str | os.PathLike,
    results: list[dict[str, Any]],
    *,
    video_id: int | None = None,
    num_frames: int = 6,
    cell_width: int = 400,
) -> np.ndarray:
    """Draw frames × {input, ground truth, prediction} of one video.

    Tracks are numbered, and coloured, in the order of their first appearance, so the same object
    has the same colour in both rows as long as both know the same objects.

    Args:
        json_file: annotations in the YouTube-VIS format; without any the middle row is left out.
        image_root: folder that the json's ``file_names`` are relative to.
        results: results in the YouTube-VIS format; those of other videos are ignored.
        video_id: of the json; the first video by default.
        num_frames: columns, evenly spread over the video.
        cell_width: width of a picture in pixels.

    Returns:
        ``(H, W, 3)`` uint8 BGR.

    Raises:
        ValueError: the json has no such video, or a result has another number of frames.
    """
    records = {r["video_id"]: r for r in load_ytvis_json(str(json_file), str(image_root))}
    video_id = next(iter(records)) if video_id is None else video_id
    if video_id not in records:
        raise ValueError(f"{json_file} has no video {video_id}; there are {sorted(records)}")
    record = records[video_id]
    names, contiguous_ids = _read_classes(json_file)
    results = [result for result in results if result["video_id"] == video_id]
    drawn = {"prediction": _by_frame(results, record["length"], contiguous_ids)}
    if "annotations" in record:
        drawn = {"ground truth": record["annotations"], **drawn}
    drawn = {row: _renumber(frames) for row, frames in drawn.items()}

    shown = np.linspace(0, record["length"] - 1, min(num_frames, record["length"]))
    shown = shown.round().astype(int).tolist()
    size = {key: record[key] for key in ("height", "width", "video_id")}
    rows: dict[str, list[np.ndarray]] = {row: [] for row in ("input", *drawn)}
    for t in shown:
        frame = read_frame(record["file_names"][t], image_format="BGR", **size)
        rows["input"].append(frame)
        for row, frames in drawn.items():
            rows[row].append(draw_ground_truth(frame, frames[t], names))
    return contact_sheet(rows, column_names=[f"frame {t}" for t in shown], cell_width=cell_width)


def _read_classes(json_file: str | os.PathLike) -> tuple[list[str], dict[int, int]]:
    """Class names by contiguous index, and data set id → contiguous index."""
    categories = json.loads(Path(json_file).read_text(encoding="utf-8"))["categories"]
    categories = sorted(categories, key=lambda category: category["id"])
    return [c["name"] for c in categories], {c["id"]: i for i, c in enumerate(categories)}


def _by_frame(
    results: list[dict[str, Any]], length: int, contiguous_ids: dict[int, int]
) -> list[list[dict[str, Any]]]:
    """Results of one video in the form of a data set record's annotations."""
    frames: list[list[dict]] = [[] for _ in range(length)]
    for index, result in enumerate(results):
        if len(result["segmentations"]) != length:
            raise ValueError(
                f"video {result['video_id']} has {length} frames, but a result has "
                f"{len(result['segmentations'])} segmentations"
            )
        category_id = contiguous_ids[result["category_id"]]
        for frame, rle in zip(frames, result["segmentations"], strict=True):
            if rle is not None:
                seen = {"id": index, "category_id": category_id, "score": result["score"]}
                frame.append({**seen, "segmentation": rle})
    return frames


def _renumber(frames: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Number the tracks 0, 1, 2, … in the order of their first appearance."""
    numbers: dict[int, int] = {}
    return [[{**a, "id": numbers.setdefault(a["id"], len(numbers))} for a in f] for f in frames]
