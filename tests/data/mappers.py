"""A mapper for training without augmentation, and which frames it took."""

from pathlib import Path

from rcf_vis.data import ClipDatasetMapper


def plain_mapper(references: int = 2, all_frames: bool = False, **kwargs) -> ClipDatasetMapper:
    return ClipDatasetMapper(
        is_train=True,
        augmentations=[],
        num_reference_frames=references,
        supervise_all_frames=all_frames,
        **kwargs,
    )


def indices(sample: dict) -> list[int]:
    return [int(Path(name).stem) for name in sample["file_names"]]
