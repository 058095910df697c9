"""Evaluation in plain loops, one mask and one pair at a time: what the fast one is held against."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask as mask_util

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
RANGES = ((0, 1e10), (0, 128**2), (128**2, 256**2), (256**2, 1e10))


def evaluate(ground_truth: Path, results: Path) -> tuple[float, dict[str, float]]:
    """AP over all sizes, and the CPU seconds of each step."""
    clock = _Clock()
    content = json.loads(ground_truth.read_text())
    entries = json.loads(results.read_text())
    clock.stop("reading")
    for entry in entries:
        masks = [mask for mask in entry["segmentations"] if mask]
        areas = [mask_util.area(mask) for mask in masks]
        entry["boxes"] = [mask_util.toBbox(mask) for mask in masks]
        entry["area"] = np.mean([area for area in areas if area] or [0])
    clock.stop("areas of the results")
    truths, found = _grouped(content["annotations"]), _grouped(entries)
    ious = {
        key: [[_iou(r, t) for t in truths[key]] for r in _best(found[key])] for key in list(truths)
    }
    outcomes = defaultdict(list)
    for video in content["videos"]:
        for category in content["categories"]:
            key = video["id"], category["id"]
            if truths[key] or found[key]:
                for low, high in RANGES:
                    matched = _match(truths[key], _best(found[key]), ious.get(key), low, high)
                    outcomes[category["id"], low, high].append(matched)
    clock.stop("evaluation")
    precisions = [_precision(o) for key, o in outcomes.items() if key[1:] == RANGES[0]]
    for key, group in outcomes.items():
        if key[1:] != RANGES[0]:
            _precision(group)
    figure = float(np.mean([p for p in precisions if p is not None]))
    clock.stop("accumulation")
    return figure, clock.seconds


class _Clock:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.process_time()

    def stop(self, step: str) -> None:
        now = time.process_time()
        self.seconds[step] = now - self._last
        self._last = now


def _grouped(items: list[dict[str, Any]]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    groups = defaultdict(list)
    for item in items:
        groups[item["video_id"], item["category_id"]].append(item)
    return groups


def _best(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(results, key=lambda result: -result["score"])[:100]


def _iou(result: dict[str, Any], truth: dict[str, Any]) -> float:
    """Frame by frame, the masks of each merged."""
    common = together = 0.0
    for one, other in zip(result["segmentations"], truth["segmentations"], strict=True):
        if one and other:
            common += mask_util.area(mask_util.merge([one, other], intersect=True))
            together += mask_util.area(mask_util.merge([one, other], intersect=False))
        elif one or other:
            together += mask_util.area(one or other)
    return common / together if together else 0.0


def _match(
    truths: list[dict[str, Any]],
    results: list[dict[str, Any]],
    ious: list[list[float]] | None,
    low: float,
    high: float,
) -> tuple[list[float], np.ndarray, np.ndarray, int]:
    """Scores; found a truth, and ignored, for each threshold and result; number of truths."""
    areas = [[area for area in truth["areas"] if area] for truth in truths]
    ignored_truths = [not low <= np.mean(a or [0]) <= high for a in areas]
    order = sorted(range(len(truths)), key=lambda g: ignored_truths[g])
    matched = np.zeros((len(THRESHOLDS), len(results)), dtype=bool)
    ignored = np.zeros((len(THRESHOLDS), len(results)), dtype=bool)
    for t, threshold in enumerate(THRESHOLDS):
        taken = set()
        for d, result in enumerate(results):
            best, found = threshold, -1
            for g in order:
                if g in taken:
                    continue
                if found >= 0 and not ignored_truths[found] and ignored_truths[g]:
                    break
                if ious[d][g] >= best:
                    best, found = ious[d][g], g
            if found >= 0:
                taken.add(found)
                matched[t, d], ignored[t, d] = True, ignored_truths[found]
            else:
                ignored[t, d] = not low <= result["area"] <= high
    scores = [result["score"] for result in results]
    return scores, matched, ignored, ignored_truths.count(False)


def _precision(outcomes: list[tuple[list[float], np.ndarray, np.ndarray, int]]) -> float | None:
    """AP of one category; None where there is nothing to find."""
    num_truths = sum(outcome[3] for outcome in outcomes)
    if not num_truths:
        return None
    order = np.argsort(-np.concatenate([o[0] for o in outcomes]), kind="stable")
    matched = np.concatenate([o[1] for o in outcomes], axis=1)[:, order]
    counted = ~np.concatenate([o[2] for o in outcomes], axis=1)[:, order]
    curves = []
    for true, false in zip(matched & counted, ~matched & counted, strict=True):
        hits, misses = np.cumsum(true), np.cumsum(false)
        precision = (hits / np.maximum(hits + misses, 1)).tolist()
        for i in range(len(precision) - 1, 0, -1):
            precision[i - 1] = max(precision[i - 1], precision[i])
        places = np.searchsorted(hits / num_truths, RECALLS)
        curves.append([precision[i] if i < len(precision) else 0.0 for i in places])
    return float(np.mean(curves))
