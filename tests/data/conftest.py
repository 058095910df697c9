"""Fixtures of the data tests."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from detectron2.config import CfgNode, get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.config import add_rcf_config
from rcf_vis.data import load_ytvis_json

from .clip_data import make_content, write_frames


@pytest.fixture(autouse=True)
def _forget_own_datasets():
    before = set(DatasetCatalog.list())
    yield
    for name in set(DatasetCatalog.list()) - before:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


@pytest.fixture
def write_dataset(tmp_path: Path) -> Callable[..., tuple[str, str]]:
    """Write content (made by ``make_content`` where not given) → json file, folder of frames."""

    def write(content: dict | None = None, folder: str = "set", **kwargs) -> tuple[str, str]:
        content = make_content(**kwargs) if content is None else content
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        write_frames(content, root / "JPEGImages")
        (root / "instances.json").write_text(json.dumps(content))
        return str(root / "instances.json"), str(root / "JPEGImages")

    return write


@pytest.fixture
def load(write_dataset) -> Callable[..., list[dict]]:
    """Write a data set and load its records."""

    def make(content: dict | None = None, **kwargs) -> list[dict]:
        return load_ytvis_json(*write_dataset(content, **kwargs))

    return make


@pytest.fixture
def target_is(monkeypatch) -> Callable[[int], None]:
    """Choose the target frame."""

    def choose(index: int) -> None:
        monkeypatch.setattr(np.random, "randint", lambda *args: index)

    return choose


@pytest.fixture
def cfg() -> CfgNode:
    """Detectron2's and RCF's defaults, with no augmentation and no worker processes."""
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.INPUT.MIN_SIZE_TRAIN = (48,)
    cfg.INPUT.MIN_SIZE_TEST = 48
    cfg.INPUT.RANDOM_FLIP = "none"
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH = 2
    return cfg
