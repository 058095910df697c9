"""The data sets of this package, by their folders."""

from __future__ import annotations

from .audio_spec import SynthVISAudioSpec
from .motion_spec import SynthVISMotionSpec
from .occlusion_spec import SynthVISOcclusionSpec
from .spec import SynthVISSpec

__all__ = ["SPEC_CLASSES"]

#: Folder of a data set → what it is made from.
SPEC_CLASSES: dict[str, type[SynthVISSpec]] = {
    cls.folder: cls
    for cls in (SynthVISSpec, SynthVISAudioSpec, SynthVISOcclusionSpec, SynthVISMotionSpec)
}
