"""SynthVIS of motions: two categories that only their motion tells apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .spec import SynthVISSpec

__all__ = ["MOTION_CATEGORIES", "MOTION_VERSION", "SynthVISMotionSpec"]

#: Goes up when the same spec gives other motions.
MOTION_VERSION = 1

#: The categories as the json lists them: how an object turns, as one sees it.
MOTION_CATEGORIES = [{"id": 1, "name": "clockwise"}, {"id": 2, "name": "anticlockwise"}]


@dataclass(frozen=True, kw_only=True)
class SynthVISMotionSpec(SynthVISSpec):
    """Everything that decides the content of a SynthVIS data set of motions.

    All objects are arrows that turn steadily, at any angle to begin with; the sense in which they
    turn is their category. So each picture is as likely with either category, and who sees one
    frame can only guess.

    Example::

        SynthVISMotionSpec(train_videos=300)

    Raises:
        ValueError: a field is out of its range; the message begins with the field's name.
    """

    folder: ClassVar[str] = "synthvis_motion"
    title: ClassVar[str] = "SynthVIS of motions"
    categories: ClassVar[list[dict[str, Any]]] = MOTION_CATEGORIES
    looks: ClassVar[tuple[str, ...]] = ("arrow", "arrow")

    train_videos: int = 1000
    #: Fewer objects, crossings and returns than plain SynthVIS has: the class decides the AP.
    objects_per_video: tuple[int, int] = (1, 3)
    crossing_share: float = 0.2
    return_share: float = 0.2

    def describe_split(self, split: str) -> dict[str, Any]:
        return {**super().describe_split(split), "motion_version": MOTION_VERSION}
