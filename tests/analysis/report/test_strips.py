"""Strips: identities, where the masks are drawn, missing frames."""

import numpy as np
import pytest
from PIL import Image

from rcf_vis.analysis.report import strips
from rcf_vis.analysis.report.strips import draw_strip, film_strip, result_identities, save_animation
from rcf_vis.data.ytvis import read_videos

from .report_cases import every_kind, write_case
from .test_precision import paired


@pytest.fixture
def case(tmp_path):
    gt, results, _ = every_kind()
    write_case(tmp_path, gt, results)
    pairs, truths = paired(gt, results)
    records = read_videos(gt, "gt.json", str(tmp_path / "images"))
    return pairs, records, list(truths.categories.values())


def test_identities_are_those_of_the_truths_one_to_one(case):
    pairs, _, _ = case
    first = pairs[0]
    shown = np.arange(len(first.results))
    # Scores by category: persons 0.9, 0.8; cats 0.95, 0.85, 0.7, 0.6. Truths by category: the
    # persons at the left and in the middle are 0 and 1, the cat at the right is 2.
    identities = dict(zip(first.scores.tolist(), result_identities(first, shown), strict=True))
    assert identities == {0.9: 0, 0.8: 3, 0.95: 2, 0.85: 1, 0.7: 4, 0.6: 5}
    assert result_identities(pairs[2], np.array([1])).tolist() == [1]  # in the background
    assert result_identities(first, shown[:0]).tolist() == []


def test_what_is_drawn(case, monkeypatch):
    pairs, records, names = case
    drawn = []

    def record(frame, masks, ids, labels):
        drawn.append((frame.copy(), [mask.copy() for mask in masks], list(ids), list(labels)))
        return frame

    monkeypatch.setattr(strips, "draw_masks", record)
    pictures = draw_strip(pairs[1], records[2], names, score_threshold=0.7, width=60, max_frames=2)
    assert [picture.shape for picture in pictures] == [(2 * 40 + 4, 60, 3)] * 2
    assert [int(picture[0, 0, 0]) for picture in pictures] == [60, 140]  # the first and the last
    truth, prediction = drawn[:2]
    assert (truth[2], truth[3]) == ([0, 1, 2], ["0 person", "1 person", "2 cat"])
    assert (prediction[2], prediction[3]) == ([1], ["1 cat 75%"])
    expected = np.zeros((40, 60), bool)
    expected[4:24, 40:44] = True  # twice the pixels of the box at 2:12, 20:22
    assert (prediction[1][0].astype(bool) == expected).all()


def test_absent_tracks_are_not_drawn(case):
    pairs, records, names = case
    for item in (*pairs[0].truths, *pairs[0].results):
        item.track.masks[1] = None
    pictures = draw_strip(pairs[0], records[1], names, score_threshold=0.0, width=60)
    spread = [np.ptp(picture[:40].reshape(-1, 3), axis=0).max() for picture in pictures]
    assert spread[0] > 50 and spread[1] == 0 and spread[2] > 50


def test_animation_and_film_strip(case, tmp_path):
    pairs, records, names = case
    pictures = draw_strip(pairs[0], records[1], names, score_threshold=0.3, width=60)
    save_animation(pictures, tmp_path / "new" / "video.webp", frame_rate=5)
    with Image.open(tmp_path / "new" / "video.webp") as animation:
        assert (animation.n_frames, animation.size) == (3, (60, 84))
        shown = np.asarray(animation.convert("RGB"), dtype=float)
        assert np.abs(shown[..., ::-1] - pictures[0]).mean() < 12  # compressed
    sheet = film_strip(pictures, 2)
    assert (sheet == np.concatenate([pictures[0], pictures[2]], axis=1)).all()


def test_a_missing_frame_is_named(case):
    pairs, records, names = case
    record = dict(records[1], file_names=[*records[1]["file_names"][:2], "/gone/00002.jpg"])
    with pytest.raises(FileNotFoundError, match="video 1, frame /gone/00002.jpg"):
        draw_strip(pairs[0], record, names, score_threshold=0.3, width=60)
