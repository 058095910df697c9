"""The tracks of one video in the formats that other tools read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pycocotools.mask as mask_util
from detectron2.data import Metadata

from rcf_vis.files import whole_file

from .track_accumulator import TrackAccumulator

__all__ = ["EXPORT_FORMATS", "as_coco", "as_mots", "write_tracks"]

EXPORT_FORMATS = ("ytvis", "coco", "mots")


def write_tracks(
    kind: str,
    path: str | os.PathLike,
    tracks: TrackAccumulator,
    metadata: Metadata,
    labels_per_track: int = 1,
) -> None:
    """Write the tracks of a video; the write is atomic.

    Args:
        kind: of :data:`EXPORT_FORMATS`: "ytvis", a list as the YouTube-VIS servers take it; "coco",
            see :func:`as_coco`; "mots", see :func:`as_mots`.
        path: of the file.
        tracks: all frames of the video.
        metadata: with ``thing_classes`` and ``thing_dataset_id_to_contiguous_id``.
        labels_per_track: how many classes a track has in "ytvis"; in the others it has its best.

    Raises:
        ValueError: there is no such format.
    """
    if kind not in EXPORT_FORMATS:
        raise ValueError(f"no format '{kind}' to export; expected {', '.join(EXPORT_FORMATS)}")
    ids = {index: number for number, index in metadata.thing_dataset_id_to_contiguous_id.items()}
    results = tracks.results(ids, labels_per_track if kind == "ytvis" else 1)
    with whole_file(path) as temporary:
        if kind == "mots":
            temporary.write_text("".join(f"{line}\n" for line in as_mots(results)))
            return
        if kind == "coco":
            names = {number: metadata.thing_classes[index] for index, number in ids.items()}
            height, width = tracks.image_size or (0, 0)
            video = {"id": tracks.video_id, "height": height, "width": width}
            results = as_coco(results, {**video, "length": len(tracks)}, names)
        temporary.write_text(json.dumps(results))


def as_coco(
    results: Sequence[Mapping[str, Any]], video: Mapping[str, int], categories: Mapping[int, str]
) -> dict[str, Any]:
    """A json of COCO's form with an image a frame and an annotation a mask.

    ``images`` also have ``video_id`` and ``frame_id`` (from 0), and annotations ``instance_id`` and
    ``score``, so that it can be read as CocoVID. Image n, from 1, is frame n − 1.

    Args:
        results: of :meth:`rcf_vis.evaluation.TrackAccumulator.results`, one a track.
        video: ``id``, ``height``, ``width`` and ``length``.
        categories: id → name.

    Example::

        coco = pycocotools.coco.COCO("tracks.json")
        masks = [coco.annToMask(annotation) for annotation in coco.imgToAnns[1]]
    """
    annotations = []
    of_video = {"video_id": video["id"]}
    for frame in range(video["length"]):
        for number, track in enumerate(results, 1):
            if mask := track["segmentations"][frame]:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": frame + 1,
                        **of_video,
                        "instance_id": number,
                        "category_id": track["category_id"],
                        "segmentation": mask,
                        "bbox": mask_util.toBbox(mask).tolist(),
                        "area": int(mask_util.area(mask)),
                        "iscrowd": 0,
                        "score": track["score"],
                    }
                )
    of_image = {**of_video, "height": video["height"], "width": video["width"]}
    images = [
        {"id": frame + 1, "frame_id": frame, "file_name": f"{frame:06d}.jpg", **of_image}
        for frame in range(video["length"])
    ]
    return {
        "videos": [{"id": video["id"]}],
        "images": images,
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
        "annotations": annotations,
    }


def as_mots(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The lines of MOTS (Voigtlaender et al., CVPR 2019): ``frame id class height width rle``.

    Frames count from 0, tracks from 1. Masks do not overlap there: a pixel of several belongs to
    the track with the highest score.
    """
    lines = []
    order = sorted(range(len(results)), key=lambda index: -results[index]["score"])
    length = max((len(track["segmentations"]) for track in results), default=0)
    for frame in range(length):
        taken = None
        for index in order:
            mask = results[index]["segmentations"][frame]
            if mask is None:
                continue
            if taken is not None and mask_util.area(mask_util.merge([mask, taken], True)):
                mask = _without(mask, taken)
            taken = mask if taken is None else mask_util.merge([mask, taken])
            if mask_util.area(mask):
                (height, width), counts = mask["size"], mask["counts"]
                counts = counts.decode("ascii") if isinstance(counts, bytes) else counts
                number, category = index + 1, results[index]["category_id"]
                lines.append(f"{frame} {number} {category} {height} {width} {counts}")
    return lines


def _without(mask: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    pixels = mask_util.decode(mask) & ~mask_util.decode(other) & 1
    return mask_util.encode(np.asfortranarray(pixels))
