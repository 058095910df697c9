"""A config file for demo.py, with a test set that names the classes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

HEIGHT, WIDTH = 48, 80
CATEGORIES = [{"id": i, "name": name} for i, name in [(2, "disc"), (5, "star"), (9, "cross")]]


@contextmanager
def demo_config(cfg: CfgNode, folder: Path) -> Iterator[str]:
    """The path of ``cfg`` as a yaml file; what it registered is forgotten at the end."""
    annotations = folder / "data.json"
    video = {"id": 1, "width": WIDTH, "height": HEIGHT, "length": 1, "file_names": ["0.jpg"]}
    annotations.write_text(json.dumps({"videos": [video], "categories": CATEGORIES}))
    cfg.DATASETS.REGISTER = [["demo_set", str(annotations), str(folder)]]
    cfg.DATASETS.TEST = ("demo_set",)
    path = folder / "tiny.yaml"
    path.write_text(cfg.dump())
    try:
        yield str(path)
    finally:
        if "demo_set" in DatasetCatalog.list():
            DatasetCatalog.remove("demo_set")
            MetadataCatalog.remove("demo_set")
