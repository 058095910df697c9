"""Data loaders: Detectron2's own, over records of videos."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import (
    DatasetCatalog,
    MetadataCatalog,
    build_detection_test_loader,
)
from detectron2.data.build import (
    print_instances_class_histogram,
    trivial_batch_collator,
    worker_init_reset_seed,
)
from detectron2.data.samplers import RepeatFactorTrainingSampler, TrainingSampler
from detectron2.utils import comm
from torch.utils.data import DataLoader, Sampler

from rcf_vis.errors import DatasetError

from .dataset_mapper import ClipDatasetMapper
from .mixing import RatioSampler, dataset_shares
from .stream import Clips, StreamSampler

__all__ = [
    "Mapper",
    "build_test_loader",
    "build_train_loader",
    "get_video_dicts",
    "list_tracks",
]

logger = logging.getLogger(__name__)

Mapper = Callable[[dict[str, Any]], dict[str, Any]]


def build_train_loader(cfg: CfgNode, mapper: Mapper | None = None) -> DataLoader:
    """An endless loader of batches of clips, from all sets of ``DATASETS.TRAIN`` together.

    Which clips it gives depends on one seed alone, not on the number of workers; its ``sampler`` is
    a :class:`~rcf_vis.data.stream.StreamSampler`, which may begin in the midst of them.

    Args:
        cfg: ``SOLVER.IMS_PER_BATCH`` clips over all processes, ``DATALOADER.NUM_WORKERS`` workers
            in each; ``DATALOADER.SAMPLER_TRAIN`` and ``FILTER_EMPTY_ANNOTATIONS``;
            ``DATASETS.DATASET_RATIO``, the proportions of the sets.
        mapper: by default ``ClipDatasetMapper(cfg, is_train=True)``.

    Returns:
        a loader of lists of dicts, as the mapper makes them.

    Raises:
        DatasetError: a set has no annotations, the sets have different classes, or the features of
            an audio track in ``DATASETS.AUDIO_CACHE`` are missing or outdated.
        ValueError: ``DATASETS.DATASET_RATIO`` does not fit to the sets, or no video has the frames
            of ``MODEL.RCF.NUM_SUPERVISED_FRAMES``.
    """
    names = cfg.DATASETS.TRAIN
    shares = dataset_shares(cfg.DATASETS.DATASET_RATIO, names)
    sets = _load_sets(names, filter_empty=cfg.DATALOADER.FILTER_EMPTY_ANNOTATIONS)
    mapper = mapper or ClipDatasetMapper(cfg, is_train=True)
    records = list(chain.from_iterable(sets))
    _check_audio(mapper, records)
    _check_lengths(cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES, records)
    if getattr(mapper, "copy_paste", None) is not None:  # not every mapper is a ClipDatasetMapper
        mapper.copy_paste.collect(records)
    # Detectron2's own loader gives each worker a share of the stream, of which it makes batches: a
    # run that is resumed would see others.
    return DataLoader(
        Clips(records, mapper),
        batch_size=_clips_of_a_process(cfg.SOLVER.IMS_PER_BATCH),
        sampler=StreamSampler(_sampler_builder(cfg, sets, shares)),
        num_workers=cfg.DATALOADER.NUM_WORKERS,
        collate_fn=trivial_batch_collator,
        worker_init_fn=worker_init_reset_seed,
        generator=torch.Generator(),  # its own: a stream that begins must draw none of a step's
    )


def _clips_of_a_process(batch_size: int) -> int:
    processes = comm.get_world_size()
    if batch_size < 1 or batch_size % processes:
        raise ValueError(
            f"SOLVER.IMS_PER_BATCH is {batch_size}, expected a multiple of the {processes} "
            "processes"
        )
    return batch_size // processes


def _check_lengths(num_supervised: int, records: Sequence[dict[str, Any]]) -> None:
    lengths = [record["length"] for record in records if not record.get("still_image")]
    if lengths and num_supervised > max(lengths):
        raise ValueError(
            f"MODEL.RCF.NUM_SUPERVISED_FRAMES is {num_supervised}, but the longest video of "
            f"DATASETS.TRAIN has {max(lengths)} frames"
        )


def build_test_loader(cfg: CfgNode, dataset_name: str, mapper: Mapper | None = None) -> DataLoader:
    """A loader of one data set, a video a batch, in order, shared out among the processes.

    Args:
        cfg: ``DATALOADER.NUM_WORKERS`` and the ``INPUT`` keys of the mapper.
        dataset_name: annotations are not needed.
        mapper: by default ``ClipDatasetMapper(cfg, is_train=False)``.
    """
    mapper = mapper or ClipDatasetMapper(cfg, is_train=False)
    records = DatasetCatalog.get(dataset_name)
    _check_audio(mapper, records)
    return build_detection_test_loader(
        records,
        mapper=mapper,
        num_workers=cfg.DATALOADER.NUM_WORKERS,
    )


def get_video_dicts(names: Sequence[str], filter_empty: bool = True) -> list[dict[str, Any]]:
    """Records of several training sets, one after the other.

    A table of the number of tracks in each class is logged.

    Args:
        names: registered data sets, with annotations and of the same classes.
        filter_empty: leave out videos without an object that is not a crowd.

    Raises:
        KeyError: a name is not registered.
        DatasetError: a set has no annotations, the sets have different classes, or no video is
            left.
    """
    return list(chain.from_iterable(_load_sets(names, filter_empty)))


def _load_sets(names: Sequence[str], filter_empty: bool) -> list[list[dict[str, Any]]]:
    """:func:`get_video_dicts`, a list a data set."""
    if isinstance(names, str) or not names:
        raise ValueError(f"DATASETS.TRAIN is {names!r}, expected a list of at least one name")
    sets: list[list[dict[str, Any]]] = []
    for name in names:
        loaded = DatasetCatalog.get(name)
        if any("annotations" not in record for record in loaded):
            json_file = MetadataCatalog.get(name).get("json_file")
            raise DatasetError(
                f"data set '{name}' has no annotations ('annotations' is missing or null in "
                f"{json_file}); training needs them"
            )
        sets.append(loaded)
    classes = _common_classes(names)
    if filter_empty:
        total = sum(map(len, sets))
        sets = [[record for record in loaded if list_tracks(record)] for loaded in sets]
        left = sum(map(len, sets))
        logger.info("Left out %d videos without annotated objects; %d are left", total - left, left)
    if not any(sets):
        raise DatasetError(f"no video with an annotated object in {', '.join(names)}")
    tracks = _as_track_dicts(chain.from_iterable(sets))
    print_instances_class_histogram(tracks, classes)
    seen = {item["category_id"] for track in tracks for item in track["annotations"]}
    if empty := [name for index, name in enumerate(classes) if index not in seen]:
        logger.warning("%d classes without an object: %s", len(empty), ", ".join(empty))
    return sets


def list_tracks(record: dict[str, Any]) -> dict[int, int]:
    """Track id → contiguous category of the objects of a video that are not crowds."""
    return {
        item["id"]: item["category_id"]
        for frame in record["annotations"]
        for item in frame
        if not item.get("iscrowd", 0)
    }


def _as_track_dicts(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records in the form of Detectron2's images, with a track in place of an instance."""
    return [
        {"annotations": [{"category_id": category} for category in list_tracks(record).values()]}
        for record in records
    ]


