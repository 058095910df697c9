"""Reading the frames of a video, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import overload

import numpy as np
import torch
from detectron2.data import transforms as T
from PIL import Image
from torch.nn import functional as F

from rcf_vis.errors import DatasetError

from .augmentation import frame_to_tensor
from .images import open_image, orientation_of, to_array

__all__ = ["LazyFrames", "read_frame", "read_resized_frame"]


def read_frame(
    file_name: str, *, image_format: str, height: int, width: int, video_id: int
) -> np.ndarray:
    """Read one frame and check its size.

    Args:
        file_name: path of the image.
        image_format: ``"BGR"`` or ``"RGB"``.
        height, width: the size that the json gives for the video, in pixels.
        video_id: for the error message.

    Returns:
        (height, width, 3) uint8 array.

    Raises:
        FileNotFoundError: there is no such image.
        DatasetError: the image is broken or too large, see :func:`.images.open_image`, or of
            another size than the video.
    """
    where = f"video {video_id}, frame {file_name}"
    with _explained(where), open_image(file_name) as image:
        _check_size(image, (width, height))
        return to_array(image, image_format)


def read_resized_frame(
    file_name: str,
    *,
    image_format: str,
    height: int,
    width: int,
    video_id: int,
    size: tuple[int, int],
) -> np.ndarray:
    """Read one frame at another size, sooner than at its own (``INPUT.FAST_DECODE``).

    A JPEG is decoded at a half, a quarter or an eighth of its size where ``size`` is not larger, by
    leaving out what the cosine transform has of finer detail; what is left to resize, PyTorch does.

    Args:
        size: (height, width) of the result, in pixels.

    Returns:
        (h, w, 3) uint8 array, near to that of :func:`read_frame` after Pillow's bilinear resize.

    Raises:
        FileNotFoundError, DatasetError: as :func:`read_frame`.
    """
    where = f"video {video_id}, frame {file_name}"
    with _explained(where), open_image(file_name) as image:
        _check_size(image, (width, height))
        if image.mode == "RGB" and orientation_of(image) == 1:
            image.draft(None, size[::-1])  # of no effect but for a JPEG
            pixels = np.array(image)
        else:
            pixels = np.array(to_array(image, "RGB"))
    if pixels.shape[:2] != size:
        resized = F.interpolate(
            torch.from_numpy(pixels).permute(2, 0, 1)[None],
            size=size,
            mode="bilinear",
            antialias=True,
        )
        pixels = resized[0].permute(1, 2, 0).numpy()
    return pixels if image_format == "RGB" else pixels[:, :, ::-1]


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{where}: no such file") from error
    except DatasetError as error:
        raise DatasetError(f"{where}: {error}", error.kind) from error


def _check_size(image: Image.Image, expected: tuple[int, int]) -> None:
    """Of the header against (width, height) of the json: nothing is decoded yet."""
    found = image.size if orientation_of(image) < 5 else image.size[::-1]  # turned on its side
    if found != expected:
        raise DatasetError(
            f"the image has {found[0]}x{found[1]} pixels (width x height); expected "
            f"{expected[0]}x{expected[1]} as in the json, for each frame of the video",
            "images",
        )


class LazyFrames(Sequence[torch.Tensor]):
    """The frames of a video as tensors that are made when they are asked for.

    Nothing is kept: the memory does not grow with the length of the video, and a frame that is
    asked for twice is read twice. It can be pickled, and a slice of it is lazy too.

    Args:
        file_names: paths of the frames.
        height, width: size of the video in the json, in pixels; each frame must have it.
        video_id: for error messages.
        image_format: ``"BGR"`` or ``"RGB"``.
        resize: the test-time augmentation; it must not be random.

    Example::

        for frame in sample["image"]:  # (3, h, w) uint8, one in memory at a time
            ...
    """

    def __init__(
        self,
        file_names: Sequence[str],
        *,
        height: int,
        width: int,
        video_id: int,
        image_format: str,
        resize: T.Augmentation,
    ) -> None:
        self.file_names = list(file_names)
        self.height = height
        self.width = width
        self.video_id = video_id
        self.image_format = image_format
        self.resize = resize

    def __len__(self) -> int:
        return len(self.file_names)

    @overload
    def __getitem__(self, index: int) -> torch.Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> LazyFrames: ...

    def __getitem__(self, index: int | slice) -> torch.Tensor | LazyFrames:
        """Frame ``index`` as a (3, h, w) uint8 tensor, or the frames of a slice, still unread.

        Raises:
            FileNotFoundError, DatasetError: see :func:`read_frame`.
        """
        if isinstance(index, slice):
            return LazyFrames(
                self.file_names[index],
                height=self.height,
                width=self.width,
                video_id=self.video_id,
                image_format=self.image_format,
                resize=self.resize,
            )
        image = read_frame(
            self.file_names[index],
            image_format=self.image_format,
            height=self.height,
            width=self.width,
            video_id=self.video_id,
        )
        return frame_to_tensor(self.resize.get_transform(image).apply_image(image))

    def __repr__(self) -> str:
        return f"LazyFrames(video {self.video_id}, {len(self)} frames)"
