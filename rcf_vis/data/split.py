"""A training set → a training and a validation part.

The ground truth of the official validation sets is not public, so progress is measured on videos
that are held out of the training set.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from typing import Any

from rcf_vis.errors import DatasetError

from .json_forms import read_video_json
from .ytvis import read_categories, read_videos
from .ytvis_tracks import read_annotations

__all__ = ["choose_validation", "load_annotated_json", "split_content"]

_NO_OBJECT = "no object"  # stands for a category where a video has no object


def load_annotated_json(json_file: str) -> dict[str, Any]:
    """The content of a YouTube-VIS json, checked as for training.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: it is no YouTube-VIS json, contradicts itself, or has no annotations.
    """
    content = read_video_json(json_file)
    classes = read_categories(content, json_file)
    records = read_videos(content, json_file, "")
    annotations = content.get("annotations")
    if annotations is None:
        raise DatasetError(
            f"{json_file}: 'annotations' is missing or null; expected a training json, whose "
            "annotations are there"
        )
    read_annotations(annotations, json_file, records, classes)
    return content


def split_content(
    content: Mapping[str, Any], val_share: float, seed: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The contents of two jsons, for training and for validation.

    A video goes to one of the two with all its objects. Ids stay as they are. Both parts have all
    categories, and are sorted by id: the order in the json makes no difference.

    Args:
        content: of a YouTube-VIS json with annotations (see :func:`load_annotated_json`).
        val_share: share of the videos in the validation part; see :func:`choose_validation`.
        seed: another seed, another split.

    Raises:
        ValueError: the share is not between 0 and 1, or there are fewer than two videos.
    """
    classes_of: dict[int, set[Hashable]] = {video["id"]: set() for video in content["videos"]}
    for annotation in content["annotations"]:
        if not annotation.get("iscrowd"):
            classes_of[annotation["video_id"]].add(annotation["category_id"])
    chosen = choose_validation(classes_of, val_share, seed)

    def part(validation: bool) -> dict[str, Any]:
        return {
            **content,
            "videos": sorted(
                (v for v in content["videos"] if (v["id"] in chosen) == validation), key=_id
            ),
            "categories": sorted(content["categories"], key=_id),
            "annotations": sorted(
                (a for a in content["annotations"] if (a["video_id"] in chosen) == validation),
                key=_id,
            ),
        }

    return part(validation=False), part(validation=True)


def choose_validation(
    classes_of: Mapping[int, Collection[Hashable]], val_share: float, seed: int
) -> set[int]:
    """Which videos are for validation: greedy, stratified by the categories of their objects.

    Among equals the order is that of a hash of seed and video id.

    1. From the rarest category on, each that at least two videos show, and that is not in the
       validation part yet, gets a video there: one that brings most such categories along.
    2. Until the share is reached, the category furthest below its share gets a video.

    No video goes there which is the last, or the only, one in training with one of its categories.
    So step 1 may overshoot a small share, and step 2 may fall short of a large one; a category may
    miss the validation part where its videos are needed in training for another one. Videos
    without objects count as a category of their own.

    Args:
        classes_of: video id → its categories, maybe none.
        val_share: between 0 and 1, exclusive. At least one video is chosen, and not all of them.
        seed: any integer.

    Raises:
        ValueError: the share is not between 0 and 1, or there are fewer than two videos.
    """
    if not 0 < val_share < 1:
        raise ValueError(f"the share is {val_share}, expected between 0 and 1, exclusive")
    if len(classes_of) < 2:
        raise ValueError(f"{len(classes_of)} video cannot be split, expected at least two")
    order = sorted(
        classes_of, key=lambda video: hashlib.sha256(f"{seed} {video}".encode()).digest()
    )
    labels = {video: set(classes_of[video]) or {_NO_OBJECT} for video in order}
    total = Counter(label for video in order for label in labels[video])
    taken: Counter[Hashable] = Counter()
    chosen: set[int] = set()

    def candidates(label: Hashable | None = None) -> list[int]:
        return [
            video
            for video in order
            if video not in chosen
            and (label is None or label in labels[video])
            and all(total[other] - taken[other] > 1 for other in labels[video])
        ]

    def choose(video: int) -> None:
        chosen.add(video)
        taken.update(labels[video])

    rarest_first = sorted(total, key=lambda label: (total[label], str(label)))
    for label in rarest_first:
        if not taken[label] and (able := candidates(label)):
            choose(max(able, key=lambda video: sum(not taken[other] for other in labels[video])))
    while len(chosen) < round(val_share * len(order)) and (able := candidates()):
        reachable = set().union(*(labels[video] for video in able))
        neediest = min(reachable, key=lambda label: (taken[label] / total[label], str(label)))
        choose(next(video for video in able if neediest in labels[video]))
    return chosen or {order[0]}


def _hash(seed: int, video: int) -> bytes:
    return hashlib.sha256(f"{seed} {video}".encode()).digest()


def _id(item: Mapping[str, Any]) -> int:
    return item["id"]
