"""Detections made by hand, for the tests of the trackers."""

import numpy as np
import torch
from detectron2.structures import Boxes, Instances

from rcf_vis.analysis.trackers.detections import DetectedVideo

SIZE = (60, 100)


def frame(*objects):
    """(slot, left, score, class) → the instances of a frame, squares of 20 pixels."""
    found = Instances(SIZE)
    masks = torch.zeros((len(objects), *SIZE), dtype=torch.bool)
    for mask, (_, left, *_) in zip(masks, objects, strict=True):
        mask[20:40, left : left + 20] = True
    found.pred_masks = masks
    boxes = [[left, 20, left + 20, 40] for _, left, *_ in objects]
    found.pred_boxes = Boxes(torch.tensor(boxes, dtype=torch.float32).view(-1, 4))
    found.scores = torch.tensor([score for *_, score, _ in objects])
    found.pred_classes = torch.tensor([label for *_, label in objects], dtype=torch.int64)
    found.class_probs = torch.zeros((len(objects), 2))
    for row, (*_, score, label) in zip(found.class_probs, objects, strict=True):
        row[label] = score
    found.slots = torch.tensor([slot for slot, *_ in objects], dtype=torch.int64)
    return found


def detected(frames, video_id=1):
    record = {"video_id": video_id, "height": SIZE[0], "width": SIZE[1], "file_names": []}
    return DetectedVideo(record, list(frames))


def image():
    """Of a scene that stands still, with something to see."""
    return np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
