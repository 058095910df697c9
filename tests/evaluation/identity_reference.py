"""HOTA and IDF1 the slow and obvious way: from pixels, with every assignment tried out.

A track is a list with a bool mask, or None, for each frame.
"""

from itertools import permutations

import numpy as np


def iou(mask, other):
    if mask is None or other is None:
        return 0.0
    return (mask & other).sum() / (mask | other).sum()


def frames_of(track):
    return sum(mask is not None for mask in track)


def best_assignment(num_rows, num_columns, value):
    """The one-to-one pairs of the greatest total value."""
    if num_rows > num_columns:
        pairs = best_assignment(num_columns, num_rows, lambda i, j: value(j, i))
        return [(i, j) for j, i in pairs]
    choices = [
        list(zip(range(num_rows), chosen, strict=True))
        for chosen in permutations(range(num_columns), num_rows)
    ]
    return max(choices, key=lambda pairs: sum(value(i, j) for i, j in pairs))


def agreement(truths, results, i, j):
    common = 0.0
    for t in range(len(truths[i])):
        own = iou(truths[i][t], results[j][t])
        of_truth = sum(iou(truths[i][t], result[t]) for result in results)
        of_result = sum(iou(truth[t], results[j][t]) for truth in truths)
        if own > 0:
            common += own / (of_truth + of_result - own)
    both = frames_of(truths[i]) + frames_of(results[j])
    return common / (both - common) if both else 0.0


def matches(truths, results):
    """(frame, truth, result, IoU) of all pairs of the matching, which holds for every threshold."""
    agreements = {
        (i, j): agreement(truths, results, i, j)
        for i in range(len(truths))
        for j in range(len(results))
    }
    found = []
    for t in range(len(truths[0])) if agreements else ():
        ious = {(i, j): iou(truths[i][t], results[j][t]) for i, j in agreements}
        score = {pair: agreements[pair] * ious[pair] for pair in ious}
        pairs = best_assignment(len(truths), len(results), lambda i, j, s=score: s[i, j])
        found += [(t, i, j, ious[i, j]) for i, j in pairs]
    return found


def hota(videos):
    """Mean HOTA, DetA and AssA over the thresholds, for (truths, results) of several videos."""
    matched = [matches(*video) for video in videos]
    figures = []
    for alpha in [k / 20 for k in range(1, 20)]:
        num_true = num_missed_or_wrong = 0
        associations = []
        for (truths, results), pairs in zip(videos, matched, strict=True):
            found = [(i, j) for _, i, j, overlap in pairs if overlap >= alpha]
            for i, j in found:
                both = found.count((i, j))
                missed = frames_of(truths[i]) - both
                wrong = frames_of(results[j]) - both
                associations.append(both / (both + missed + wrong))
            num_true += len(found)
            num_missed_or_wrong += sum(map(frames_of, truths + results)) - 2 * len(found)
        detection = num_true / (num_true + num_missed_or_wrong)
        association = sum(associations) / len(associations) if associations else 0.0
        figures.append([(detection * association) ** 0.5, detection, association])
    return dict(zip(("HOTA", "DetA", "AssA"), np.mean(figures, axis=0), strict=True))


def idf1(videos):
    """IDF1 for (truths, results) of several videos."""
    true = missed = wrong = 0
    for truths, results in videos:
        common = {
            (i, j): sum(iou(*pair) >= 0.5 for pair in zip(truth, result, strict=True))
            for i, truth in enumerate(truths)
            for j, result in enumerate(results)
        }
        pairs = best_assignment(len(truths), len(results), lambda i, j, c=common: c[i, j])
        matched = sum(common[pair] for pair in pairs)
        true += matched
        missed += sum(map(frames_of, truths)) - matched
        wrong += sum(map(frames_of, results)) - matched
    return 2 * true / (2 * true + missed + wrong)
