"""From the record of a video to what the model takes: a clip in training, the video in testing."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from detectron2.config import CfgNode, configurable
from detectron2.data import transforms as T

from rcf_vis.errors import DatasetError

from .audio import FrameAudio
from .augmentation import (
    augment_clip,
    build_test_augmentation,
    build_train_augmentation,
    frame_to_tensor,
)
from .copy_paste import CopyPaste
from .frames import LazyFrames, read_frame, read_resized_frame
from .ground_truth import decode_masks, ignored_of, ignored_place, objects_of, to_instances
from .pseudo_clip import RandomAffine, make_pseudo_clip

__all__ = ["ClipDatasetMapper", "clip_indices"]

logger = logging.getLogger(__name__)


def clip_indices(target: int, num_reference_frames: int) -> list[int]:
    """Frames of the clip of a target, oldest first, the target last: t − δ … t.

    For t < δ the oldest frame there is, frame 0, stands in for those that are missing.
    """
    return [max(target - age, 0) for age in range(num_reference_frames, -1, -1)]


@dataclass
class _Clip:
    """A clip before its augmentation. Each frame is there once, also where it stands in for others.

    Attributes:
        indices: for each place of the clip, oldest first, the frame of the video.
        order: for each place, which of ``frames`` it shows.
        frames: (H, W, 3) uint8.
        objects: of each frame, those in it; none where the frame is not supervised.
        masks: of each frame, (H, W) uint8, one an object.
        augmentations: what is still to be done.
    """

    indices: list[int]
    order: list[int]
    frames: list[np.ndarray]
    objects: list[list[dict[str, Any]]]
    masks: list[list[np.ndarray]]
    augmentations: list[T.Augmentation]


class ClipDatasetMapper:
    """Maps the record of a video (see :func:`~rcf_vis.data.ytvis.load_ytvis_json`).

    Args:
        is_train: a clip with ground truth, or the whole video without.
        augmentations: in training, what is drawn once a clip; in testing, the resize alone.
        image_format: ``"BGR"`` or ``"RGB"``, the order of the channels of ``image``.
        num_reference_frames: δ, the frames before the target that a clip holds.
        supervise_all_frames: ground truth for the target and the δ frames before it, not for the
            target alone (``MODEL.RCF.ORDER_SUPERVISION``); the clip then holds 2δ + 1 frames, so
            that each of them has references of its own.
        num_supervised: T, if not 0: ground truth for the last T frames, before which the clip holds
            δ more (``MODEL.RCF.NUM_SUPERVISED_FRAMES``).
        time_reversal: with probability 0.5, drawn once a clip, the references of target t are the
            frames t + δ … t + 1 (``INPUT.TIME_REVERSAL``).
        max_stride: a clip takes every s-th frame of a video, s drawn once a clip from 1 to this
            (``INPUT.MAX_FRAME_STRIDE``).
        still_motion: what is drawn for each frame of a clip that is made of a still image, that is
            of a record with ``still_image`` (``INPUT.PSEUDO_CLIP``); by default
            :class:`~rcf_vis.data.pseudo_clip.RandomAffine`. A video of one frame stays as it is.
        copy_paste: what is pasted into a clip in training (``INPUT.COPY_PASTE``); by default
            nothing.
        fast_decode: in training, where the first augmentation is a resize, read frames at the size
            that it draws: near to what they would be, and sooner (``INPUT.FAST_DECODE``). Masks are
            the same.
        audio: of an audio-visual model (``MODEL.RCF.AUDIO.ENABLED``): what it adds to each sample.
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
        num_supervised: int = 0,
        time_reversal: bool = False,
        max_stride: int = 1,
        still_motion: T.Augmentation | None = None,
        copy_paste: CopyPaste | None = None,
        fast_decode: bool = False,
        audio: FrameAudio | None = None,
    ) -> None:
        if image_format not in ("BGR", "RGB"):
            raise ValueError(f"INPUT.FORMAT is '{image_format}', expected BGR or RGB")
        if num_reference_frames < 0:
            raise ValueError(f"num_reference_frames is {num_reference_frames}, expected >= 0")
        if num_supervised < 0:
            raise ValueError(
                f"MODEL.RCF.NUM_SUPERVISED_FRAMES is {num_supervised}, expected 0 or more"
            )
        if max_stride < 1:
            raise ValueError(f"INPUT.MAX_FRAME_STRIDE is {max_stride}, expected 1 or more frames")
        if not is_train and len(augmentations) != 1:
            raise ValueError("testing takes one augmentation, the resize")
        self.is_train = is_train
        self.augmentations = list(augmentations)
        self.image_format = image_format
        self.num_reference_frames = num_reference_frames
        default = num_reference_frames + 1 if supervise_all_frames else 1
        self.num_supervised = num_supervised or default
        self.time_reversal = time_reversal
        self.max_stride = max_stride
        self.still_motion = still_motion or RandomAffine()
        self.copy_paste = copy_paste
        self.fast_decode = fast_decode
        self.audio = audio
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
            "num_supervised": cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES,
            "time_reversal": cfg.INPUT.TIME_REVERSAL,
            "max_stride": cfg.INPUT.MAX_FRAME_STRIDE,
            "still_motion": RandomAffine(cfg),
            "copy_paste": CopyPaste(cfg) if is_train and cfg.INPUT.COPY_PASTE.ENABLED else None,
            "fast_decode": is_train and cfg.INPUT.FAST_DECODE,
            "audio": FrameAudio(cfg) if cfg.MODEL.RCF.AUDIO.ENABLED else None,
        }

    def __call__(self, record: dict[str, Any]) -> dict[str, Any]:
        """
        Args:
            record: of one video; it is not changed.

        Returns:
            ``video_id``, ``height`` and ``width`` of the video in pixels, ``file_names``, and

            in training: ``file_names`` of the clip's frames; ``image``, a list of δ + 1 (with
            ``supervise_all_frames`` 2δ + 1) uint8 tensors (3, h, w), oldest first, the target
            last; ``instances``, a list of :class:`Instances` of size (h, w) for the target alone,
            or for the last δ + 1 frames, with ``gt_classes`` (n,) int64, ``gt_masks``
            :class:`BitMasks` and ``gt_ids`` (n,) int64, the identity within the video. No crowds,
            no empty masks; n may be 0. ``exhaustive`` (False) where not every object is annotated.
            ``ignored``, where ``DATASETS.IGNORE_CLASSES`` has objects in the clip: for each item of
            ``instances`` a bool tensor (h, w), True on them.

            in testing: ``length``, ``file_names`` of all frames and ``image``, a
            :class:`LazyFrames` of uint8 tensors (3, h, w).

            With ``audio`` also ``audio`` (or ``audio_features``), an item for each item of
            ``image``, in its order, also where time is reversed: in training a float32 tensor
            (T, η, 64) (or (T, C_a)), in testing a :class:`~rcf_vis.data.audio.LazyAudio` of (η, 64)
            (or (C_a,)).

        Raises:
            FileNotFoundError, DatasetError: a frame, a mask or the audio cannot be read.
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
        return sample if self.audio is None else sample | self.audio.of_video(record)

    def _map_clip(self, record: dict[str, Any]) -> dict[str, Any]:
        if "annotations" not in record:
            raise DatasetError(f"video {record['video_id']}: training needs annotations")
        pasting = self.copy_paste is not None and self.copy_paste.draws()
        make_clip = self._still_clip if record.get("still_image") else self._video_clip
        clip = make_clip(record, with_all_masks=pasting)
        if pasting:
            clip = self._pasted(record, clip)
        images, masks = augment_clip(clip.augmentations, clip.frames, clip.masks)
        tensors = [frame_to_tensor(image) for image in images]
        instances = list(map(to_instances, images, clip.objects, masks))
        sample = {
            "video_id": record["video_id"],
            "height": record["height"],
            "width": record["width"],
            "file_names": [record["file_names"][i] for i in clip.indices],
            "image": [tensors[k] for k in clip.order],
            "instances": [instances[k] for k in clip.order[-self.num_supervised :]],
        }
        if any(item.get("ignore") for of in clip.objects for item in of):
            places = list(map(ignored_place, images, clip.objects, masks))
            sample["ignored"] = [places[k] for k in clip.order[-self.num_supervised :]]
        if not record.get("exhaustive", True):
            sample["exhaustive"] = False
        return sample if self.audio is None else sample | self.audio.of_frames(record, clip.indices)

    def _pasted(self, record: dict[str, Any], clip: _Clip) -> _Clip:
        """The clip with objects pasted into it; ground truth where it is supervised alone."""
        files = {record["file_names"][i] for i in clip.indices}
        frames, objects, masks = self.copy_paste(clip.frames, clip.objects, clip.masks, files)
        supervised = set(clip.order[-self.num_supervised :])
        return replace(
            clip,
            frames=frames,
            objects=[of if k in supervised else [] for k, of in enumerate(objects)],
            masks=[of if k in supervised else [] for k, of in enumerate(masks)],
        )

    def _video_clip(self, record: dict[str, Any], with_all_masks: bool) -> _Clip:
        """A target, drawn uniformly, with the frames before it, or after it if time is reversed."""
        last = record["length"] - 1
        target = np.random.randint(record["length"])
        stride = np.random.randint(1, self.max_stride + 1) if self.max_stride > 1 else 1
        if self.time_reversal and np.random.rand() < 0.5:
            indices = [last - i for i in self._strided(last - target, stride)]
        else:
            indices = self._strided(target, stride)

        distinct = sorted(set(indices))
        supervised = indices if with_all_masks else indices[-self.num_supervised :]
        objects = [_in_frame(record, i) if i in supervised else [] for i in distinct]
        size = None if with_all_masks else self._size_of_resize(record)
        return _Clip(
            indices=indices,
            order=[distinct.index(i) for i in indices],
            frames=[self._read(record, i, size) for i in distinct],
            objects=objects,
            masks=[
                decode_masks(record, i, of, size) for i, of in zip(distinct, objects, strict=True)
            ],
            augmentations=self.augmentations if size is None else self.augmentations[1:],
        )

    def _strided(self, target: int, stride: int) -> list[int]:
        first = target % stride
        return [first + stride * i for i in clip_indices(target // stride, self._num_past)]

    def _size_of_resize(self, record: dict[str, Any]) -> tuple[int, int] | None:
        """(height, width) that the first augmentation draws, if it is a resize."""
        if not self.fast_decode or not self.augmentations:
            return None
        if not isinstance(self.augmentations[0], (T.ResizeShortestEdge, T.ResizeScale)):
            return None
        shape = (record["height"], record["width"], 3)
        transform = self.augmentations[0].get_transform(np.broadcast_to(np.uint8(0), shape))
        if not isinstance(transform, T.ResizeTransform):  # INPUT.MIN_SIZE_TRAIN 0
            return record["height"], record["width"]
        return transform.new_h, transform.new_w

    def _still_clip(self, record: dict[str, Any], with_all_masks: bool) -> _Clip:
        """The image as often as the clip has frames, each time under another random map."""
        objects = _in_frame(record, 0)
        num_frames = self._num_past + 1
        frames, masks = make_pseudo_clip(
            self.still_motion,
            self._read(record, 0),
            decode_masks(record, 0, objects),
            num_frames=num_frames,
            num_supervised=num_frames if with_all_masks else self.num_supervised,
        )
        return _Clip(
            indices=[0] * len(frames),
            order=list(range(len(frames))),
            frames=frames,
            objects=[objects if of else [] for of in masks],
            masks=masks,
            augmentations=self.augmentations,
        )

    @property
    def _num_past(self) -> int:
        """Frames before the target: each supervised one has δ references of its own."""
        return self.num_reference_frames + self.num_supervised - 1

    def _read(
        self, record: dict[str, Any], index: int, size: tuple[int, int] | None = None
    ) -> np.ndarray:
        read = read_frame if size is None else partial(read_resized_frame, size=size)
        return read(
            record["file_names"][index],
            image_format=self.image_format,
            height=record["height"],
            width=record["width"],
            video_id=record["video_id"],
        )


def _in_frame(record: dict[str, Any], index: int) -> list[dict[str, Any]]:
    return objects_of(record, index) + ignored_of(record, index)
