"""What a SynthVIS data set is made of: its size, its contents and its difficulty."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .shapes import CATEGORIES

__all__ = ["GENERATOR_VERSION", "KNOBS", "SPLITS", "SynthVISSpec"]

#: Goes up when the same spec gives other pixels or other annotations.
GENERATOR_VERSION = 2

#: The splits and the number by which each enters the seed.
SPLITS = {"train": 0, "val": 1, "test": 2}

#: What `SynthVISSpec.difficulty` stands for; each is a field of its own as well.
KNOBS = ("noise", "blur", "occlusion", "flicker", "contrast")


@dataclass(frozen=True, kw_only=True)
class SynthVISSpec:
    """Everything that decides the content of a SynthVIS data set.

    Two equal specs give the same bytes, whatever the number of processes that make them.
    The knobs lie in [0, 1]; 0 switches the effect off, and None takes the value of `difficulty`.
    Four of them (noise, blur, flicker, contrast) change pixels only: sets that differ in nothing
    else have the same annotations, so that AP can be drawn against each of them.

    Example::

        SynthVISSpec(width=640, height=360, length=36, train_videos=100, noise=0.8)

    Raises:
        ValueError: a field is out of its range; the message begins with the field's name.
    """

    #: The data set's folder under the root of all.
    folder: ClassVar[str] = "synthvis"
    #: Its name in messages.
    title: ClassVar[str] = "SynthVIS"
    #: The categories as the json lists them.
    categories: ClassVar[list[dict[str, Any]]] = CATEGORIES
    #: The shape of each of them, a name of `shapes.CATEGORIES`.
    looks: ClassVar[tuple[str, ...]] = tuple(category["name"] for category in CATEGORIES)
    #: The fields that are shares.
    shares: ClassVar[tuple[str, ...]] = ("crossing_share", "return_share")

    #: Width of a frame in pixels, at least 32.
    width: int = 320
    #: Height of a frame in pixels, at least 32. Sizes and speeds go with the short side.
    height: int = 192
    #: Frames a video, at least 1. Objects return or cross only from 8 frames on.
    length: int = 20
    #: Number of videos in the split "train".
    train_videos: int = 2000
    #: Number of videos in the split "val".
    val_videos: int = 60
    #: Number of videos in the split "test", on which nothing was tuned.
    test_videos: int = 60
    #: Fewest and most objects in a video, both ends included, between 1 and 10.
    objects_per_video: tuple[int, int] = (2, 4)
    #: Smallest and largest extent of an object as a share of the frame's short side, in [0.05, 1],
    #: before it grows and shrinks on its way by up to a sixth.
    object_size: tuple[float, float] = (0.34, 0.6)
    #: Share of the videos in which two instances of one category cross, in [0, 1].
    crossing_share: float = 0.4
    #: Share of the videos in which an object leaves the picture and comes back, in [0, 1].
    return_share: float = 0.3
    #: A frame that shows fewer pixels of an object than this has null for it.
    min_pixels: int = 16
    #: The value of every knob below that is None, in [0, 1].
    difficulty: float = 0.2
    #: Sensor noise: Gaussian, standard deviation up to 28 grey levels.
    noise: float | None = None
    #: Motion blur (shutter up to 1.2 frames) and a defocus that comes and goes.
    blur: float | None = None
    #: Objects drawn to each other's paths, and columns that pass in front. Moves the objects.
    occlusion: float | None = None
    #: Brightness and colour that change from frame to frame, up to about 30 %.
    flicker: float | None = None
    #: Loss of contrast: haze, and object colours that approach those of the background.
    contrast: float | None = None
    #: Any non-negative integer; the splits of one seed differ.
    seed: int = 0
    #: Quality of the JPEG files, 1 to 100.
    jpeg_quality: int = 85

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects_per_video", tuple(self.objects_per_video))
        object.__setattr__(self, "object_size", tuple(self.object_size))
        for name, low, high in (
            ("width", 32, 8192),
            ("height", 32, 8192),
            ("length", 1, 100_000),
            ("train_videos", 0, 1_000_000),
            ("val_videos", 0, 1_000_000),
            ("test_videos", 0, 1_000_000),
            ("min_pixels", 1, 1_000_000),
            ("seed", 0, 2**63 - 1),
            ("jpeg_quality", 1, 100),
        ):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise ValueError(f"{name} must be an integer from {low} to {high}, got {value!r}")
        for name in (*self.shares, "difficulty", *KNOBS):
            value = getattr(self, name)
            if value is None and name in KNOBS:
                continue
            if not isinstance(value, (int, float)) or not 0 <= value <= 1:
                raise ValueError(f"{name} must be a number from 0 to 1, got {value!r}")
        objects = self.objects_per_video
        if len(objects) != 2 or not 1 <= objects[0] <= objects[1] <= 10:
            raise ValueError(
                f"objects_per_video must be (fewest, most) with 1 <= fewest <= most <= 10, "
                f"got {objects!r}"
            )
        sizes = self.object_size
        if len(sizes) != 2 or not 0.05 <= sizes[0] <= sizes[1] <= 1:
            raise ValueError(
                f"object_size must be (smallest, largest) with 0.05 <= smallest <= largest <= 1, "
                f"got {sizes!r}"
            )

    def knob(self, name: str) -> float:
        """The value of one of `KNOBS`: its own, or `difficulty` where that is None."""
        value = getattr(self, name)
        return float(self.difficulty if value is None else value)

    def num_videos(self, split: str) -> int:
        """How many videos `split` has. Raises ValueError for an unknown split."""
        if split not in SPLITS:
            raise ValueError(f"unknown SynthVIS split {split!r}, expected one of {list(SPLITS)}")
        return getattr(self, f"{split}_videos")

    def video_fields(self) -> dict[str, Any]:
        """What the json says of each video beyond its size and its frames."""
        return {}

    def describe_split(self, split: str) -> dict[str, Any]:
        """What decides the content of one split, as json-able values.

        The knobs are resolved and the number of videos is the split's own, so two specs
        describe a split alike exactly if they make it alike.
        """
        described = dataclasses.asdict(self)
        for name in SPLITS:
            del described[f"{name}_videos"]
        described.update({name: self.knob(name) for name in KNOBS})
        described.update(
            objects_per_video=list(self.objects_per_video),
            object_size=list(self.object_size),
            num_videos=self.num_videos(split),
            split=split,
            generator_version=GENERATOR_VERSION,
        )
        return described

    @classmethod
    def from_description(cls, described: Mapping[str, Any]) -> SynthVISSpec:
        """The inverse of `describe_split`; other splits get their default sizes."""
        names = {field.name for field in dataclasses.fields(cls)}
        values = {key: value for key, value in described.items() if key in names}
        if described.get("split") in SPLITS:
            values[f"{described['split']}_videos"] = described["num_videos"]
        return cls(**values)
