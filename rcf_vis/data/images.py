"""Images of files: within the limit, upright, and in 8 bits a channel."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from PIL import Image

from rcf_vis.errors import DatasetError
from rcf_vis.foreign_files import open_regular
from rcf_vis.limits import check_limit, limit

__all__ = ["open_image", "orientation_of", "read_image", "to_array"]

# Those that Pillow decodes itself: for others, such as EPS, it starts a program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_INTEGERS_OF_16_BITS = ("PNG", "PPM")  # which some versions of Pillow give as 32
_ORIENTATION = 0x0112  # of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: str | os.PathLike, image_format: str) -> np.ndarray:
    """An image as (H, W, 3) uint8, turned upright as its EXIF says.

    Args:
        image_format: "BGR" or "RGB".

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: see :func:`open_image`.
    """
    with open_image(path) as image:
        return to_array(image, image_format)


@contextmanager
def open_image(path: str | os.PathLike) -> Iterator[Image.Image]:
    """Pillow's image, of which only the header is read; what is done with it may fail, too.

    Raises:
        FileNotFoundError: there is no such file.
        DatasetError: it is no file, no image, broken, or larger than ``LIMITS.IMAGE_PIXELS``.
    """
    most = limit("IMAGE_PIXELS")
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, most)  # its own limit
    try:
        with open_regular(path) as file, Image.open(file, formats=_known_formats()) as image:
            width, height = image.size
            check_limit("IMAGE_PIXELS", width * height, f"{width}x{height} pixels")
            yield image
    except (FileNotFoundError, DatasetError):
        raise
    except Image.DecompressionBombError as error:
        check_limit("IMAGE_PIXELS", int(re.search(r"\d+", str(error))[0]), "pixels")
    except Exception as error:  # a broken image makes Pillow raise of any kind
        reason = str(error).partition("<_io")[0].strip() or type(error).__name__
        raise DatasetError(f"the image cannot be read ({reason})", "images") from error


@lru_cache(maxsize=1)
def _known_formats() -> list[str]:
    """Of :data:`_FORMATS`; a Pillow may be built without some."""
    Image.init()
    return [name for name in _FORMATS if name in Image.OPEN]


def orientation_of(image: Image.Image) -> int:
    """What its EXIF says, 1 to 8; 1 where it says nothing, or nothing that can be read."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of any kind; the picture may be good all the same
        return 1
    return value if value in _TURNS else 1


def to_array(image: Image.Image, image_format: str) -> np.ndarray:
    """(H, W, 3) uint8, upright. Values of more than 8 bits and floats are scaled, not cut off."""
    of_16_bits = image.mode.startswith("I;16") or image.format in _INTEGERS_OF_16_BITS
    turn = _TURNS.get(orientation_of(image))
    if turn is not None:
        image = image.transpose(turn)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _in_8_bits(np.asarray(image), of_16_bits)
        return np.repeat(grey[:, :, None], 3, axis=2)
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return pixels if image_format == "RGB" else pixels[:, :, ::-1]


def _in_8_bits(values: np.ndarray, of_16_bits: bool) -> np.ndarray:
    """By the type where it has 16 bits; else by the first of the usual ranges that holds all."""
    if of_16_bits:
        return ((values.clip(0).astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    ranges = (255.0, 65535.0) if values.dtype.kind == "i" else (1.0, 255.0, 65535.0)
    values = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0).clip(0)
    highest = values.max()
    most = next((top for top in ranges if highest <= top), highest)
    return (values * (255 / most) + 0.5).astype(np.uint8)
