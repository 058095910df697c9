"""From the array of a frame to what the network takes, on its device."""

from __future__ import annotations

import numpy as np
import torch
from detectron2.data import transforms as T
from torch import Tensor
from torch.nn import functional as F

from rcf_vis.data.augmentation import frame_to_tensor

__all__ = ["frame_input", "resize_on_device"]


def frame_input(
    frame: np.ndarray, resize: T.Augmentation, *, image_format: str, device: torch.device
) -> Tensor:
    """Resize a frame and order its channels.

    On a CPU that is what the evaluation does, by Pillow; on a GPU the whole frame is copied there,
    once, and resized there; few pixels differ, by 1 of 255 (by 2 where the frame is enlarged).

    Args:
        frame: ``(H, W, 3)`` uint8, BGR.
        resize: the test-time augmentation.
        image_format: "BGR" or "RGB", the order wanted.
        device: of the model.

    Returns:
        ``(3, h, w)`` uint8, or float32 with the same values, on the device.
    """
    transform = resize.get_transform(frame)
    if device.type == "cpu":
        frame = frame if image_format == "BGR" else frame[:, :, ::-1]
        return frame_to_tensor(transform.apply_image(frame))
    size = frame.shape[:2]
    if isinstance(transform, T.ResizeTransform):
        size = (transform.new_h, transform.new_w)
    pixels = torch.from_numpy(np.ascontiguousarray(frame)).to(device, non_blocking=True)
    pixels = resize_on_device(pixels, size)
    return pixels if image_format == "BGR" else pixels.flip(0)


def resize_on_device(frame: Tensor, size: tuple[int, int]) -> Tensor:
    """``(H, W, 3)`` uint8 to ``(3, h, w)`` float32, whole numbers, as Pillow's bilinear resize.

    Like Pillow first the columns, then the rows, each rounded.
    """
    pixels = frame.permute(2, 0, 1)[None].float()
    for shape in ((frame.shape[0], size[1]), size):
        if tuple(pixels.shape[2:]) != tuple(shape):
            pixels = F.interpolate(pixels, size=shape, mode="bilinear", antialias=True)
            pixels = pixels.add_(0.5).floor_()
    return pixels[0]
