"""SynthVIS with audio: the categories, some of which only the ear can tell, and the shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from .spec import SynthVISSpec
from .timbres import TIMBRES

__all__ = [
    "AUDIO_CATEGORIES",
    "AUDIO_VERSION",
    "LOOKALIKE_PAIRS",
    "UNIQUE_LOOKS",
    "SynthVISAudioSpec",
]

#: Goes up when the same spec gives other sounds, or other pulses.
AUDIO_VERSION = 1

#: The look of each category of `TIMBRES`, in its order: one of the shapes of plain SynthVIS, at
#: its own place there where it can be, so that weights for plain SynthVIS serve as a start. The
#: look-alikes have the shapes that are found best, so that the class decides more of their AP.
_LOOKS = (
    *("disc", "disc", "triangle", "gear", "cross"),
    *("hexagon", "hexagon", "arrow", "leaf", "leaf"),
)

#: The categories as the json lists them, ids from 1 on.
AUDIO_CATEGORIES = [{"id": i, "name": name} for i, name in enumerate(TIMBRES, start=1)]

#: Indices into `AUDIO_CATEGORIES`: two categories of one look, which differ in nothing but audio.
LOOKALIKE_PAIRS = tuple((i, i + 1) for i in range(len(_LOOKS) - 1) if _LOOKS[i] == _LOOKS[i + 1])

#: Indices of the categories that the eye can tell.
UNIQUE_LOOKS = tuple(i for i, look in enumerate(_LOOKS) if _LOOKS.count(look) == 1)


@dataclass(frozen=True, kw_only=True)
class SynthVISAudioSpec(SynthVISSpec):
    """Everything that decides the content of a SynthVIS data set with audio.

    Objects audio, each category with its timbre, and pulse: they swell and lighten as they get
    louder. The picture is drawn as that of plain SynthVIS, of fewer shapes; by default there are
    fewer objects, crossings and returns, so that the class of an object decides more of the AP.

    Example::

        SynthVISAudioSpec(train_videos=100, silent_share=0.5)

    Raises:
        ValueError: a field is out of its range; the message begins with the field's name.
    """

    folder: ClassVar[str] = "synthvis_av"
    title: ClassVar[str] = "SynthVIS with audio"
    categories: ClassVar[list[dict[str, Any]]] = AUDIO_CATEGORIES
    looks: ClassVar[tuple[str, ...]] = _LOOKS
    audio_shares: ClassVar[tuple[str, ...]] = (
        *("lookalike_share", "twins_share", "silent_share", "decoy_share"),
        *("offscreen_share", "noise_share"),
    )
    shares: ClassVar[tuple[str, ...]] = (*SynthVISSpec.shares, *audio_shares)

    #: More than plain SynthVIS has: AP is that of ten categories with fewer objects a video.
    val_videos: int = 100
    test_videos: int = 100
    objects_per_video: tuple[int, int] = (1, 3)
    crossing_share: float = 0.2
    return_share: float = 0.2
    #: Frames a second, which ties the frames to the audio; from 1 to 120.
    frame_rate: float = 6.0
    #: Share of the kinds of objects that have a twin which looks alike, in [0, 1].
    lookalike_share: float = 0.6
    #: Share of the videos of two objects or more that show both of a look-alike pair, of which one
    #: sounds. In the others, only one of the two is there.
    twins_share: float = 0.25
    #: Share of the kinds of objects in a video that are silent; twins apart.
    silent_share: float = 0.15
    #: Share of the silent objects that pulse all the same; the others do not pulse.
    decoy_share: float = 0.25
    #: Share of the videos with a sound from outside of the picture, of a look that is not in it.
    offscreen_share: float = 0.25
    #: Share of the videos with background noise, about 15 to 40 dB below a loud object.
    noise_share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        rate = self.frame_rate
        if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 1 <= rate <= 120:
            raise ValueError(f"frame_rate must be a number from 1 to 120, got {rate!r}")

    def video_fields(self) -> dict[str, Any]:
        return {"frame_rate": self.frame_rate}

    def describe_split(self, split: str) -> dict[str, Any]:
        return {**super().describe_split(split), "sound_version": AUDIO_VERSION}
