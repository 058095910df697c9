"""Data: catalog and layouts → json → clips and videos, with their audio → loaders.

Importing this package registers the names of the public video data sets with Detectron2
(:mod:`rcf_vis.data.catalog`). No file is read until a data set is loaded.
"""

from rcf_vis.errors import DatasetError

from .audio import FrameAudio, LazyAudio
from .augmentation import (
    augment_clip,
    build_test_augmentation,
    build_train_augmentation,
    frame_to_tensor,
)
from .build import build_test_loader, build_train_loader, get_video_dicts
from .catalog import dataset_paths
from .dataset_mapper import ClipDatasetMapper
from .frames import LazyFrames, read_frame
from .own_datasets import register_datasets_from_cfg, register_ytvis_instances
from .stream import StreamSampler
from .ytvis import load_ytvis_json

__all__ = [
    "ClipDatasetMapper",
    "DatasetError",
    "FrameAudio",
    "LazyFrames",
    "LazyAudio",
    "StreamSampler",
    "augment_clip",
    "build_test_augmentation",
    "build_test_loader",
    "build_train_augmentation",
    "build_train_loader",
    "dataset_paths",
    "frame_to_tensor",
    "get_video_dicts",
    "load_ytvis_json",
    "read_frame",
    "register_datasets_from_cfg",
    "register_ytvis_instances",
]
