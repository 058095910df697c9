"""Between the two forms of an annotated json of videos: YouTube-VIS and CocoVID."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pycocotools import mask as mask_util

from .json_forms import read_video_json
from .ytvis import read_categories, read_videos
from .ytvis_tracks import read_tracks

__all__ = ["as_coco_vid", "as_ytvis"]

_FRAMES = ("file_names", "length", "still_image")


def as_ytvis(json_file: str) -> dict[str, Any]:
    """The content of a json of any form in that of YouTube-VIS, for its official tools too.

    Args:
        json_file: YouTube-VIS, CocoVID or COCO (see :mod:`~rcf_vis.data.json_forms`).

    Returns:
        ``videos``, ``categories``, ``annotations`` and what else the json has. A track has
        ``bboxes`` (``XYWH``) and ``areas`` beside its run-length ``segmentations``.

    Raises:
        FileNotFoundError, DatasetError: see :func:`~rcf_vis.data.load_ytvis_json`.
    """
    content, tracks = _read(json_file)
    if tracks is None:
        return content
    annotations = [
        {
            **{key: getattr(track, key) for key in ("id", "video_id", "category_id")},
            "iscrowd": int(track.crowd),
            "segmentations": track.masks,
            "bboxes": [mask and mask_util.toBbox(mask).tolist() for mask in track.masks],
            "areas": [mask and int(mask_util.area(mask)) for mask in track.masks],
        }
        for track in tracks
    ]
    return {**content, "annotations": annotations}


def as_coco_vid(json_file: str) -> dict[str, Any]:
    """The content of a json of any form in that of CocoVID, as mmtracking reads it.

    Args:
        json_file: see :func:`as_ytvis`.

    Returns:
        ``videos``, ``images`` (``video_id``, ``frame_id`` from 0), ``categories`` and
        ``annotations``, one a mask (``image_id``, ``video_id``, ``instance_id``: the track's id,
        ``bbox``, ``area``), and what else the json has. Images and annotations are numbered from 1.

    Raises:
        FileNotFoundError, DatasetError: see :func:`~rcf_vis.data.load_ytvis_json`.
    """
    content, tracks = _read(json_file)
    images: list[dict[str, Any]] = []
    first: dict[int, int] = {}  # video → number of its first image
    for video in content["videos"]:
        first[video["id"]] = len(images) + 1
        for frame, name in enumerate(video["file_names"]):
            size = {key: video[key] for key in ("width", "height")}
            place = {"video_id": video["id"], "frame_id": frame}
            images.append({"id": len(images) + 1, "file_name": name, **size, **place})
    annotations: list[dict[str, Any]] = []
    for track in tracks or ():
        for frame, mask in enumerate(track.masks):
            if mask is None:
                continue
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": first[track.video_id] + frame,
                    "video_id": track.video_id,
                    "category_id": track.category_id,
                    "instance_id": track.id,
                    "iscrowd": int(track.crowd),
                    "segmentation": mask,
                    "bbox": mask_util.toBbox(mask).tolist(),
                    "area": int(mask_util.area(mask)),
                }
            )
    videos = [
        {key: value for key, value in video.items() if key not in _FRAMES}
        for video in content["videos"]
    ]
    converted = {**content, "videos": videos, "images": images}
    return converted if tracks is None else {**converted, "annotations": annotations}


def _read(json_file: str) -> tuple[dict[str, Any], list | None]:
    """The content, checked, and its tracks; None where the json has no annotations."""
    content: Mapping[str, Any] = read_video_json(json_file)
    classes = read_categories(content, json_file)
    videos = read_videos(content, json_file, "")
    if content.get("annotations") is None:
        return dict(content), None
    ids = classes["thing_dataset_id_to_contiguous_id"]
    tracks = read_tracks(content["annotations"], json_file, videos, ids, all_crowds=True)
    return dict(content), list(tracks)
