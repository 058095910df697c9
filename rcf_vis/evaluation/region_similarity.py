"""J, the region similarity of DAVIS, for videos in which one object alone is annotated.

AP counts whatever else is found as wrong, though it may be there and not annotated; J asks only
how well the annotated object was found.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from .overlaps import frame_overlaps
from .track_files import read_ground_truth, read_results

__all__ = ["REGION_METRICS", "evaluate_regions"]

REGION_METRICS = ("J_track", "J_frame", "class_right")


def evaluate_regions(
    gt_json: str | os.PathLike | Mapping[str, Any],
    results: str | os.PathLike | list[dict],
    *,
    min_score: float = 0.0,
) -> dict[str, Any]:
    """Region similarity J (Perazzi et al., CVPR 2016): the IoU of masks, mean over frames.

    The frames are those in which the object has a mask; where a track has none, its IoU is 0. A
    track may be of any category. Videos with another number of objects than one (crowds do not
    count) are left out.

    Args:
        gt_json: path or content of a YouTube-VIS json with annotations.
        results: path or list, as :func:`rcf_vis.evaluation.evaluate_ytvis` takes them.
        min_score: results below it are left out.

    Returns:
        ``J_track``, the mean over the videos of the best single track's J; ``J_frame``, the same
        with the best mask of each frame, whichever its track; ``class_right``, the share of the
        videos whose best track is of the object's category (of tracks that are equally good, the
        one with the highest score). In [0, 1]; −1 without such a video. ``num_videos``, and
        ``per_video``: video id → the same three.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.
    """
    ground_truth = read_ground_truth(gt_json)
    objects, tracks = defaultdict(list), defaultdict(list)
    for (video, category), truths in ground_truth.truths.items():
        objects[video] += [(category, truth.track) for truth in truths if not truth.crowd]
    for (video, category), found in read_results(results, ground_truth).items():
        tracks[video] += [(category, item) for item in found if item.score >= min_score]
    per_video = {}
    for video, annotated in sorted(objects.items()):
        if len(annotated) != 1 or not annotated[0][1].areas.any():
            continue
        category, truth = annotated[0]
        # The best score first: of tracks that are equally good, argmax takes the first.
        found = sorted(tracks[video], key=lambda item: -item[1].score)
        length = ground_truth.videos[video]["length"]
        overlaps = frame_overlaps([truth], [item.track for _, item in found], length)
        ious = overlaps.ious[overlaps.truth_present[:, 0], 0]  # (frames, D)
        of_tracks = ious.mean(0)
        best = int(of_tracks.argmax()) if len(found) else None
        per_video[video] = {
            "J_track": float(of_tracks[best]) if found else 0.0,
            "J_frame": float(ious.max(1, initial=0.0).mean()),
            "class_right": float(
                bool(found) and of_tracks[best] > 0 and found[best][0] == category
            ),
        }
    figures = {
        name: float(np.mean([of[name] for of in per_video.values()])) if per_video else -1.0
        for name in REGION_METRICS
    }
    return {**figures, "num_videos": len(per_video), "per_video": per_video}
