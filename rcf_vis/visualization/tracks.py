"""Pictures of tracks: predictions and ground truth.

Frames go in and come out as ``(H, W, 3)`` uint8 arrays in BGR order.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import matplotlib.colors
import numpy as np
import torch
from detectron2.structures import Instances
from detectron2.utils.visualizer import Visualizer
from pycocotools import mask as mask_util

from rcf_vis.files import whole_file
from rcf_vis.tracking import BoxMasks, box_masks_of

from .fonts import drawable_names, fonts_for

__all__ = [
    "TrackVisualizer",
    "draw_ground_truth",
    "draw_masks",
    "save_image",
    "track_color",
]

# The 20 most different colours of an HSV grid, each the farthest in CIE Lab from those before it.
PALETTE = (
    *("#ff2b00", "#00ff00", "#4060ff", "#6cd9d9", "#ffd400", "#ff00aa", "#a66153", "#29a63e"),
    *("#536fa6", "#d400ff", "#d90048", "#a6a653", "#c76cd9", "#bfff40", "#40ffbf", "#ff9f40"),
    *("#ff80aa", "#40bfff", "#00ff80", "#ffff80"),
)


def track_color(track_id: int) -> tuple[float, float, float]:
    """RGB in [0, 1] for an identity: the same in every frame, video and run.

    The first 20 ids have the colours of :data:`PALETTE`, the next 20 darker ones, and so on.
    """
    turn, index = divmod(track_id, len(PALETTE))
    red, green, blue = matplotlib.colors.to_rgb(PALETTE[index])
    shade = 0.4 + 0.6 * 0.75**turn
    return (red * shade, green * shade, blue * shade)


def draw_masks(
    frame: np.ndarray,
    masks: BoxMasks | Sequence[np.ndarray],
    track_ids: Sequence[int],
    labels: Sequence[str],
    *,
    alpha: float = 0.45,
) -> np.ndarray:
    """Draw masks, their contours and labels in the colours of their identities.

    Args:
        frame: ``(H, W, 3)`` uint8 BGR; it is not changed.
        masks: N of the frame's size, or N arrays ``(H, W)``, bool or uint8; an empty one is not
            drawn.
        track_ids: N identities, which give the colours.
        labels: N texts.
        alpha: opacity of the masks, in [0, 1].

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    if not isinstance(masks, BoxMasks):
        dense = np.array(masks, dtype=bool).reshape(-1, *frame.shape[:2])
        masks = BoxMasks.from_dense(dense)
    crops = [crop.astype(np.uint8) for crop in masks.crops]
    colors = [track_color(track_id) for track_id in track_ids]
    areas = masks.areas()
    seen = sorted(np.flatnonzero(areas), key=lambda index: -areas[index])  # the smallest on top
    picture = frame[:, :, ::-1].copy()
    for index in seen:
        x0, y0, x1, y1 = masks.boxes[index]
        inside, pixels = picture[y0:y1, x0:x1], crops[index] > 0
        shade = alpha * 255 * np.array(colors[index])
        inside[pixels] = np.rint((1 - alpha) * inside[pixels] + shade)
    visualizer = Visualizer(picture)
    for index in seen:
        corner = masks.boxes[index][:2]
        _draw_contour(visualizer, crops[index], corner, colors[index])
        _draw_label(visualizer, crops[index], corner, labels[index], colors[index])
    with fonts_for(labels):
        return np.ascontiguousarray(visualizer.get_output().get_image()[:, :, ::-1])


