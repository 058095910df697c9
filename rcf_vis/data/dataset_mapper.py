"""From the record of a video to what the model takes: a clip in training, the video in testing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode, configurable
from detectron2.data import transforms as T
from detectron2.structures import BitMasks, Instances

from .augmentation import (
    augment_clip,
    build_test_augmentation,
    build_train_augmentation,
    frame_to_tensor,
)
from .frames import LazyFrames, read_frame
from .masks import decode_rles
from .ytvis import DatasetError

logger = logging.getLogger(__name__)


def clip_indices(target: int, num_reference_frames: int) -> list[int]:
    """Frames of the clip of a target, oldest first, the target last: t − δ … t.

    For t < δ the oldest frame there is, frame 0, stands in for those that are missing.
    """
    return [max(target - age, 0) for age in range(num_reference_frames, -1, -1)]


class ClipDatasetMapper:
    """Maps the record of a video (see :func:`~rcf_vis.data.ytvis.load_ytvis_json`).

    Args:
        is_train: a clip with ground truth, or the whole video without.
        augmentations: in training, what is drawn once a clip; in testing, the resize alone.
        image_format: ``"BGR"`` or ``"RGB"``, the order of the channels of ``image``.
        num_reference_frames: δ, the frames before the target that a clip holds.
        supervise_all_frames: ground truth for each frame of the clip, not for the target alone
            (``MODEL.RCF.ORDER_SUPERVISION``).
    """

    @configurable
    def __init__(
        self,
        *,
        is_train: bool,
        augmentations: Sequence[T.Augmentation],
        image_format: str = "BGR",
        num_reference_frames: int = 1,
        supervise_all_frames: bool = False,
    ) -> None:
        if image_format not in ("BGR", "RGB"):
            raise ValueError(f"INPUT.FORMAT is '{image_format}', expected BGR or RGB")
        if num_reference_frames < 0:
            raise ValueError(f"num_reference_frames is {num_reference_frames}, expected >= 0")
        if not is_train and len(augmentations) != 1:
            raise ValueError("testing takes one augmentation, the resize")
        self.is_train = is_train
        self.augmentations = list(augmentations)
        self.image_format = image_format
        self.num_reference_frames = num_reference_frames
        self.supervise_all_frames = supervise_all_frames
        mode = "training" if is_train else "inference"
        logger.info("Augmentations used in %s: %s", mode, self.augmentations)

    @classmethod
    def from_config(cls, cfg: CfgNode, is_train: bool = True) -> dict[str, Any]:
        return {
            "is_train": is_train,
            "augmentations": (
                build_train_augmentation(cfg) if is_train else [build_test_augmentation(cfg)]
            ),
            "image_format": cfg.INPUT.FORMAT,
            "num_reference_frames": cfg.MODEL.RCF.NUM_REFERENCE_FRAMES,
            "supervise_all_frames": cfg.MODEL.RCF.ORDER_SUPERVISION,
        }

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """
        Args:
            record: of one video; it is not changed.

        Returns:
            ``video_id``, ``height`` and ``width`` of the video in pixels, ``file_names``, and

            in training: ``file_names`` of the clip's frames; ``image``, a list of δ + 1 uint8
            tensors (3, h, w), oldest first, the target last; ``instances``, a list of
            :class:`Instances` of size (h, w) for the target alone, or for each frame, with
            ``gt_classes`` (n,) int64, ``gt_masks`` :class:`BitMasks` and ``gt_ids`` (n,) int64,
            the identity within the video. No crowds, no empty masks; n may be 0.

            in testing: ``length``, ``file_names`` of all frames and ``image``, a
            :class:`LazyFrames` of uint8 tensors (3, h, w).

        Raises:
            FileNotFoundError, DatasetError: a frame or a mask cannot be read.
        """
        return self._map_clip(record) if self.is_train else self._map_video(record)

    def _map_video(self, record: dict[str, Any]) -> dict[str, Any]:
        sample = {key: record[key] for key in ("video_id", "height", "width", "length")}
        sample["file_names"] = list(record["file_names"])
        sample["image"] = LazyFrames(
            record["file_names"],
            height=record["height"],
            width=record["width"],
            video_id=record["video_id"],
            image_format=self.image_format,
            resize=self.augmentations[0],
        )
        return sample

    def _map_clip(self, record: dict[str, Any]) -> dict[str, Any]:
        if "annotations" not in record:
            raise DatasetError(f"video {record['video_id']}: training needs annotations")
        target = np.random.randint(record["length"])
        clip = clip_indices(target, self.num_reference_frames)
        supervised = clip if self.supervise_all_frames else clip[-1:]

        indices = sorted(set(clip))  # each frame is read once, also where it stands in for others
        objects = [_objects_of(record, i) if i in supervised else [] for i in indices]
        images, masks = augment_clip(
            self.augmentations,
            [self._read(record, i) for i in indices],
            [_decode(record, i, of) for i, of in zip(indices, objects, strict=True)],
        )
        tensors = dict(zip(indices, map(frame_to_tensor, images), strict=True))
        instances = dict(zip(indices, map(_to_instances, images, objects, masks), strict=True))
        return {
            "video_id": record["video_id"],
            "height": record["height"],
            "width": record["width"],
            "file_names": [record["file_names"][i] for i in clip],
            "image": [tensors[i] for i in clip],
            "instances": [instances[i] for i in supervised],
        }

    def _read(self, record: dict[str, Any], index: int) -> np.ndarray:
        return read_frame(
            record["file_names"][index],
            image_format=self.image_format,
            height=record["height"],
            width=record["width"],
            video_id=record["video_id"],
        )


def _objects_of(record: dict[str, Any], index: int) -> list[dict[str, Any]]:
    """The annotated objects of a frame, without crowds."""
    return [item for item in record["annotations"][index] if not item.get("iscrowd", 0)]


def _decode(record: dict[str, Any], index: int, objects: list[dict]) -> list[np.ndarray]:
    """Masks (H, W) uint8 of the objects of a frame."""
    rles = [item["segmentation"] for item in objects]
    try:
        return decode_rles(rles, record["height"], record["width"])
    except ValueError as error:
        raise DatasetError(
            f"video {record['video_id']}, frame {record['file_names'][index]}: "
            f"a mask of tracks {[item['id'] for item in objects]} cannot be decoded ({error})"
        ) from error


def _to_instances(image: np.ndarray, objects: list[dict], masks: list[np.ndarray]) -> Instances:
    """Ground truth of one augmented frame; objects whose mask is empty are left out."""
    seen = [(item, mask) for item, mask in zip(objects, masks, strict=True) if mask.any()]
    height, width = image.shape[:2]
    stacked = np.zeros((len(seen), height, width), dtype=bool)
    for row, (_, mask) in zip(stacked, seen, strict=True):
        row[:] = mask
    instances = Instances((height, width))
    instances.gt_classes = torch.tensor([o["category_id"] for o, _ in seen], dtype=torch.int64)
    instances.gt_masks = BitMasks(torch.from_numpy(stacked))
    instances.gt_ids = torch.tensor([o["id"] for o, _ in seen], dtype=torch.int64)
    return instances
