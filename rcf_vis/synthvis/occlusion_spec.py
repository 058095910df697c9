"""SynthVIS with occlusions: what is hard to follow, in each video, and said of each video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .spec import SynthVISSpec

__all__ = ["HIDDEN_LENGTHS", "OCCLUSION_VERSION", "SynthVISOcclusionSpec"]

#: Goes up when the same spec gives other paths or other events.
OCCLUSION_VERSION = 1

#: Frames for which an object is fully hidden.
HIDDEN_LENGTHS = (5, 15, 45)


@dataclass(frozen=True, kw_only=True)
class SynthVISOcclusionSpec(SynthVISSpec):
    """Everything that decides the content of a SynthVIS data set with occlusions.

    In each video, one story is told of two objects of one category: they cross, one is fully
    hidden by a wall for each of `HIDDEN_LENGTHS`, or one leaves the picture and returns. The
    stories take turns; the two look exactly alike in every other round. The json lists what
    happens as `events` of each video (:func:`rcf_vis.synthvis.find_events`).

    `crossing_share`, `return_share` and `occlusion` play no part.

    Example::

        SynthVISOcclusionSpec(val_videos=80, length=120)

    Raises:
        ValueError: a field is out of its range; the message begins with the field's name.
    """

    folder: ClassVar[str] = "synthvis_occ"
    title: ClassVar[str] = "SynthVIS with occlusions"

    #: At least 64, so that the longest of `HIDDEN_LENGTHS` fits with something before and after.
    length: int = 80
    train_videos: int = 200
    val_videos: int = 40
    test_videos: int = 40
    #: At least three: the two of the story and one of another category.
    objects_per_video: tuple[int, int] = (3, 4)
    object_size: tuple[float, float] = (0.3, 0.45)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.length < 64:
            raise ValueError(f"length must be at least 64 with occlusions, got {self.length}")
        if self.objects_per_video[0] < 3:
            raise ValueError(
                f"objects_per_video must be at least 3 with occlusions, got "
                f"{self.objects_per_video!r}"
            )

    def describe_split(self, split: str) -> dict[str, Any]:
        return {**super().describe_split(split), "occlusion_version": OCCLUSION_VERSION}