def _common_classes(names: Sequence[str]) -> list[str]:
    """The classes of the sets, which must agree."""
    classes = MetadataCatalog.get(names[0]).thing_classes
    for name in names[1:]:
        other = MetadataCatalog.get(name).thing_classes
        if other != classes:
            raise DatasetError(
                f"data sets '{names[0]}' and '{name}' have different classes: {classes} and "
                f"{other}; expected the same names in the same order"
            )
    return classes


def _check_audio(mapper: Mapper, records: Sequence[dict[str, Any]]) -> None:
    """Raise before the first step where a cache of the audio is not up to date."""
    audio = getattr(mapper, "audio", None)  # not every mapper is a ClipDatasetMapper
    if audio is not None:
        audio.check(records)


def _sampler_builder(
    cfg: CfgNode, sets: Sequence[Sequence[dict[str, Any]]], shares: Sequence[float] | None
) -> Callable[[int], Sampler]:
    """From a seed to one sampler for all the sets together, or one for each and a mixture."""
    if shares is None:
        return partial(_plain_sampler, *_plain_options(cfg, list(chain.from_iterable(sets))))
    for name, records in zip(cfg.DATASETS.TRAIN, sets, strict=True):
        if not records:
            raise DatasetError(f"no video with an annotated object in {name}")
    for name, share in zip(cfg.DATASETS.TRAIN, shares, strict=True):
        logger.info("%.1f %% of the clips come from %s", 100 * share, name)
    options = [_plain_options(cfg, records) for records in sets]

    def build(seed: int) -> RatioSampler:
        return RatioSampler(
            samplers=[_plain_sampler(*own, seed + k) for k, own in enumerate(options)],
            sizes=[len(records) for records in sets],
            shares=shares,
            seed=seed,
        )

    return build


def _plain_options(
    cfg: CfgNode, records: Sequence[dict[str, Any]]
) -> tuple[int, torch.Tensor | None]:
    """Number of records and, where those of rare classes are repeated, how often each is."""
    name = cfg.DATALOADER.SAMPLER_TRAIN
    if name == "TrainingSampler":
        return len(records), None
    if name == "RepeatFactorTrainingSampler":
        return len(records), RepeatFactorTrainingSampler.repeat_factors_from_category_frequency(
            _as_track_dicts(records), cfg.DATALOADER.REPEAT_THRESHOLD
        )
    raise ValueError(
        f"DATALOADER.SAMPLER_TRAIN is '{name}', expected TrainingSampler or "
        "RepeatFactorTrainingSampler"
    )


def _plain_sampler(size: int, factors: torch.Tensor | None, seed: int) -> Sampler:
    if factors is None:
        return TrainingSampler(size, seed=seed)
    return RepeatFactorTrainingSampler(factors, seed=seed)
