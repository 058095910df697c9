"""Which features of a timm model become the levels ``res2`` … ``res5``."""

from __future__ import annotations

from collections.abc import Sequence

from .simple_feature_pyramid import SimpleFeaturePyramid

__all__ = ["STRIDES", "fine_to_coarse", "level_indices", "plain_index"]

STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}


def fine_to_coarse(out_features: Sequence[str]) -> list[str]:
    """The levels wanted in the order of their strides; ValueError where one does not exist."""
    if not out_features or not set(out_features) <= set(STRIDES):
        raise ValueError(
            f"MODEL.TIMM.OUT_FEATURES is {list(out_features)}, expected some of {list(STRIDES)}"
        )
    return [name for name in STRIDES if name in out_features]


def level_indices(
    name: str, strides: Sequence[int], out_features: Sequence[str], out_indices: Sequence[int]
) -> list[int]:
    """Which of the features of a hierarchical model are the levels wanted."""
    wanted = [STRIDES[feature] for feature in out_features]
    if not out_indices:
        last = {stride: index for index, stride in enumerate(strides)}
        if not set(wanted) <= set(last):
            raise ValueError(
                f"MODEL.TIMM.OUT_FEATURES {list(out_features)} have the strides {wanted}, but the "
                f"features of MODEL.TIMM.NAME {name!r} have {strides}"
            )
        return [last[stride] for stride in wanted]
    indices = _positive(name, strides, out_indices)
    if [strides[index] for index in indices] != wanted:
        raise ValueError(
            f"MODEL.TIMM.OUT_INDICES {list(out_indices)} of {name!r} have the strides "
            f"{[strides[index] for index in indices]}, but MODEL.TIMM.OUT_FEATURES "
            f"{list(out_features)} are {wanted}; the features of the model have {strides}"
        )
    return indices


def plain_index(
    name: str, strides: Sequence[int], out_features: Sequence[str], out_indices: Sequence[int]
) -> list[int]:
    """Which block's output of a plain transformer the pyramid starts from."""
    if strides[0] != SimpleFeaturePyramid.in_stride:
        raise ValueError(
            f"MODEL.TIMM.NAME {name!r} has the stride {strides[0]}, but {list(out_features)} are "
            f"made from one of {SimpleFeaturePyramid.in_stride}: set patch_size in "
            "MODEL.TIMM.KWARGS, and timm resamples the patch embedding"
        )
    indices = _positive(name, strides, out_indices or (-1,))
    if len(indices) != 1:
        raise ValueError(
            f"MODEL.TIMM.OUT_INDICES is {list(out_indices)}, but {name!r} is a plain transformer, "
            "whose levels are made from the output of one block"
        )
    return indices


def _positive(name: str, strides: Sequence[int], indices: Sequence[int]) -> list[int]:
    count = len(strides)
    if not all(-count <= index < count for index in indices):
        raise ValueError(
            f"MODEL.TIMM.OUT_INDICES is {list(indices)}, but {name!r} has {count} features"
        )
    return [index % count for index in indices]