class TrackVisualizer:
    """Draw the predictions of a video, frame after frame.

    An identity keeps its colour and number. Its class is the best of the mean of its class
    distributions so far, so a label does not flicker; the score is this frame's.

    Args:
        class_names: of the model's classes; those that no font has are drawn as numbers.
        alpha: opacity of the masks, in [0, 1].
        min_score: predictions below it are not drawn.

    Example::

        visualizer = TrackVisualizer(MetadataCatalog.get("ytvis_2019_val").thing_classes)
        for frame in open_frames("street.mp4"):
            picture = visualizer.draw(frame, predictor(frame))
    """

    def __init__(self, class_names: Sequence[str], *, alpha: float = 0.45, min_score: float = 0.0):
        self.class_names = drawable_names(class_names)
        self.alpha = alpha
        self.min_score = min_score
        self.reset()

    def reset(self) -> None:
        """Start a new video."""
        self._class_sums: dict[int, torch.Tensor] = {}

    def draw(self, frame: np.ndarray, instances: Instances) -> np.ndarray:
        """Draw the predictions of the next frame.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR.
            instances: N predictions at the frame's size, with ``pred_masks`` (N, H, W) bool,
                ``track_ids`` and ``scores`` (N,), ``class_probs`` (N, classes).

        Raises:
            ValueError: the instances are of another size than the frame, or of another number of
                classes than there are names.
        """
        if tuple(instances.image_size) != frame.shape[:2]:
            raise ValueError(
                f"instances of size {tuple(instances.image_size)} for a frame of {frame.shape[:2]}"
            )
        instances = instances.to("cpu")
        track_ids = instances.track_ids.tolist()
        labels = []
        for track_id, score, probs in zip(
            track_ids, instances.scores.tolist(), instances.class_probs, strict=True
        ):
            name = self._class_name(track_id, probs)
            labels.append(_label(track_id, name, score))
        drawn = [k for k, score in enumerate(instances.scores.tolist()) if score >= self.min_score]
        return draw_masks(
            frame,
            box_masks_of(instances)[np.array(drawn, dtype=int)],
            [track_ids[k] for k in drawn],
            [labels[k] for k in drawn],
            alpha=self.alpha,
        )

    def _class_name(self, track_id: int, probs: torch.Tensor) -> str:
        if len(probs) != len(self.class_names):
            raise ValueError(f"{len(probs)} classes predicted, {len(self.class_names)} named")
        total = self._class_sums.get(track_id, 0) + probs.double()
        self._class_sums[track_id] = total
        return self.class_names[int(total.argmax())]


def draw_ground_truth(
    frame: np.ndarray,
    annotations: Iterable[Mapping],
    class_names: Sequence[str],
    *,
    alpha: float = 0.45,
) -> np.ndarray:
    """Draw one frame's annotations of a data set record.

    Args:
        frame: ``(H, W, 3)`` uint8 BGR.
        annotations: dicts with ``id`` (track), ``category_id`` (contiguous), ``segmentation``
            (RLE of the frame's size) and, where it is to be shown, ``score``.
        class_names: names by contiguous category.

    Returns:
        ``(H, W, 3)`` uint8 BGR.
    """
    annotations = list(annotations)
    masks = [mask_util.decode(annotation["segmentation"]) for annotation in annotations]
    ids = [annotation["id"] for annotation in annotations]
    names = drawable_names(class_names)
    labels = [_label(a["id"], names[a["category_id"]], a.get("score")) for a in annotations]
    return draw_masks(frame, masks, ids, labels, alpha=alpha)


def save_image(picture: np.ndarray, path: str | os.PathLike) -> None:
    """Write a picture, ``(H, W, 3)`` uint8 BGR, as png or jpg by the suffix, atomically.

    Raises:
        ValueError: the suffix is of no kind of image.
    """
    path = Path(path)
    try:
        _, encoded = cv2.imencode(path.suffix, picture)
    except cv2.error:
        raise ValueError(f"cannot write {path}: expected .png or .jpg") from None
    with whole_file(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _label(track_id: int, name: str, score: float | None) -> str:
    return f"{track_id} {name}" + ("" if score is None else f" {score:.0%}")


def _draw_contour(
    visualizer: Visualizer, crop: np.ndarray, corner: tuple[int, int], color: tuple
) -> None:
    contours, _ = cv2.findContours(crop, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=corner)
    for contour in contours:
        x, y = np.concatenate([contour, contour[:1]])[:, 0].T + 0.5  # the centres of the pixels
        visualizer.draw_line(x, y, color=color, linewidth=1.5)


def _draw_label(
    visualizer: Visualizer, crop: np.ndarray, corner: tuple[int, int], label: str, color: tuple
) -> None:
    """Put the label on the largest part of the mask, inside the picture."""
    width, height = visualizer.output.width, visualizer.output.height
    points = max(10.0, (height * width) ** 0.5 // 90)
    pixels = points * visualizer.output.dpi / 72
    _, _, stats, centers = cv2.connectedComponentsWithStats(crop)
    x, y = centers[1 + stats[1:, cv2.CC_STAT_AREA].argmax()] + corner
    reach = 0.31 * pixels * len(label)  # about half of the text's width
    x = min(max(x, reach), max(width - reach, reach))
    y = min(y, max(0, height - 1.5 * pixels))
    pale = tuple(0.5 + 0.5 * channel for channel in color)  # legible on the dark ground of the text
    visualizer.draw_text(label, (x, y), color=pale, font_size=points)
