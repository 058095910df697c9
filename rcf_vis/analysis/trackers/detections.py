"""What a model finds in each frame of a data set, before anything is tracked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from detectron2.data import DatasetCatalog
from detectron2.structures import Instances
from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.data import ClipDatasetMapper, read_frame

__all__ = ["DetectedVideo", "detect"]


@dataclass(frozen=True, eq=False)
class DetectedVideo:
    """A video and what was found in it.

    Attributes:
        record: of the data set, with ``video_id``, ``file_names``, ``height`` and ``width``.
        frames: the instances of each frame, as :meth:`rcf_vis.modeling.RCF.track` gives them.
    """

    record: Mapping[str, Any]
    frames: list[Instances]

    def images(self) -> Iterator[np.ndarray]:
        """Its frames, ``(H, W, 3)`` uint8 BGR, read as they are asked for."""
        size = {key: self.record[key] for key in ("height", "width", "video_id")}
        for file_name in self.record["file_names"]:
            yield read_frame(file_name, image_format="BGR", **size)


def detect(
    predictor: OnlinePredictor, dataset_name: str, num_videos: int | None = None
) -> list[DetectedVideo]:
    """Run a model over the videos of a data set; a progress bar shows how far it is.

    Args:
        num_videos: only the first ones; None: all.

    Raises:
        ValueError: the data set has no video.
    """
    records = list(islice(DatasetCatalog.get(dataset_name), num_videos))
    if not records:
        raise ValueError(f"data set '{dataset_name}' has no video")
    mapper = ClipDatasetMapper(predictor.cfg, is_train=False)
    found = []
    total = sum(len(record["file_names"]) for record in records)
    with tqdm(total=total, desc=dataset_name, unit="frame") as bar:
        for record in records:
            (stream,) = predictor.model([mapper(record)])
            frames = []
            for instances in stream:
                frames.append(instances)
                bar.update()
            found.append(DetectedVideo(record, frames))
    return found
