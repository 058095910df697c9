"""Registration of the public video data sets. Importing it registers names and reads nothing.

=========================================  =======================================================
``ytvis_2019_train``, ``_val``, ``_test``  YouTube-VIS 2019
``ytvis_2021_train``, ``_val``, ``_test``  YouTube-VIS 2021
``ytvis_2022_val``                         YouTube-VIS 2022, the classes of 2021
``ovis_train``, ``_val``, ``_test``        OVIS
``coco2ytvis2019_train``, ``…2021_train``  COCO's still images, the classes of YouTube-VIS
``coco2ytvis20xx_strict_train``            the same without bicycle → motorbike, skis → snowboard
``avis_train``, ``_val``, ``_test``        AVIS, with audio; the classes of its json
``aviseg_train``, ``_val``, ``_test``      AVISeg, with audio; the classes of its json
``synthvis_train``, ``_val``, ``_test``    SynthVIS, which is made when it is loaded and not there
``synthvis_av_train``, ``_val``, …         SynthVIS with audio, the same
``synthvis_occ_train``, ``_val``, …        SynthVIS with occlusions and their events, the same
``synthvis_motion_train``, ``_val``, …     SynthVIS whose two classes are motions, the same
=========================================  =======================================================

A set of one's own: :mod:`rcf_vis.data.own_datasets`.
"""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.synthvis import SPEC_CLASSES, SPLITS, SynthVISAudioSpec, SynthVISSpec

from .categories import (
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    class_metadata,
    coco_to_ytvis,
)
from .coco import load_coco_stills
from .json_forms import YTVIS_JSON, set_aside
from .json_rules import OnFault, raise_fault, read_json
from .layouts import (
    DatasetPaths,
    Layout,
    audio_layout,
    coco_layout,
    datasets_root,
    find_dataset,
    ovis_layout,
    synthvis_layout,
    ytvis_layout,
)
from .ytvis import load_ytvis_json, read_categories

__all__ = ["DatasetLoader", "dataset_paths", "is_ours"]

logger = logging.getLogger(__name__)


class DatasetLoader(ABC):
    """What the catalog calls to load a data set of this package."""

    name: str
    ignore_classes: tuple[str, ...] = ()  # categories of its json that are no classes
    has_own_reader: ClassVar[bool] = False  # not that of the YouTube-VIS json

    @abstractmethod
    def paths(self) -> DatasetPaths:
        """Where its json, its frames and its audio are."""

    def __call__(self) -> list[dict[str, Any]]:
        paths = self.paths()
        if paths.audio_root is not None and not os.path.isdir(paths.audio_root):
            raise FileNotFoundError(
                f"data set '{self.name}': {paths.audio_root} is not there; expected the folder of "
                "its audio"
            )
        _replace_metadata(self.name, **vars(paths))
        return self.load(paths)

    def read_classes(self) -> dict[str, Any] | None:
        """The class part of its metadata, read from its json; None where the json is not there.

        Raises:
            DatasetError: the json is broken, or its categories are.
        """
        try:
            json_file = self.paths().json_file
            content = set_aside(read_json(json_file, YTVIS_JSON), self.ignore_classes)
        except FileNotFoundError:
            return None
        return read_categories(content, json_file)

    def load(self, paths: DatasetPaths) -> list[dict[str, Any]]:
        """The records of its videos."""
        return load_ytvis_json(
            paths.json_file,
            paths.image_root,
            self.name,
            audio_root=paths.audio_root,
            ignore_classes=self.ignore_classes,
        )


@dataclass(frozen=True)
class _PublicLoader(DatasetLoader):
    """A data set under ``$DETECTRON2_DATASETS``, in whichever of the known layouts."""

    name: str
    layout: Layout

    def paths(self) -> DatasetPaths:
        return find_dataset(self.name, self.layout, datasets_root())

    def load(self, paths: DatasetPaths) -> list[dict[str, Any]]:
        if self.layout.audio_roots and paths.audio_root is None:
            tried = ", ".join(self.layout.audio_roots)
            logger.warning(
                "Data set '%s' is silent: no folder of audio, tried %s under %s",
                self.name,
                tried,
                datasets_root(),
            )
        return super().load(paths)


