"""Which form a json has, and COCO's brought to that of YouTube-VIS, which all readers know.

=============  =========================================  ==========================================
form           told by                                    becomes
=============  =========================================  ==========================================
YouTube-VIS    ``videos``, ``segmentations``              –
COCO           ``images``, no ``videos``                  each image a video of one frame
CocoVID        ``images`` with a ``video_id``             the images of a video its frames, and the
                                                          masks of an ``instance_id`` a track
=============  =========================================  ==========================================
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import compress
from typing import Any

from rcf_vis.errors import DatasetError, shown

from .json_rules import (
    OnFault,
    check_keys,
    check_size,
    id_of,
    note,
    raise_fault,
    read_crowd,
    read_json,
    with_fault,
)
from .masks import to_compressed_rle

__all__ = ["YTVIS_JSON", "read_video_json", "set_aside", "to_ytvis"]

YTVIS_JSON = (
    "a YouTube-VIS json with the keys 'videos', 'categories' and 'annotations', or one of COCO's "
    "form with 'images' in place of 'videos'"
)
_IMAGE_KEYS = {"id": int, "width": int, "height": int, "file_name": str}
_ANNOTATION_KEYS = {"id": int, "image_id": int, "category_id": int}
_TRACK_KEYS = ("instance_id", "track_id")  # mmtracking's word, TAO's
_ORDER_KEYS = ("frame_id", "frame_index")

_Image = dict[str, Any]


def read_video_json(
    json_file: str, on_fault: OnFault = raise_fault, ignore_classes: Collection[str] = ()
) -> Mapping[str, Any]:
    """The content of a json of any of the forms above, in that of YouTube-VIS.

    Args:
        ignore_classes: see :func:`set_aside`.

    Raises:
        FileNotFoundError: there is no such json.
        DatasetError: it cannot be read; see also :func:`to_ytvis`.
    """
    content = to_ytvis(read_json(json_file, YTVIS_JSON), json_file, on_fault)
    return set_aside(content, ignore_classes)


def set_aside(content: Mapping[str, Any], ignore_classes: Collection[str]) -> Mapping[str, Any]:
    """Take categories out of a content: their annotations come to stand under ``ignored``.

    Args:
        content: of YouTube-VIS's form.
        ignore_classes: the names of the categories; a name that is not there is passed over.
    """
    categories, annotations = content.get("categories"), content.get("annotations")
    if not ignore_classes or not isinstance(categories, list):
        return content
    out = [c for c in categories if isinstance(c, dict) and c.get("name") in ignore_classes]
    rest = {**content, "categories": [c for c in categories if c not in out], "ignored": []}
    if isinstance(annotations, list):
        ids = [category.get("id") for category in out]
        is_out = [isinstance(a, dict) and a.get("category_id") in ids for a in annotations]
        rest["ignored"] = list(compress(annotations, is_out))
        rest["annotations"] = [a for a, out in zip(annotations, is_out, strict=True) if not out]
    return rest


def to_ytvis(
    content: Mapping[str, Any], json_file: str, on_fault: OnFault = raise_fault
) -> Mapping[str, Any]:
    """Content of COCO's or CocoVID's form in that of YouTube-VIS; of that form, as it is.

    A video that is made of an image has ``still_image`` (True) and the image's id. Polygons become
    run-length masks, and run-length masks stay as they are. Objects without a mask, or whose
    polygons have no three points, are left out and counted. Tracks keep their ids where these are
    unique and not 0.

    Args:
        content: of a json.
        json_file: its path, for messages.
        on_fault: is called with each fault; what is at fault is left out where it returns.

    Raises:
        DatasetError: a key is missing, ids are there twice or lead nowhere, the frames of a video
            differ in size, a track has two classes or two masks in a frame, or no object has a
            mask (a json of boxes).
    """
    images = content.get("images")
    if not isinstance(images, list):
        return content
    of_videos = "videos" in content
    if of_videos and not any(isinstance(image, dict) and "video_id" in image for image in images):
        return content
    reader = _Reader(content, json_file, on_fault, of_videos=of_videos)
    translated = {key: value for key, value in content.items() if key != "images"}
    translated["videos"] = reader.videos
    if content.get("annotations") is not None:
        translated["annotations"] = reader.read_tracks(content["annotations"])
    return translated


class _Reader:
    """The images of a json as videos, then its annotations as tracks."""

    def __init__(
        self, content: Mapping[str, Any], json_file: str, on_fault: OnFault, *, of_videos: bool
    ) -> None:
        self.json_file = json_file
        self.on_fault = on_fault
        self.of_videos = of_videos
        self.images: dict[int, _Image] = {}
        for position, image in enumerate(content["images"]):
            with_fault(on_fault, self._add_image, position, image)
        self.place: dict[int, tuple[dict, int]] = {}  # image → its video, and which frame it is
        self.videos = self._videos(content["videos"]) if of_videos else self._stills()

    def _add_image(self, position: int, image: Any) -> None:
        where = f"{self.json_file}: images[{position}]{id_of(image)}"
        check_keys(image, {}, where)
        order = {key: int for key in _ORDER_KEYS if key in image} if self.of_videos else {}
        check_keys(
            image, _IMAGE_KEYS | ({"video_id": int} if self.of_videos else {}) | order, where
        )
        check_size(image, where)
        if image["id"] in self.images:
            raise DatasetError(f"{where}: this id is there twice; expected ids to be unique", "ids")
        self.images[image["id"]] = image

    def _stills(self) -> list[dict[str, Any]]:
        made = []
        for image in self.images.values():
            flags = {key: image[key] for key in ("exhaustive",) if key in image}
            made.append(self._video([image], image["id"], {"still_image": True, **flags}))
        return made

    def _videos(self, videos: Any) -> list[dict[str, Any]]:
        frames: dict[int, list[_Image]] = defaultdict(list)
        for image in self.images.values():
            frames[image["video_id"]].append(image)
        made = []
        if not isinstance(videos, list):
            self.on_fault(DatasetError(f"{self.json_file}: 'videos' is no list", "keys"))
            return made
        for position, video in enumerate(videos):
            where = f"{self.json_file}: videos[{position}]{id_of(video)}"
            try:
                check_keys(video, {"id": int}, where)
            except DatasetError as fault:
                self.on_fault(fault)
                continue
            own = frames.pop(video["id"], [])
            if not own:
                self.on_fault(DatasetError(f"{where}: no image has this video_id", "lengths"))
                continue
            own.sort(key=_place_in_time)
            sizes = {(image["width"], image["height"]) for image in own}
            if len(sizes) > 1:
                message = f"{where}: frames of different sizes {sorted(sizes)}, expected one size"
                self.on_fault(DatasetError(message, "videos"))
                continue
            made.append(self._video(own, video["id"], video))
        if frames:
            number = next(iter(frames))
            message = f"{self.json_file}: images of video {number}, which is not in 'videos'"
            self.on_fault(DatasetError(message, "ids"))
        return made

    def _video(self, images: list[_Image], number: int, more: dict[str, Any]) -> dict[str, Any]:
        size = {key: images[0][key] for key in ("width", "height")}
        names = [image["file_name"] for image in images]
        video = {**more, "id": number, **size, "length": len(names), "file_names": names}
        for frame, image in enumerate(images):
            self.place[image["id"]] = (video, frame)
        return video

    def read_tracks(self, annotations: Any) -> Any:
        """Tracks in the order of their first annotation; what is no list is left to the reader."""
        if not isinstance(annotations, list):
            return annotations
        counts: Counter[str] = Counter()
        tracks: dict[Any, dict[str, Any]] = {}
        seen: set[int] = set()
        for position, annotation in enumerate(annotations):
            with_fault(self.on_fault, self._add_mask, position, annotation, tracks, seen, counts)
        self._report(counts)
        made = list(tracks.values())
        numbers = [track["id"] for track in made]
        # Instances may be numbered in each video anew; and the evaluator never finds a track 0.
        if len(set(numbers)) < len(numbers) or 0 in numbers:
            for number, track in enumerate(made, 1):
                track["id"] = number
        return made

    def _add_mask(
        self,
        position: int,
        annotation: Any,
        tracks: dict[Any, dict[str, Any]],
        seen: set[int],
        counts: Counter[str],
    ) -> None:
        where = f"{self.json_file}: annotations[{position}]{id_of(annotation)}"
        check_keys(annotation, _ANNOTATION_KEYS, where)
        if annotation["id"] in seen:
            raise DatasetError(f"{where}: this id is there twice; expected ids to be unique", "ids")
        seen.add(annotation["id"])
        if annotation["image_id"] not in self.images:
            raise DatasetError(f"{where}: 'images' has no image {annotation['image_id']}", "ids")
        if annotation["image_id"] not in self.place:
            return  # of a video that is at fault
        video, frame = self.place[annotation["image_id"]]
        mask = _mask_of(annotation, video, where)
        if mask is None:
            counts["objects without a mask"] += 1
            return
        crowd = read_crowd(annotation, where)
        counts["objects"] += 1
        key, number = self._track_of(annotation, video, where, crowd)
        track = tracks.setdefault(
            key,
            {
                "id": number,
                "video_id": video["id"],
                "category_id": annotation["category_id"],
                "iscrowd": int(crowd),
                "segmentations": [None] * video["length"],
            },
        )
        if track["category_id"] != annotation["category_id"]:
            raise DatasetError(
                f"{where}: category_id {annotation['category_id']} of a track of category "
                f"{track['category_id']}; expected one for all its frames",
                "category ids",
            )
        if track["segmentations"][frame] is not None:
            raise DatasetError(f"{where}: a second mask of track {number} in this image", "ids")
        track["segmentations"][frame] = mask

    def _track_of(self, annotation: dict, video: dict, where: str, crowd: bool) -> tuple[Any, int]:
        """What its masks have in common, and its number."""
        if not self.of_videos or crowd:
            return annotation["id"], annotation["id"]
        key = next((key for key in _TRACK_KEYS if key in annotation), _TRACK_KEYS[0])
        check_keys(annotation, {key: int}, where)
        return (video["id"], annotation[key]), annotation[key]

    def _report(self, counts: Counter[str]) -> None:
        if counts["objects without a mask"] and not counts["objects"]:
            message = (
                f"{self.json_file}: none of {counts['objects without a mask']} annotations has a "
                "'segmentation'; boxes alone teach no masks, expected polygons or RLE"
            )
            self.on_fault(DatasetError(message, "masks"))
        if counts["objects without a mask"]:
            text = f"left out {counts['objects without a mask']} objects without a mask"
            note(self.on_fault, self.json_file, text)


def _place_in_time(image: _Image) -> list[int]:
    return [image.get(key, 0) for key in _ORDER_KEYS]


def _mask_of(annotation: dict[str, Any], video: dict[str, Any], where: str) -> dict | None:
    """Compressed RLE; None where there is no mask."""
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, list):
        if not all(isinstance(part, list) for part in segmentation):
            raise DatasetError(
                f"{where}: 'segmentation' is {shown(segmentation)}, expected polygons or RLE",
                "masks",
            )
        segmentation = [part for part in segmentation if len(part) >= 6]
    if not segmentation:
        return None
    try:
        return to_compressed_rle(segmentation, video["height"], video["width"])
    except (ArithmeticError, TypeError, ValueError) as error:
        raise DatasetError(f"{where}: {error}", "masks") from error
