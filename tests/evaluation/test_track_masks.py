import numpy as np
import pycocotools.mask as mask_util
import pytest

from rcf_vis.evaluation.overlaps import track_ious
from rcf_vis.evaluation.track_masks import TrackMasks, check_tracks

from .ytvis_cases import box, rle


def tracks(arrays):
    """Tracks from (T, H, W) bool arrays; frames without a pixel are null."""
    return [
        TrackMasks([rle(mask) if mask.any() else None for mask in array], f"track {number}")
        for number, array in enumerate(arrays)
    ]


def dense_ious(results, truths):
    return np.array([[(d & g).sum() / max((d | g).sum(), 1) for g in truths] for d in results])


def moving_boxes(rng, count, length, size=(24, 32)):
    arrays = np.zeros((count, length, *size), dtype=bool)
    for array in arrays:
        y, x, height, width = rng.integers(0, 16, 4)
        for frame in np.flatnonzero(rng.random(length) < 0.8):
            dy, dx = rng.integers(0, 3, 2)
            array[frame, y + dy : y + dy + height + 1, x + dx : x + dx + width + 1] = True
    return arrays


@pytest.mark.parametrize(
    ("num_results", "num_truths", "length"), [(1, 1, 1), (5, 3, 7), (40, 12, 9)]
)
def test_equals_dense_masks(num_results, num_truths, length):
    rng = np.random.default_rng(num_results)
    truths = moving_boxes(rng, num_truths, length)
    results = moving_boxes(rng, num_results, length)
    near = results[::2]  # a view: these become a part of a truth
    near[:] = truths[rng.integers(0, num_truths, len(near))]
    near &= rng.random(near.shape) < 0.9
    expected = dense_ious(results, truths)
    assert (expected >= 0.5).sum() >= len(near)
    found = track_ious(tracks(results), tracks(truths))
    np.testing.assert_array_equal(found, expected)  # to the bit: thresholds are met exactly


def test_tracks_without_a_pixel_and_none_at_all():
    empty = [TrackMasks([None, box(0, 0, 0, 0)], "empty")]
    full = [TrackMasks([box(0, 0, 9, 9), None], "full")]
    assert track_ious(empty, [*empty, *full]).tolist() == [[0.0, 0.0]]
    assert track_ious([], full).shape == (0, 1)
    assert track_ious(full, []).shape == (1, 0)


def test_areas_and_their_mean():
    track = TrackMasks([box(0, 0, 2, 3), None, box(0, 0, 0, 0), box(0, 0, 1, 3)], "")
    assert track.areas.tolist() == [6, 0, 0, 3]
    assert track.mean_area == 4.5
    assert TrackMasks([None], "").mean_area == 0.0


def test_more_masks_than_pycocotools_takes_at_once():
    one = TrackMasks([box(0, 0, 2, 3)] * 300, "one")
    part = TrackMasks([None] * 20 + [box(0, 0, 2, 3)] * 280, "part")
    assert one.areas.tolist() == [6] * 300
    assert track_ious([one] * 90, [part]).tolist() == [[280 / 300]] * 90


@pytest.mark.parametrize("runs", [[100, 200, 299], [100, 200, 301], [0, 300], [10, 300, 20, 269]])
def test_runs_that_do_not_cover_the_mask(runs):
    broken = mask_util.frPyObjects({"size": [20, 30], "counts": runs}, 20, 30)
    sound = mask_util.frPyObjects({"size": [20, 30], "counts": [100, 200, 300]}, 20, 30)
    good = TrackMasks([sound, sound], "truth")
    message = r"result 7: segmentations\[1\]: 'counts' is cut off or broken; .* 20 x 30 pixels"
    with pytest.raises(ValueError, match=message):
        track_ious([TrackMasks([sound, broken], "result 7")], [good])


def test_runs_of_any_shape_are_taken():
    rng = np.random.default_rng(0)
    masks = [rng.random((37, 53)) < density for density in (0.02, 0.3, 0.5, 0.9, 1.1)]
    masks += [np.roll(np.eye(37, 53) > 0, k, 1) for k in range(3)]
    track = TrackMasks([rle(mask) for mask in masks], "")
    assert track_ious([track], [track]).tolist() == [[1.0]]


def test_a_broken_mask_among_many_is_named():
    good = box(0, 0, 2, 3)
    masks = [good] * 130 + [None] + [good] * 119
    masks[240] = {**good, "counts": good["counts"] + "0"}
    with pytest.raises(ValueError, match=r"^b: segmentations\[240\]: 'counts' is cut off"):
        check_tracks([TrackMasks([good] * 7, "a"), TrackMasks(masks, "b")])
