"""How well identities are kept: HOTA, IDF1, ID switches, fragmentations, mask flicker."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .continuity import count_breaks, flicker_sums, follow
from .hota import ALPHAS, hota_figures, hota_sums, identity_f1, identity_f1_sums
from .overlaps import Overlaps, frame_overlaps
from .track_files import GroundTruth, Result, Truth, read_ground_truth, read_results

__all__ = ["IDENTITY_METRICS", "compared_tracks", "evaluate_identity"]

IDENTITY_METRICS = ("HOTA", "DetA", "AssA", "IDF1", "IDSW", "Frag", "flicker")
_CROWD_IOU = 0.5


class _Sums(NamedTuple):
    """What the figures are made of; see the functions that give them."""

    hota: np.ndarray
    identity_f1: np.ndarray
    breaks: np.ndarray
    flicker: np.ndarray


def evaluate_identity(
    gt_json: str | os.PathLike | Mapping[str, Any],
    results: str | os.PathLike | list[dict],
    *,
    class_aware: bool = True,
    min_score: float = 0.0,
) -> dict[str, Any]:
    """Identity metrics of tracks, from masks, by their published definitions.

    A track is found, or not, in each frame by the IoU of its mask in that frame. By default only a
    result of the truth's own category can find it, as for AP. All results count alike, whatever
    their scores: many more than there are objects cost DetA, HOTA and IDF1.

    The figures of all videos and categories are made from the sums over them, not from the mean of
    their figures; those of one category are under ``per_category``.

    A crowd cannot be found; a result's mask that overlaps one by an IoU of 0.5, and by more than
    any object, does not count in that frame.

    Args:
        gt_json: path or content of a YouTube-VIS json with annotations.
        results: path or list, as :func:`rcf_vis.evaluation.evaluate_ytvis` takes them.
        class_aware: compare within each category; False: whatever the category.
        min_score: results below it are left out.

    Returns:
        ``HOTA``, ``DetA``, ``AssA``, ``IDF1`` in [0, 1]; ``IDSW`` and ``Frag``, the counts of ID
        switches and of fragmentations, at an IoU of 0.5; ``flicker``, the mean over neighbouring
        frames of (IoU of a result's two masks − IoU of its truth's two masks), below 0 where masks
        are less steady than the ground truth's; and ``per_category``, name → HOTA (empty when not
        class-aware). −1 where undefined.

    Raises:
        FileNotFoundError, ValueError: as :func:`rcf_vis.evaluation.evaluate_ytvis` says.

    Example:
        >>> evaluate_identity("valid.json", "output/inference/results.json")["HOTA"]
        0.512
    """
    ground_truth = read_ground_truth(gt_json)
    found = read_results(results, ground_truth)
    sums: dict[int | None, list[_Sums]] = defaultdict(list)
    for (video, category), (truths, tracks) in compared_tracks(ground_truth, found, class_aware):
        tracks = [result for result in tracks if result.score >= min_score]
        length = ground_truth.videos[video]["length"]
        sums[category].append(_video_sums(truths, tracks, length))
    totals = {category: _total(parts) for category, parts in sums.items()}
    names = ground_truth.categories if class_aware else {}
    return {
        **_figures(_total(totals.values())),
        "per_category": {
            name: hota_figures(totals[category].hota)["HOTA"] if category in totals else -1.0
            for category, name in names.items()
        },
    }


def compared_tracks(
    ground_truth: GroundTruth,
    found: Mapping[tuple[int, int], list[Result]],
    class_aware: bool,
) -> Iterable[tuple[tuple[int, int | None], tuple[list[Truth], list[Result]]]]:
    """What is compared with each other: the tracks of a video, and of a category.

    Yields:
        (video id, category id, or None whatever the category), and the truths and results of it.
    """
    groups: dict[tuple[int, int | None], tuple[list, list]] = defaultdict(lambda: ([], []))
    for side, tracks in enumerate((ground_truth.truths, found)):
        for (video, category), members in tracks.items():
            groups[video, category if class_aware else None][side].extend(members)
    return groups.items()


def _video_sums(truths: Sequence[Truth], results: Sequence[Result], num_frames: int) -> _Sums:
    result_tracks = [result.track for result in results]
    objects = [truth.track for truth in truths if not truth.crowd]
    overlaps = frame_overlaps(objects, result_tracks, num_frames)
    crowds = [truth.track for truth in truths if truth.crowd]
    if crowds:
        overlaps = _without_crowds(overlaps, frame_overlaps(crowds, result_tracks, num_frames))
    followed = follow(overlaps)
    return _Sums(
        hota_sums(overlaps),
        identity_f1_sums(overlaps),
        count_breaks(followed, overlaps.truth_present),
        flicker_sums(objects, result_tracks, followed),
    )


def _without_crowds(overlaps: Overlaps, with_crowds: Overlaps) -> Overlaps:
    on_crowd = with_crowds.ious.max(1)  # (T, D)
    ignored = (on_crowd >= _CROWD_IOU) & (on_crowd > overlaps.ious.max(1, initial=0.0))
    return Overlaps(
        np.where(ignored[:, None], 0.0, overlaps.ious),
        overlaps.truth_present,
        overlaps.result_present & ~ignored,
    )


def _total(parts: Iterable[_Sums]) -> _Sums:
    nothing = _Sums(np.zeros((4, len(ALPHAS))), np.zeros(3), np.zeros(2), np.zeros(2))
    return _Sums(*(np.sum(column, axis=0) for column in zip(nothing, *parts, strict=True)))


def _figures(total: _Sums) -> dict[str, float]:
    switches, fragments = total.breaks.tolist()
    difference, pairs = total.flicker.tolist()
    figures = {
        **hota_figures(total.hota),
        "IDF1": identity_f1(total.identity_f1),
        "IDSW": int(switches),
        "Frag": int(fragments),
        "flicker": difference / pairs if pairs else -1.0,
    }
    return {name: figures[name] for name in IDENTITY_METRICS}
