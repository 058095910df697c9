"""Submissions to an evaluation server: ``results.json`` at the root of a zip, checked before."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rcf_vis.data.json_rules import is_number
from rcf_vis.data.masks import rle_areas_covered
from rcf_vis.data.ytvis_tracks import broken_counts
from rcf_vis.errors import DatasetError, shown
from rcf_vis.files import whole_file

from .result_files import RESULTS_JSON, read_result_list
from .track_files import RESULT_KEYS, GroundTruth, is_key, read_header

__all__ = ["find_problems", "write_submission"]


def write_submission(
    results_path: str | os.PathLike,
    ground_truth: str | os.PathLike | Mapping[str, Any],
    out_path: str | os.PathLike,
) -> None:
    """Check results and pack them for a server. Nothing of them is changed.

    Args:
        results_path: a json in the format of :func:`rcf_vis.evaluation.evaluate_ytvis`.
        ground_truth: path or content of the json of the same videos; it needs no annotations.
        out_path: the zip, written atomically.

    Raises:
        FileNotFoundError: a path is not there.
        DatasetError: broken data; the message lists every problem, one a line.

    Example:
        >>> write_submission("output/inference/results.json", "valid.json", "results.zip")
    """
    problems = find_problems(results_path, read_header(ground_truth))
    if problems:
        raise DatasetError("\n".join(problems), "submission")
    with whole_file(out_path) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(results_path, RESULTS_JSON)


def find_problems(results_path: str | os.PathLike, header: GroundTruth) -> list[str]:
    """Everything that a server would refuse, or would take for something else.

    Args:
        header: the videos and categories that the results are about.

    Returns:
        A message each, which names the file, the entry's index and what was expected.

    Raises:
        FileNotFoundError, DatasetError: the file as a whole cannot be read.
    """
    name, entries = os.fspath(results_path), read_result_list(results_path)
    if not entries:
        return [f"{name}: an empty list; expected results"]
    return [
        f"{name}[{index}]: {problem}"
        for index, entry in enumerate(entries)
        for problem in _problems_of(entry, header)
    ]


def _problems_of(entry: Any, header: GroundTruth) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield f"{type(entry).__name__} found, expected a dict with {', '.join(RESULT_KEYS)}"
        return
    missing = [key for key in RESULT_KEYS if key not in entry]
    for key in missing:
        yield f"key '{key}' is missing"
    if missing:
        return
    if not is_key(entry["category_id"], header.categories):
        known = list(header.categories)
        yield f"category_id {shown(entry['category_id'])} is unknown; expected one of {known}"
    if not is_number(entry["score"]):
        yield f"score {shown(entry['score'])}, expected a finite number"
    segmentations = entry["segmentations"]
    if not isinstance(segmentations, list):
        yield f"'segmentations' is a {type(segmentations).__name__}, expected a list"
    if not is_key(entry["video_id"], header.videos):
        yield f"video_id {shown(entry['video_id'])} is not in {header.name}"
    elif isinstance(segmentations, list):
        video = header.videos[entry["video_id"]]
        if len(segmentations) != video["length"]:
            yield (
                f"{len(segmentations)} 'segmentations' for the {video['length']} frames of video "
                f"{entry['video_id']}; expected one entry a frame"
            )
        yield from _problems_of_masks(segmentations, video)


def _problems_of_masks(masks: Sequence[Any], video: Mapping[str, Any]) -> Iterator[str]:
    size = [video["height"], video["width"]]
    for frame, mask in enumerate(masks):
        if mask is None:
            continue
        where = f"segmentations[{frame}]"
        if not isinstance(mask, dict) or not {"size", "counts"} <= mask.keys():
            yield f"{where}: expected null, or a mask with 'size' and 'counts'"
        elif mask["size"] != size:
            yield f"{where}: mask size {shown(mask['size'])}, expected [height, width] = {size}"
        elif not isinstance(mask["counts"], str):
            yield f"{where}: 'counts' is a {type(mask['counts']).__name__}, expected a str"
        elif rle_areas_covered([mask])[0] != size[0] * size[1]:
            yield f"{where}: {broken_counts(video)}"
