"""Small YouTube-VIS data in memory for the tests of the evaluation."""

import numpy as np
import pycocotools.mask as mask_util

CATEGORIES = [{"id": 3, "name": "cat"}, {"id": 1, "name": "person"}, {"id": 7, "name": "unseen"}]


def rle(mask):
    """Compressed RLE with ``counts`` as str."""
    encoded = mask_util.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}


def box(top, left, bottom, right, size=(20, 30)):
    """RLE of a rectangle."""
    mask = np.zeros(size, dtype=bool)
    mask[top:bottom, left:right] = True
    return rle(mask)


def video(video_id=1, length=3, size=(20, 30)):
    names = [f"{video_id}/{frame:05d}.jpg" for frame in range(length)]
    height, width = size
    return {
        "id": video_id,
        "height": height,
        "width": width,
        "length": length,
        "file_names": names,
    }


def truth(annotation_id, segmentations, video_id=1, category_id=1, **more):
    annotation = {
        "id": annotation_id,
        "video_id": video_id,
        "category_id": category_id,
        "iscrowd": 0,
        "segmentations": segmentations,
        **more,
    }
    if "areas" not in more:
        annotation["areas"] = [None if s is None else int(mask_util.area(s)) for s in segmentations]
    return annotation


def result(segmentations, score=0.9, video_id=1, category_id=1):
    return {
        "video_id": video_id,
        "category_id": category_id,
        "score": score,
        "segmentations": segmentations,
    }


def ground_truth(annotations, videos=None, categories=None):
    return {
        "videos": videos or [video()],
        "categories": categories or CATEGORIES,
        "annotations": annotations,
    }


def random_case(seed, sides=(3, 6, 9), size=(20, 24), num_results=(0, 8), length=4):
    """Tracks with gaps, empty masks and crowds; results with shifts, gaps, ties and wrong classes.

    Args:
        sides: of the squares that objects are about, in pixels.
        num_results: least and most of them a video.
    """
    rng = np.random.default_rng(seed)
    videos, annotations, results = [], [], []
    for video_id in rng.permutation([5, 2, 9])[: rng.integers(1, 4)].tolist():
        frames = int(rng.integers(1, length + 1))
        videos.append(video(video_id, frames, size))
        tracks = [_random_track(rng, frames, sides, size) for _ in range(rng.integers(0, 5))]
        if tracks and rng.random() < 0.5:
            tracks.append(tracks[0])  # two truths at the same place
        labels = rng.choice([1, 3], len(tracks)).tolist()
        for masks, label in zip(tracks, labels, strict=True):
            areas = [None if m is None else float(m.sum()) for m in masks]
            if rng.random() < 0.2:  # the json's areas count, not those of the masks
                areas = [a and float(rng.choice([128**2, 128**2 + 1, 256**2])) for a in areas]
            number = len(annotations) + int(seed % 3 > 0)  # also an id of 0
            crowd = int(rng.random() < 0.25)
            segmentations = [None if m is None else rle(m) for m in masks]
            annotations.append(
                truth(number, segmentations, video_id, label, iscrowd=crowd, areas=areas)
            )
        for _ in range(rng.integers(*num_results, endpoint=True)):
            if tracks and rng.random() < 0.8:
                index = rng.integers(len(tracks))
                masks, label = _disturb(rng, tracks[index]), labels[index]
            else:
                masks, label = _random_track(rng, frames, sides, size), 1
            label = int(rng.choice([label, label, label, 1, 3, 7]))
            segmentations = [None if m is None else rle(m) for m in masks]
            score = float(rng.choice([0.5, 0.8, rng.random()]))
            results.append(result(segmentations, score, video_id, label))
    shuffled = [results[i] for i in rng.permutation(len(results))]
    return ground_truth(annotations, videos), shuffled


def _random_track(rng, length, sides, size):
    side = int(rng.choice(sides))
    height, width = (min(int(side * rng.uniform(0.7, 1.4)) + 1, limit) for limit in size)
    base = np.zeros(size, dtype=bool)
    base[:height, :width] = rng.random((height, width)) < rng.choice([0.6, 1.0])
    base = np.roll(base, rng.integers(0, size), (0, 1))
    masks = [np.roll(base, int(rng.integers(-1, 2)), 1) for _ in range(length)]
    return [
        None if gap < 0.2 else mask & (gap > 0.25)
        for gap, mask in zip(rng.random(length), masks, strict=True)
    ]


def _disturb(rng, masks):
    shift = int(rng.choice([0, 0, 1, 2]))
    moved = [None if mask is None else np.roll(mask, shift, 0) for mask in masks]
    return [None if rng.random() < 0.1 else mask for mask in moved]
