"""Contact sheets: labelled grids of pictures, and results beside the input and the ground truth."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from torchvision.utils import make_grid

from rcf_vis.audio import SILENCE
from rcf_vis.data import FrameAudio, load_ytvis_json, read_frame
from rcf_vis.data.json_forms import YTVIS_JSON
from rcf_vis.data.json_rules import read_json
from rcf_vis.data.ytvis import read_categories

from .tracks import draw_ground_truth

__all__ = ["contact_sheet", "draw_results_sheet", "log_mel_pictures"]


def contact_sheet(
    rows: Mapping[str, Sequence[np.ndarray]],
    *,
    column_names: Sequence[str],
    cell_width: int = 320,
    margin: int = 28,
    gap: int = 4,
) -> np.ndarray:
    """Lay pictures out in a labelled grid: a row for each entry, a column for each frame.

    Args:
        rows: name → its ``(H, W, 3)`` uint8 BGR pictures, all of one size.
        column_names: a text for each column.
        cell_width: width of a cell in pixels; the height follows from the pictures.
        margin: pixels at the left (row names, upright) and at the top (column names).
        gap: pixels between cells, and at the right and the bottom.

    Returns:
        ``(margin + rows·(h + gap), margin + columns·(cell_width + gap), 3)`` uint8 BGR.
    """
    for name, pictures in rows.items():
        if len(pictures) != len(column_names):
            raise ValueError(f"row {name!r}: {len(pictures)} pictures, {len(column_names)} columns")
    shapes = {picture.shape for pictures in rows.values() for picture in pictures}
    if len(shapes) != 1:
        raise ValueError(f"all pictures must have the same size, got {sorted(shapes)}")
    height, width, _ = shapes.pop()
    cell_height = round(cell_width * height / width)
    cells = [
        cv2.resize(picture, (cell_width, cell_height), interpolation=cv2.INTER_AREA)
        for pictures in rows.values()
        for picture in pictures
    ]
    cells.append(np.full((cell_height, cell_width, 3), 255, np.uint8))  # one alone gets no gaps
    grid = make_grid(
        torch.from_numpy(np.stack(cells)).permute(0, 3, 1, 2),
        nrow=len(column_names),
        padding=gap,
        pad_value=255,
    )
    grid = grid.permute(1, 2, 0).numpy()[gap : gap + len(rows) * (cell_height + gap), gap:]
    top = [_text_strip(name, cell_width, margin) for name in column_names]
    left = [np.rot90(_text_strip(name, cell_height, margin)) for name in rows]
    sheet = np.pad(grid, ((margin, 0), (margin, 0), (0, 0)), constant_values=255)
    for x, strip in enumerate(top):
        sheet[:margin, margin + x * (cell_width + gap) :][:, :cell_width] = strip
    for y, strip in enumerate(left):
        sheet[margin + y * (cell_height + gap) :, :margin][:cell_height] = strip
    return sheet


def draw_results_sheet(
    json_file: str | os.PathLike,
    image_root: str | os.PathLike,
    results: list[dict[str, Any]],
    *,
    video_id: int | None = None,
    num_frames: int = 6,
    cell_width: int = 400,
    audio_root: str | os.PathLike | None = None,
) -> np.ndarray:
    """Draw frames × {input, audio, ground truth, prediction} of one video.

    Tracks are numbered, and coloured, in the order of their first appearance, so the same object
    has the same colour in both rows as long as both know the same objects.

    Args:
        json_file: annotations in the YouTube-VIS format; without any the middle row is left out.
        image_root: folder that the json's ``file_names`` are relative to.
        results: results in the YouTube-VIS format; those of other videos are ignored.
        video_id: of the json; the first video by default.
        num_frames: columns, evenly spread over the video.
        cell_width: width of a picture in pixels.
        audio_root: folder of the audio of the videos; None: there is no row of audio. It shows
            the log-mel patch that a model takes with the frame, low tones below.

    Returns:
        ``(H, W, 3)`` uint8 BGR.

    Raises:
        ValueError: the json has no such video, or a result has another number of frames.
    """
    records = {r["video_id"]: r for r in _load(json_file, image_root, audio_root)}
    video_id = next(iter(records)) if video_id is None else video_id
    if video_id not in records:
        raise ValueError(f"{json_file} has no video {video_id}; there are {sorted(records)}")
    record = records[video_id]
    names, contiguous_ids = _read_classes(json_file)
    results = [result for result in results if result["video_id"] == video_id]
    drawn = {"prediction": _by_frame(results, record["length"], contiguous_ids)}
    if "annotations" in record:
        drawn = {"ground truth": record["annotations"], **drawn}
    drawn = {row: _renumber(frames) for row, frames in drawn.items()}

    shown = np.linspace(0, record["length"] - 1, min(num_frames, record["length"]))
    shown = shown.round().astype(int).tolist()
    size = {key: record[key] for key in ("height", "width", "video_id")}
    rows: dict[str, list[np.ndarray]] = {row: [] for row in ("input", *drawn)}
    for t in shown:
        frame = read_frame(record["file_names"][t], image_format="BGR", **size)
        rows["input"].append(frame)
        for row, frames in drawn.items():
            rows[row].append(draw_ground_truth(frame, frames[t], names))
    if audio_root is not None:
        height_width = rows["input"][0].shape[:2]
        patches = FrameAudio().of_frames(record, shown)["audio"].numpy()
        pictures = {"audio": log_mel_pictures(patches, *height_width)}
        rows = {"input": rows.pop("input"), **pictures, **rows}
    return contact_sheet(rows, column_names=[f"frame {t}" for t in shown], cell_width=cell_width)


def log_mel_pictures(patches: np.ndarray, height: int, width: int) -> list[np.ndarray]:
    """Log-mel patches ``(n, η, 64)`` as pictures: time to the right, pitch upwards, loud = bright.

    Returns:
        n pictures ``(height, width, 3)`` uint8 BGR, whose brightest colour is the loudest value of
        all patches.
    """
    loudest = max(float(patches.max()), SILENCE + 1.0)
    levels = (255 * (patches - SILENCE) / (loudest - SILENCE)).clip(0, 255).astype(np.uint8)
    return [
        cv2.resize(cv2.applyColorMap(picture, cv2.COLORMAP_MAGMA), (width, height))
        for picture in np.ascontiguousarray(levels.transpose(0, 2, 1)[:, ::-1])
    ]


def _load(
    json_file: str | os.PathLike,
    image_root: str | os.PathLike,
    audio_root: str | os.PathLike | None,
) -> list[dict[str, Any]]:
    audio_root = None if audio_root is None else str(audio_root)
    return load_ytvis_json(str(json_file), str(image_root), audio_root=audio_root)


def _read_classes(json_file: str | os.PathLike) -> tuple[list[str], dict[int, int]]:
    """Class names by contiguous index, and data set id → contiguous index."""
    name = str(json_file)
    classes = read_categories(read_json(name, YTVIS_JSON), name)
    return classes["thing_classes"], classes["thing_dataset_id_to_contiguous_id"]


def _by_frame(
    results: list[dict[str, Any]], length: int, contiguous_ids: dict[int, int]
) -> list[list[dict[str, Any]]]:
    """Results of one video in the form of a data set record's annotations."""
    frames: list[list[dict]] = [[] for _ in range(length)]
    for index, result in enumerate(results):
        if len(result["segmentations"]) != length:
            raise ValueError(
                f"video {result['video_id']} has {length} frames, but a result has "
                f"{len(result['segmentations'])} segmentations"
            )
        category_id = contiguous_ids[result["category_id"]]
        for frame, rle in zip(frames, result["segmentations"], strict=True):
            if rle is not None:
                seen = {"id": index, "category_id": category_id, "score": result["score"]}
                frame.append({**seen, "segmentation": rle})
    return frames


def _renumber(frames: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Number the tracks 0, 1, 2, … in the order of their first appearance."""
    numbers: dict[int, int] = {}
    return [[{**a, "id": numbers.setdefault(a["id"], len(numbers))} for a in f] for f in frames]


def _text_strip(text: str, width: int, height: int) -> np.ndarray:
    strip = np.full((height, width, 3), 255, np.uint8)
    scale = 0.02 * height
    (text_width, text_height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    origin = (max(0, (width - text_width) // 2), (height + text_height) // 2)
    cv2.putText(strip, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