@dataclass(frozen=True)
class _CocoLoader(_PublicLoader):
    """Still images of COCO. Loaders see no cfg, so each choice of classes has a name of its own."""

    has_own_reader: ClassVar[bool] = True

    year: int
    loose: bool

    def load(self, paths: DatasetPaths, on_fault: OnFault = raise_fault) -> list[dict[str, Any]]:
        return load_coco_stills(
            paths.json_file,
            paths.image_root,
            class_map=coco_to_ytvis(self.year, loose=self.loose),
            classes=MetadataCatalog.get(self.name).thing_classes,
            on_fault=on_fault,
        )


@dataclass(frozen=True)
class _SynthVISLoader(_PublicLoader):
    """A split of a SynthVIS, which is made first where it is not there."""

    split: str
    spec_class: type[SynthVISSpec]

    def paths(self) -> DatasetPaths:
        from rcf_vis.synthvis import ensure_synthvis

        ensure_synthvis(datasets_root(), splits=(self.split,), spec_class=self.spec_class)
        return super().paths()


def dataset_paths(name: str) -> DatasetPaths:
    """Where the parts of a registered data set are; SynthVIS is made if need be.

    Raises:
        KeyError: there is no data set of this name.
        FileNotFoundError: a public data set is in none of the known layouts.
    """
    if name not in DatasetCatalog.list():
        raise KeyError(f"no data set '{name}'; there are {sorted(DatasetCatalog.list())}")
    loader = DatasetCatalog[name]
    if is_ours(loader):
        return loader.paths()
    metadata = MetadataCatalog.get(name)
    return DatasetPaths(metadata.json_file, metadata.image_root, metadata.get("audio_root"))


def is_ours(loader: Any) -> bool:
    """Whether a :class:`DatasetLoader`; also after this module was reloaded and has another one."""
    return any(
        base.__module__ == __name__ and base.__qualname__ == "DatasetLoader"
        for base in type(loader).__mro__
    )


def _replace_metadata(name: str, **values: Any) -> None:
    """Set metadata that may differ from what is there, as when the root was changed."""
    metadata = MetadataCatalog.get(name)
    for key, value in values.items():
        vars(metadata).pop(key, None)
        setattr(metadata, key, value)


def _register_public(loader: _PublicLoader, categories: Sequence[dict] | None = None) -> None:
    """Without ``categories``, those of the json are its classes, from when it is loaded."""
    name = loader.name
    if name in DatasetCatalog.list():
        if not is_ours(DatasetCatalog[name]):
            logger.warning("Data set '%s' is registered already; it is left as it is", name)
            return
        DatasetCatalog.remove(name)
    DatasetCatalog.register(name, loader)
    classes = class_metadata(categories) if categories else {}
    MetadataCatalog.get(name).set(evaluator_type="ytvis", **classes)


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
        for folder in ("avis", "aviseg"):
            _register_public(_PublicLoader(f"{folder}_{split}", audio_layout(folder, split)))
    for year, categories in ((2019, YTVIS_2019_CATEGORIES), (2021, YTVIS_2021_CATEGORIES)):
        for variant, loose in (("", True), ("_strict", False)):
            name = f"coco2ytvis{year}{variant}_train"
            _register_public(_CocoLoader(name, coco_layout(), year, loose), categories)
    for folder, spec_class in SPEC_CLASSES.items():
        for split in SPLITS:
            layout = synthvis_layout(folder, split, with_audio=spec_class is SynthVISAudioSpec)
            name = f"{folder}_{split}"
            _register_public(
                _SynthVISLoader(name, layout, split, spec_class), spec_class.categories
            )


_register_all_public()
