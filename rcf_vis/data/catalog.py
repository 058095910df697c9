"""Registration of the video data sets. Importing this module registers names and reads nothing.

=========================================  =======================================================
``ytvis_2019_train``, ``_val``, ``_test``  YouTube-VIS 2019
``ytvis_2021_train``, ``_val``, ``_test``  YouTube-VIS 2021
``ytvis_2022_val``                         YouTube-VIS 2022, the classes of 2021
``ovis_train``, ``_val``, ``_test``        OVIS
``coco2ytvis2019_train``, ``…2021_train``  COCO's still images, the classes of YouTube-VIS
``coco2ytvis20xx_strict_train``            the same without bicycle → motorbike, skis → snowboard
``synthvis_train``, ``_val``               SynthVIS, which is made when it is loaded and not there
=========================================  =======================================================

A set of one's own: :func:`register_ytvis_instances`, or ``DATASETS.REGISTER`` in a config.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from .categories import (
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    class_metadata,
    coco_to_ytvis,
)
from .coco import load_coco_stills
from .layouts import (
    DatasetPaths,
    Layout,
    coco_layout,
    datasets_root,
    find_dataset,
    ovis_layout,
    synthvis_layout,
    ytvis_layout,
)
from .synthvis import CATEGORIES as SYNTHVIS_CATEGORIES
from .ytvis import load_ytvis_json

logger = logging.getLogger(__name__)


class _Loader(ABC):
    """What the catalog calls to load a data set of this package."""

    name: str

    @abstractmethod
    def paths(self) -> DatasetPaths:
        """Where its json and its frames are."""

    def __call__(self) -> list[dict[str, Any]]:
        paths = self.paths()
        _replace_metadata(self.name, json_file=paths.json_file, image_root=paths.image_root)
        return self.load(paths)

    def load(self, paths: DatasetPaths) -> list[dict[str, Any]]:
        """The records of its videos."""
        return load_ytvis_json(paths.json_file, paths.image_root, self.name)


@dataclass(frozen=True)
class _OwnLoader(_Loader):
    """A data set of the user's: the paths are given."""

    name: str
    json_file: str
    image_root: str

    def paths(self) -> DatasetPaths:
        return DatasetPaths(self.json_file, self.image_root)


@dataclass(frozen=True)
class _PublicLoader(_Loader):
    """A data set under ``$DETECTRON2_DATASETS``, in whichever of the known layouts."""

    name: str
    layout: Layout

    def paths(self) -> DatasetPaths:
        return find_dataset(self.name, self.layout, datasets_root())


@dataclass(frozen=True)
class _CocoLoader(_PublicLoader):
    """Still images of COCO. Loaders see no cfg, so each choice of classes has a name of its own."""

    year: int
    loose: bool

    def load(self, paths: DatasetPaths) -> list[dict[str, Any]]:
        return load_coco_stills(
            paths.json_file,
            paths.image_root,
            class_map=coco_to_ytvis(self.year, loose=self.loose),
            classes=MetadataCatalog.get(self.name).thing_classes,
        )


@dataclass(frozen=True)
class _SynthVISLoader(_PublicLoader):
    """A split of SynthVIS, which is made first where it is not there."""

    split: str

    def paths(self) -> DatasetPaths:
        from .synthvis import ensure_synthvis

        ensure_synthvis(datasets_root(), splits=(self.split,))
        return super().paths()


def register_ytvis_instances(
    name: str, metadata: Mapping[str, Any], json_file: str, image_root: str
) -> None:
    """Register a data set in the YouTube-VIS format. Nothing is read until it is loaded.

    Args:
        name: to be used in ``DATASETS.TRAIN`` and ``DATASETS.TEST``.
        metadata: extra metadata, may be empty. ``thing_classes`` (names in the order of the
            json's category ids) is taken from the json on load where it is not given; where it is
            given, the json must agree.
        json_file: path of the json.
        image_root: folder that its ``file_names`` are relative to.

    Raises:
        ValueError: the name is taken by another data set. Registering the same set twice is fine.

    Example::

        register_ytvis_instances("cows_train", {}, "cows/train.json", "cows/JPEGImages")
    """
    loader = _OwnLoader(name, os.path.expanduser(json_file), os.path.expanduser(image_root))
    if name in DatasetCatalog.list():
        taken = DatasetCatalog[name]
        if not _same_loader(taken, loader):
            raise ValueError(
                f"the name '{name}' is taken by another data set ({taken}); choose another name "
                f"for {json_file}"
            )
        DatasetCatalog.remove(name)
    DatasetCatalog.register(name, loader)
    paths = {"json_file": loader.json_file, "image_root": loader.image_root}
    MetadataCatalog.get(name).set(**paths, evaluator_type="ytvis", **metadata)


