"""Tracks in memory for the tests of the identity metrics."""

import numpy as np

from rcf_vis.evaluation.overlaps import frame_overlaps
from rcf_vis.evaluation.track_masks import TrackMasks

from .ytvis_cases import rle

SIZE = (20, 30)


def columns(start, stop):
    """A mask of the columns start … stop − 1: its IoU is that of the intervals."""
    mask = np.zeros(SIZE, dtype=bool)
    mask[:, start:stop] = True
    return mask


def encoded(track):
    return [None if mask is None else rle(mask) for mask in track]


def tracks(dense):
    return [TrackMasks(encoded(track), f"track {k}") for k, track in enumerate(dense)]


def overlaps(truths, results):
    """Of dense tracks, of which there is at least one."""
    return frame_overlaps(tracks(truths), tracks(results), len((truths + results)[0]))


def random_video(seed):
    """Dense truths and results: wandering boxes, with gaps, exchanged identities and false ones."""
    rng = np.random.default_rng(seed)
    length = int(rng.integers(2, 7))
    truths = [_wandering(rng, length) for _ in range(rng.integers(0, 4))]
    results = [_disturbed(rng, track) for track in truths if rng.random() < 0.9]
    results += [_wandering(rng, length) for _ in range(rng.integers(0, 3))]
    if len(results) > 1 and rng.random() < 0.7:
        cut = int(rng.integers(1, length))
        first, second = results[:2]
        results[:2] = first[:cut] + second[cut:], second[:cut] + first[cut:]
    order = rng.permutation(len(results))
    return truths, [results[k] for k in order]


def _wandering(rng, length):
    centre, masks = rng.uniform(4, (16, 26)), []
    half = rng.uniform(2, 7, size=2)
    rows, cols = np.ogrid[: SIZE[0], : SIZE[1]]
    for _ in range(length):
        centre = centre + rng.normal(0, 1, size=2)
        mask = (abs(rows - centre[0]) < half[0]) & (abs(cols - centre[1]) < half[1])
        mask &= rng.random(SIZE) < 0.95  # so that no two IoUs are equal by chance
        masks.append(mask if mask.any() and rng.random() > 0.15 else None)
    return masks


def _disturbed(rng, track):
    shift = rng.integers(-2, 3, size=2)
    moved = [None if mask is None else np.roll(mask, shift, (0, 1)) for mask in track]
    return [mask if rng.random() > 0.15 else None for mask in moved]
