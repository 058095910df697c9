"""A frame resized on a GPU is that of Pillow but for rounding."""

import cv2
import numpy as np
import pytest
import torch
from detectron2.data import transforms as T

from rcf_vis.inference.frame_input import frame_input, resize_on_device


def picture(height, width):
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.mark.parametrize(("short", "least"), [(360, 0), (240, 1), (480, 1), (720, 0), (800, 2)])
def test_as_pillow(short, least):
    frame = picture(720, 1280)
    resize = T.ResizeShortestEdge(short, 10000)
    cpu = torch.device("cpu")
    expected = frame_input(frame, resize, image_format="BGR", device=cpu).float()
    found = resize_on_device(torch.from_numpy(frame), tuple(expected.shape[1:]))
    assert found.dtype == torch.float32 and found.shape == expected.shape
    assert (found - expected).abs().max() <= least
    assert (found != expected).float().mean() < (0.001 if least < 2 else 0.03)


def test_channels():
    frame = picture(64, 96)
    resize = T.ResizeShortestEdge(64, 10000)
    found = frame_input(frame, resize, image_format="RGB", device=torch.device("cpu"))
    assert found.shape == (3, 64, 96) and found.dtype == torch.uint8
    assert np.array_equal(found[0].numpy(), frame[:, :, 2])
