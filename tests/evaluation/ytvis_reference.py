"""A slow evaluator written from the definition: dense masks and plain loops. For tests only."""

import numpy as np
import pycocotools.mask as mask_util

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
RANGES = {
    "all": (0, 10**10),
    "small": (0, 128**2),
    "medium": (128**2, 256**2),
    "large": (256**2, 10**10),
}


def reference_evaluate(gt, results):
    """The dict that ``evaluate_ytvis`` should return, for results with compressed masks."""
    ids = sorted(category["id"] for category in gt["categories"])
    names = {category["id"]: category["name"] for category in gt["categories"]}
    ap = {(k, a): _categories_ap(gt, results, k, a) for k in ids for a in RANGES}
    ar = {
        (k, a, m): _categories_recall(gt, results, k, a, m)
        for k in ids
        for a, m in [("all", 1), ("all", 10), *((a, 100) for a in RANGES)]
    }

    def mean(lists):
        values = [value for values in lists if values is not None for value in np.ravel(values)]
        return float(np.mean(values)) if values else -1.0

    def part(t):
        return [None if ap[k, "all"] is None else ap[k, "all"][t] for k in ids]

    return {
        "AP": mean(ap[k, "all"] for k in ids),
        "AP50": mean(part(0)),
        "AP75": mean(part(5)),
        "APs": mean(ap[k, "small"] for k in ids),
        "APm": mean(ap[k, "medium"] for k in ids),
        "APl": mean(ap[k, "large"] for k in ids),
        "AR1": mean(ar[k, "all", 1] for k in ids),
        "AR10": mean(ar[k, "all", 10] for k in ids),
        "AR100": mean(ar[k, "all", 100] for k in ids),
        "ARs": mean(ar[k, "small", 100] for k in ids),
        "ARm": mean(ar[k, "medium", 100] for k in ids),
        "ARl": mean(ar[k, "large", 100] for k in ids),
        "per_category": {names[k]: mean([ap[k, "all"]]) for k in ids},
    }


def _categories_ap(gt, results, category, area):
    """For each threshold the precision at 101 recalls; None where there is nothing to find."""
    rows = []
    for threshold in THRESHOLDS:
        outcomes, num_truths = _outcomes(gt, results, category, area, 100, threshold)
        if num_truths == 0:
            return None
        curve, true, false = [], 0, 0
        for outcome in outcomes:
            true += outcome == "true"
            false += outcome == "false"
            precision = true / (true + false + np.spacing(1))
            curve.append((true / num_truths, precision))
        rows.append([max((p for r, p in curve if r >= recall), default=0.0) for recall in RECALLS])
    return rows


def _categories_recall(gt, results, category, area, max_results):
    recalls = []
    for threshold in THRESHOLDS:
        outcomes, num_truths = _outcomes(gt, results, category, area, max_results, threshold)
        if num_truths == 0:
            return None
        recalls.append(outcomes.count("true") / num_truths)
    return recalls


def _outcomes(gt, results, category, area, max_results, threshold):
    """ "true", "false" or "ignored" for each result of the category by falling score."""
    scored, num_truths = [], 0
    for video in sorted(gt["videos"], key=lambda video: video["id"]):
        key = (video["id"], category)
        truths = [g for g in gt["annotations"] if (g["video_id"], g["category_id"]) == key]
        ignored = [_is_ignored(g, area) for g in truths]
        num_truths += ignored.count(False)
        group = [r for r in results if (r["video_id"], r["category_id"]) == key]
        group = sorted(group, key=lambda r: -r["score"])[:max_results]
        taken = set()
        for result in group:
            found = _find(result, truths, ignored, taken, threshold, video)
            if found is not None:
                taken.add(found)
            if found is not None and ignored[found]:
                outcome = "ignored"
            elif found is not None and truths[found]["id"] != 0:
                outcome = "true"
            else:
                outcome = "false" if _in_range(_mean(_once(_areas, result)), area) else "ignored"
            scored.append((result["score"], outcome))
    scored.sort(key=lambda pair: -pair[0])
    return [outcome for _, outcome in scored], num_truths


def _find(result, truths, ignored, taken, threshold, video):
    """Index of the truth that a result takes, or None."""
    for wanted in (False, True):  # an ignored truth only when there is no other
        best, best_iou = None, threshold
        for index, truth in enumerate(truths):
            if ignored[index] != wanted or (index in taken and not truth["iscrowd"]):
                continue
            iou = _once(_iou, result, truth, video=video)
            if iou >= best_iou:  # of equal ones the last
                best, best_iou = index, iou
        if best is not None:
            return best
    return None


_KEPT = {}


def _once(function, *tracks, **more):
    """Remember a slow value by the identity of the tracks' lists (which are kept alive)."""
    key = (function, *(id(track["segmentations"]) for track in tracks))
    if key not in _KEPT:
        lists = [track["segmentations"] for track in tracks]
        _KEPT[key] = (function(*tracks, **more), lists)
    return _KEPT[key][0]


def _iou(result, truth, video):
    """Both tracks as (T, H, W) arrays; a frame without a mask is one without a pixel."""
    one, other = _once(_dense, result, video=video), _once(_dense, truth, video=video)
    union = (one | other).sum()
    return (one & other).sum() / union if union else 0.0


def _dense(track, video):
    empty = np.zeros((video["height"], video["width"]), dtype=bool)
    return np.stack([mask_util.decode(s) > 0 if s else empty for s in track["segmentations"]])


def _areas(track):
    return [mask_util.decode(s).sum() for s in track["segmentations"] if s]


def _mean(areas):
    areas = [area for area in areas if area]
    return sum(areas) / len(areas) if areas else 0.0


def _in_range(value, area):
    low, high = RANGES[area]
    return low <= value <= high


def _is_ignored(truth, area):
    return bool(truth["iscrowd"]) or not _in_range(_mean(truth["areas"]), area)