def register_datasets_from_cfg(cfg: CfgNode) -> None:
    """Register each ``[name, json file, folder of frames]`` of ``cfg.DATASETS.REGISTER``.

    Raises:
        ValueError: an entry is not of this form, or its name is taken by another data set.
    """
    for entry in cfg.DATASETS.REGISTER:
        if (
            not isinstance(entry, Sequence)
            or isinstance(entry, str)
            or len(entry) != 3
            or not all(isinstance(part, str) and part for part in entry)
        ):
            raise ValueError(
                f"DATASETS.REGISTER has the entry {entry!r}, expected "
                "[name, json file, folder of frames], three strings"
            )
        name, json_file, image_root = entry
        register_ytvis_instances(name, {}, json_file, image_root)


def dataset_paths(name: str) -> DatasetPaths:
    """Where the json and the frames of a registered data set are; SynthVIS is made if need be.

    Raises:
        KeyError: there is no data set of this name.
        FileNotFoundError: a public data set is in none of the known layouts.
    """
    if name not in DatasetCatalog.list():
        raise KeyError(f"no data set '{name}'; there are {sorted(DatasetCatalog.list())}")
    loader = DatasetCatalog[name]
    if _is_ours(loader):
        return loader.paths()
    metadata = MetadataCatalog.get(name)
    return DatasetPaths(metadata.json_file, metadata.image_root)


def _is_ours(loader: Any) -> bool:
    """Also true after this module was reloaded, when the classes are others of the same name."""
    return any(
        base.__module__ == __name__ and base.__qualname__ == "_Loader"
        for base in type(loader).__mro__
    )


def _same_loader(one: Any, other: _Loader) -> bool:
    return (
        _is_ours(one)
        and type(one).__qualname__ == type(other).__qualname__
        and (vars(one) == vars(other))
    )


def _replace_metadata(name: str, **values: Any) -> None:
    """Set metadata that may differ from what is there, as when the root was changed."""
    metadata = MetadataCatalog.get(name)
    for key, value in values.items():
        vars(metadata).pop(key, None)
        setattr(metadata, key, value)


def _register_public(loader: _PublicLoader, categories: Sequence[dict]) -> None:
    name = loader.name
    if name in DatasetCatalog.list():
        if not _is_ours(DatasetCatalog[name]):
            logger.warning("Data set '%s' is registered already; it is left as it is", name)
            return
        DatasetCatalog.remove(name)
    DatasetCatalog.register(name, loader)
    MetadataCatalog.get(name).set(evaluator_type="ytvis", **class_metadata(categories))


def _register_all_public() -> None:
    for year, splits, categories in (
        (2019, ("train", "val", "test"), YTVIS_2019_CATEGORIES),
        (2021, ("train", "val", "test"), YTVIS_2021_CATEGORIES),
        (2022, ("val",), YTVIS_2021_CATEGORIES),
    ):
        for split in splits:
            layout = ytvis_layout(f"ytvis_{year}", split, only_split=len(splits) == 1)
            _register_public(_PublicLoader(f"ytvis_{year}_{split}", layout), categories)
    for split in ("train", "val", "test"):
        _register_public(_PublicLoader(f"ovis_{split}", ovis_layout(split)), OVIS_CATEGORIES)
    for year, categories in ((2019, YTVIS_2019_CATEGORIES), (2021, YTVIS_2021_CATEGORIES)):
        for variant, loose in (("", True), ("_strict", False)):
            name = f"coco2ytvis{year}{variant}_train"
            _register_public(_CocoLoader(name, coco_layout(), year, loose), categories)
    for split in ("train", "val"):
        loader = _SynthVISLoader(f"synthvis_{split}", synthvis_layout(split), split)
        _register_public(loader, SYNTHVIS_CATEGORIES)


_register_all_public()
