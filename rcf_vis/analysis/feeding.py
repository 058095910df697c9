"""How many clips a second of a CPU's time the data mapper makes, on videos made for it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
import pycocotools.mask as mask_util
from detectron2.config import CfgNode
from tqdm import trange

from rcf_vis.data import ClipDatasetMapper
from rcf_vis.data.ytvis import load_ytvis_json

__all__ = ["clips_a_cpu_second", "write_videos"]


def write_videos(
    folder: Path, count: int = 10, size: tuple[int, int] = (720, 1280), objects: int = 5
) -> list[dict]:
    """Videos of two JPEG frames with ellipses for masks.

    Args:
        folder: is there, and empty.
        size: (height, width) in pixels.
        objects: of a video, each in both frames.

    Returns:
        Their records, as the data sets give them.
    """
    rng = np.random.default_rng(0)
    height, width = size
    videos, annotations = [], []
    for number in range(count):
        noise = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        picture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        names = [f"{number}_{frame}.jpg" for frame in range(2)]
        for name in names:
            cv2.imwrite(str(folder / name), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        shape = {"height": height, "width": width, "length": 2}
        videos.append({"id": number + 1, **shape, "file_names": names})
        for _ in range(objects):
            mask = np.zeros(size, dtype=np.uint8)
            centre = rng.uniform(0.2, 0.8, 2) * (width, height)
            axes = rng.uniform(0.05, 0.2, 2) * height
            cv2.ellipse(mask, (centre, 2 * axes, rng.uniform(0, 180)), 1, thickness=-1)
            rle = mask_util.encode(np.asfortranarray(mask))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": number + 1,
                    "category_id": 1,
                    "iscrowd": 0,
                    "segmentations": [{**rle, "counts": rle["counts"].decode()}] * 2,
                }
            )
    content = {
        "videos": videos,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "ellipse"}],
    }
    (folder / "videos.json").write_text(json.dumps(content))
    return load_ytvis_json(str(folder / "videos.json"), str(folder))


def clips_a_cpu_second(cfg: CfgNode, records: list[dict], clips: int) -> dict[str, float]:
    """With ``INPUT.FAST_DECODE`` and without, in turns: "fast", "plain"; and "ratio".

    Args:
        cfg: its ``INPUT`` says what is drawn; one process makes the clips.
        records: of videos.
        clips: how many are made each way.
    """
    mappers = {}
    for name, fast in (("fast", True), ("plain", False)):
        cfg = cfg.clone()
        cfg.defrost()
        cfg.INPUT.FAST_DECODE = fast
        mappers[name] = ClipDatasetMapper(cfg, is_train=True)
        mappers[name](records[0])
    seconds = dict.fromkeys(mappers, 0.0)
    for number in trange(clips, desc="clips"):
        for name, mapper in mappers.items():
            np.random.seed(number)
            start = time.process_time()
            mapper(records[number % len(records)])
            seconds[name] += time.process_time() - start
    figures = {name: clips / of for name, of in seconds.items()}
    return {**figures, "ratio": figures["fast"] / figures["plain"]}
