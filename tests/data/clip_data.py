"""Small data sets whose pictures say where the objects are.

Each object of a video owns one channel of its frames: that channel is 255 where the object is and
0 elsewhere. So a picture can be compared with the masks after any augmentation. Frames are png,
which loses nothing.
"""

from pathlib import Path

import numpy as np
import pycocotools.mask as mask_util
from PIL import Image

CATEGORIES = [{"id": 3, "name": "ball"}, {"id": 7, "name": "box"}]


def encode(mask: np.ndarray) -> dict:
    rle = mask_util.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": rle["counts"].decode()}


def object_mask(height: int, width: int, channel: int, frame: int) -> np.ndarray:
    """A rectangle of the object ``channel``, which moves with the frame."""
    mask = np.zeros((height, width), dtype=bool)
    top, left = 4 + 3 * channel + 2 * frame, 6 + 9 * channel + 3 * frame
    mask[top : top + 12 + channel, left : left + 14 - 2 * channel] = True
    return mask


def make_content(
    lengths: tuple[int, ...] = (6,),
    size: tuple[int, int] = (48, 64),
    objects: int = 2,
    absent: tuple[tuple[int, int], ...] = (),
) -> dict:
    """A json's content: one video a length; ``absent`` lists (channel, frame)."""
    height, width = size
    videos, annotations = [], []
    for video_id, length in enumerate(lengths, start=1):
        videos.append(
            {
                "id": video_id,
                "width": width,
                "height": height,
                "length": length,
                "file_names": [f"video{video_id}/{frame:05d}.png" for frame in range(length)],
            }
        )
        for channel in range(objects):
            masks = [
                None if (channel, frame) in absent else object_mask(height, width, channel, frame)
                for frame in range(length)
            ]
            annotations.append(
                {
                    "id": 10 * video_id + channel,
                    "video_id": video_id,
                    "category_id": CATEGORIES[channel % 2]["id"],
                    "iscrowd": 0,
                    "segmentations": [None if mask is None else encode(mask) for mask in masks],
                    "areas": [None if mask is None else int(mask.sum()) for mask in masks],
                }
            )
    return {"videos": videos, "categories": CATEGORIES, "annotations": annotations}


def write_frames(content: dict, image_root: Path) -> None:
    """The frames in which each object is painted into its channel, BGR."""
    tracks = {}
    for annotation in content["annotations"] or []:
        tracks.setdefault(annotation["video_id"], []).append(annotation)
    for video in content["videos"]:
        for frame, name in enumerate(video["file_names"]):
            image = np.zeros((video["height"], video["width"], 3), dtype=np.uint8)
            for annotation in tracks.get(video["id"], []):
                rle = annotation["segmentations"][frame]
                if rle is not None:
                    image[..., annotation["id"] % 10] = 255 * mask_util.decode(rle)
            path = image_root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[..., ::-1]).save(path)
