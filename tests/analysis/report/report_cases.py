"""A small data set with every kind of error, and its frames."""

import json

import numpy as np
from PIL import Image

from tests.evaluation.ytvis_cases import box, ground_truth, result, truth, video

SIZE = (20, 30)
LEFT, RIGHT, MIDDLE = box(2, 2, 12, 8), box(2, 20, 12, 26), box(2, 11, 12, 17)
LENGTH = 3


def part(left, width, height=10):
    """The upper left part of an object of 10 x 6 pixels at this column."""
    return [box(2, left, 2 + height, left + width)] * LENGTH


def every_kind():
    """Ground truth, results, and the kind of each result ("" for a right one).

    Categories are person (1) and cat (3). Video 1: LEFT is found (and twice), MIDDLE has the wrong
    category, RIGHT is localized badly. Video 2: LEFT is found with more; MIDDLE is missed; RIGHT
    has neither the category nor a good mask, so it is missed too. Video 3: a crowd and nothing
    else, which one result finds.
    """
    annotations = [
        truth(1, [LEFT] * LENGTH, 1, 1),
        truth(2, [MIDDLE] * LENGTH, 1, 1),
        truth(3, [RIGHT] * LENGTH, 1, 3),
        truth(4, [LEFT] * LENGTH, 2, 3),
        truth(5, [MIDDLE] * LENGTH, 2, 1),
        truth(6, [RIGHT] * LENGTH, 2, 1),
        truth(7, [LEFT] * LENGTH, 3, 1, iscrowd=1),
    ]
    entries = [
        (result(part(2, 6), 0.9, 1, 1), ""),
        (result(part(2, 5), 0.8, 1, 1), "duplicate"),
        (result(part(11, 5), 0.85, 1, 3), "classification"),
        (result(part(11, 4), 0.7, 1, 3), "classification"),
        (result(part(20, 2), 0.95, 1, 3), "localization"),
        (result(part(20, 1), 0.6, 1, 3), "localization"),
        (result(part(2, 6), 0.5, 2, 3), ""),
        (result(part(20, 2), 0.75, 2, 3), "both"),
        (result([box(14, 0, 20, 30)] * LENGTH, 0.65, 2, 3), "background"),
        (result(part(2, 6), 0.99, 3, 1), ""),
        (result(part(20, 6), 0.4, 3, 7), "background"),
    ]
    gt = ground_truth(annotations, [video(number, LENGTH, SIZE) for number in (1, 2, 3)])
    results, kinds = zip(*entries, strict=True)
    return gt, list(results), list(kinds)


def write_case(folder, gt, results):
    """Write gt.json, results.json and the frames below images/."""
    (folder / "gt.json").write_text(json.dumps(gt))
    (folder / "results.json").write_text(json.dumps(results))
    for entry in gt["videos"]:
        for t, name in enumerate(entry["file_names"]):
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shade = np.full((*SIZE, 3), 60 + 40 * t, np.uint8)
            Image.fromarray(shade).save(path)
