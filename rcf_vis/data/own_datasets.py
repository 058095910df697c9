"""Registration of data sets of one's own, with code or by ``DATASETS.REGISTER`` in a config."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.limits import apply_limits

from .catalog import DatasetLoader, is_ours
from .layouts import DatasetPaths
from .roots import allow_outside_root

__all__ = ["register_datasets_from_cfg", "register_ytvis_instances"]


@dataclass(frozen=True)
class _OwnLoader(DatasetLoader):
    """A data set of the user's: the paths are given."""

    name: str
    json_file: str
    image_root: str
    audio_root: str | None
    ignore_classes: tuple[str, ...]

    def paths(self) -> DatasetPaths:
        return DatasetPaths(self.json_file, self.image_root, self.audio_root)


def register_ytvis_instances(
    name: str,
    metadata: Mapping[str, Any],
    json_file: str,
    image_root: str,
    audio_root: str | None = None,
    ignore_classes: Sequence[str] = (),
) -> None:
    """Register videos in the YouTube-VIS or CocoVID format, or images in COCO's.

    Nothing is read until it is loaded; the json's keys tell which it is. In training an image
    becomes a clip (``INPUT.PSEUDO_CLIP``), in testing it is a video of one frame.

    Args:
        name: to be used in ``DATASETS.TRAIN`` and ``DATASETS.TEST``.
        metadata: extra metadata, may be empty. ``thing_classes`` (names in the order of the
            json's category ids) is taken from the json on load where it is not given; where it is
            given, the json must agree.
        json_file: path of the json.
        image_root: folder that its ``file_names`` are relative to.
        audio_root: folder of the videos' audio, ``<video>.wav`` or another file with audio, see
            :class:`~rcf_vis.audio.folder.AudioFolder`; None: a data set without audio.
        ignore_classes: names of categories of the json that are no classes
            (``DATASETS.IGNORE_CLASSES``): in training, their objects are places where a slot that
            fires is not punished; in evaluation they are not looked for.

    Raises:
        ValueError: the name is taken by another data set. Registering the same set twice is fine.

    Example::

        register_ytvis_instances("cows_train", {}, "cows/train.json", "cows/JPEGImages")
    """
    paths = {"json_file": json_file, "image_root": image_root, "audio_root": audio_root}
    paths = {key: path and os.path.expanduser(path) for key, path in paths.items()}
    loader = _OwnLoader(name, **paths, ignore_classes=tuple(ignore_classes))
    if name in DatasetCatalog.list():
        taken = DatasetCatalog[name]
        if not _same_loader(taken, loader):
            raise ValueError(
                f"the name '{name}' is taken by another data set ({taken}); choose another name "
                f"for {json_file}"
            )
        DatasetCatalog.remove(name)
    DatasetCatalog.register(name, loader)
    MetadataCatalog.get(name).set(
        **paths, ignore_classes=loader.ignore_classes, evaluator_type="ytvis", **metadata
    )


def register_datasets_from_cfg(cfg: CfgNode) -> None:
    """Register each entry of ``cfg.DATASETS.REGISTER``, and let the ``LIMITS`` of the cfg hold.

    An entry is ``[name, json file, folder of frames]``, with the folder of audio as a fourth part
    where there is audio.

    Raises:
        ValueError: an entry is not of this form, or its name is taken by another data set; a limit
            is no whole number over 0.
    """
    apply_limits(cfg.LIMITS)
    if cfg.DATASETS.ALLOW_OUTSIDE_ROOT:
        allow_outside_root()
    for entry in cfg.DATASETS.REGISTER:
        if (
            not isinstance(entry, Sequence)
            or isinstance(entry, str)
            or len(entry) not in (3, 4)
            or not all(isinstance(part, str) and part for part in entry)
        ):
            raise ValueError(
                f"DATASETS.REGISTER has the entry {entry!r}, expected "
                "[name, json file, folder of frames], three strings, or a fourth one, the folder "
                "of audio"
            )
        name, *paths = entry
        register_ytvis_instances(name, {}, *paths, ignore_classes=cfg.DATASETS.IGNORE_CLASSES)


def _same_loader(one: Any, other: _OwnLoader) -> bool:
    return (
        is_ours(one)
        and type(one).__qualname__ == type(other).__qualname__
        and vars(one) == vars(other)
    )
