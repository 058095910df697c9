"""Real clips in the YouTube-VIS layout, where ``RCF_REAL_CLIPS`` points to a folder of them."""

import json
import os
from pathlib import Path

import numpy as np
import pycocotools.mask as mask_util
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.data import (
    ClipDatasetMapper,
    build_test_loader,
    get_video_dicts,
    register_datasets_from_cfg,
)

ROOT = os.environ.get("RCF_REAL_CLIPS", "")
FOLDERS = sorted(path.parent for path in Path(ROOT).glob("*/instances.json")) if ROOT else []

pytestmark = pytest.mark.skipif(not FOLDERS, reason="RCF_REAL_CLIPS names no folder of clips")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_real_clips_register_map_and_decode(folder, cfg):
    name = f"real_data_{folder.name}"
    cfg.DATASETS.REGISTER = [[name, str(folder / "instances.json"), str(folder / "JPEGImages")]]
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.RANDOM_FLIP = (0,), "horizontal"  # 0: no resize
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 360, 640
    register_datasets_from_cfg(cfg)
    content = json.loads((folder / "instances.json").read_text())
    records = get_video_dicts([name])
    assert len(records) == len(content["videos"])
    assert MetadataCatalog.get(name).thing_classes[5] == "sedan"

    mapper = ClipDatasetMapper(cfg, is_train=True)
    np.random.seed(0)
    for record in records:
        sample = mapper(record)
        target = record["file_names"].index(sample["file_names"][-1])
        expected = {
            annotation["id"]: int(mask_util.area(annotation["segmentations"][target]))
            for annotation in content["annotations"]
            if annotation["video_id"] == record["video_id"] and annotation["segmentations"][target]
        }
        instances = sample["instances"][0]
        areas = instances.gt_masks.tensor.sum((1, 2)).tolist()
        assert dict(zip(instances.gt_ids.tolist(), areas, strict=True)) == expected
        assert sample["image"][-1].shape == (3, record["height"], record["width"])

    frames = 0
    for batch in build_test_loader(cfg, name):
        for frame in batch[0]["image"]:
            assert frame.dtype == torch.uint8 and max(frame.shape) <= 640
            frames += 1
    assert frames == sum(video["length"] for video in content["videos"])
    DatasetCatalog.remove(name)
    MetadataCatalog.remove(name)
