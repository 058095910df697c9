"""J against loops over pixels."""

import json

import numpy as np
import pytest
from pycocotools import mask as mask_util

from rcf_vis.evaluation import evaluate_regions
from rcf_vis.evaluation.__main__ import main

H, W, T = 12, 16, 4


def encode(mask):
    code = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [H, W], "counts": code["counts"].decode()}


def box(top, left, bottom, right):
    mask = np.zeros((H, W), bool)
    mask[top:bottom, left:right] = True
    return mask


def content(tracks, crowds=()):
    """``tracks``: (video, category, masks)."""
    return {
        "videos": [{"id": v, "width": W, "height": H, "length": T} for v in (1, 2, 3)],
        "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "cat"}],
        "annotations": [
            {
                **{"id": number, "video_id": video, "category_id": category},
                "segmentations": [mask if mask is None else encode(mask) for mask in masks],
                "iscrowd": int(number in crowds),
            }
            for number, (video, category, masks) in enumerate(tracks, 1)
        ],
    }


def results(tracks):
    """``tracks``: (video, category, score, masks)."""
    return [
        {
            **{"video_id": video, "category_id": category, "score": score},
            "segmentations": [mask if mask is None else encode(mask) for mask in masks],
        }
        for video, category, score, masks in tracks
    ]


def slow_iou(one, other):
    if other is None:
        return 0.0
    both = sum(bool(one[y, x] and other[y, x]) for y in range(H) for x in range(W))
    either = sum(bool(one[y, x] or other[y, x]) for y in range(H) for x in range(W))
    return both / either


TRUTH = [box(2, 2, 8, 8), box(2, 3, 8, 9), None, box(2, 5, 8, 11)]
FIRST = [box(2, 2, 8, 7), box(2, 3, 8, 7), box(0, 0, 9, 9), None]
SECOND = [box(3, 2, 8, 8), None, None, box(2, 5, 8, 10)]


def test_best_track_and_best_mask_of_each_frame():
    gt = content([(1, 1, TRUTH)])
    found = results([(1, 2, 0.6, FIRST), (1, 1, 0.9, SECOND), (1, 1, 0.9, [box(9, 9, 12, 12)] * T)])
    figures = evaluate_regions(gt, found)
    frames = [0, 1, 3]  # those of the object
    first = [slow_iou(TRUTH[t], FIRST[t]) for t in frames]
    second = [slow_iou(TRUTH[t], SECOND[t]) for t in frames]
    assert sum(second) > sum(first)
    assert figures["J_track"] == pytest.approx(sum(second) / 3)
    assert figures["J_frame"] == pytest.approx(sum(map(max, first, second)) / 3)
    assert figures["class_right"] == 1.0 and figures["num_videos"] == 1
    assert evaluate_regions(gt, found[:1])["class_right"] == 0.0
    low = evaluate_regions(gt, found, min_score=0.7)
    assert low["J_frame"] == pytest.approx(sum(second) / 3)


def test_mean_over_the_videos_with_one_object():
    """A crowd does not count, a video with two objects or none is left out, nothing found is 0."""
    gt = content([(1, 1, TRUTH), (1, 2, TRUTH), (2, 1, TRUTH), (2, 1, FIRST), (3, 2, TRUTH)], (2,))
    figures = evaluate_regions(gt, results([(1, 1, 0.5, TRUTH)]))
    assert list(figures["per_video"]) == [1, 3]
    assert figures["per_video"][3] == {"J_track": 0.0, "J_frame": 0.0, "class_right": 0.0}
    assert [figures[name] for name in ("J_track", "J_frame", "class_right")] == [0.5] * 3
    two = evaluate_regions(content([(1, 1, TRUTH), (1, 1, FIRST)]), [])
    assert (two["J_track"], two["num_videos"]) == (-1.0, 0)


def test_of_equal_tracks_the_score_decides():
    gt = content([(1, 2, TRUTH)])
    found = results([(1, 1, 0.3, TRUTH), (1, 2, 0.6, TRUTH), (1, 1, 0.2, TRUTH)])
    assert evaluate_regions(gt, found)["class_right"] == 1.0
    found[0]["score"] = 0.7
    assert evaluate_regions(gt, found)["class_right"] == 0.0


def test_command_line(tmp_path, capsys):
    (tmp_path / "gt.json").write_text(json.dumps(content([(1, 1, TRUTH)])))
    (tmp_path / "results.json").write_text(json.dumps(results([(1, 1, 0.5, TRUTH)])))
    words = ["--gt", tmp_path / "gt.json", "--results", tmp_path / "results.json"]
    main([*map(str, words), "--regions", "--json", str(tmp_path / "out.json")])
    out = capsys.readouterr().out
    assert "1 videos with one annotated object\nJ_track      100.00" in out
    assert json.loads((tmp_path / "out.json").read_text())["regions"]["J_frame"] == 1.0
