"""What the classes of a model are called."""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, Metadata, MetadataCatalog

__all__ = ["model_metadata"]


def model_metadata(cfg: CfgNode, class_names: Sequence[str] | None) -> Metadata | None:
    """Metadata with ``thing_classes`` and ``thing_dataset_id_to_contiguous_id``.

    Those of ``DATASETS.TEST[0]``, whose json alone is read for them; of a model that runs without
    its data, the names that its weights carry, numbered from 1. None where neither has names.

    Args:
        class_names: of the weights, where they have them.

    Raises:
        ValueError: they are not as many as ``MODEL.RCF.NUM_CLASSES``.
        DatasetError: the json of the data set is broken.
    """
    metadata = _of_test_set(cfg) if cfg.DATASETS.TEST else None
    where = f"DATASETS.TEST[0] '{cfg.DATASETS.TEST[0]}'" if metadata else "MODEL.WEIGHTS"
    if metadata is None and class_names is not None:
        numbers = range(1, len(class_names) + 1)
        metadata = Metadata(
            thing_classes=list(class_names),
            thing_dataset_id_to_contiguous_id={number: number - 1 for number in numbers},
        )
    if metadata is not None and len(metadata.thing_classes) != cfg.MODEL.RCF.NUM_CLASSES:
        raise ValueError(
            f"MODEL.RCF.NUM_CLASSES is {cfg.MODEL.RCF.NUM_CLASSES}, but {where} has "
            f"{len(metadata.thing_classes)} classes"
        )
    return metadata


def _of_test_set(cfg: CfgNode) -> Metadata | None:
    name = cfg.DATASETS.TEST[0]
    metadata = MetadataCatalog.get(name)
    if metadata.get("thing_classes") is not None:
        return metadata
    loader = DatasetCatalog[name] if name in DatasetCatalog.list() else None
    read = getattr(loader, "read_classes", None)  # of rcf_vis.data's loaders
    classes = read() if read is not None else None
    return classes and Metadata(**classes)
