"""The class lists of the public video instance segmentation data sets.

The truth about a data set is the ``categories`` of its own json, by id. These lists are its
metadata before a json is there (a demo needs names, not data), and loading a json that says
otherwise is an error: the same id is not the same class in YouTube-VIS 2019 and 2021.
"""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.data.datasets.builtin_meta import COCO_CATEGORIES

__all__ = [
    "COCO_NAMES",
    "OVIS_CATEGORIES",
    "YTVIS_2019_CATEGORIES",
    "YTVIS_2021_CATEGORIES",
    "class_metadata",
    "coco_to_ytvis",
]


def _numbered(names: Sequence[str]) -> list[dict]:
    """``[{"id": 1, "name": names[0]}, …]``, the form of a json's ``categories``."""
    return [{"id": i, "name": name} for i, name in enumerate(names, start=1)]


_YTVIS_2019_NAMES = """
    person giant_panda lizard parrot skateboard sedan ape dog snake monkey
    hand rabbit duck cat cow fish train horse turtle bear
    motorbike giraffe leopard fox deer owl surfboard airplane truck zebra
    tiger elephant snowboard boat shark mouse frog eagle earless_seal tennis_racket
""".split()

_DROPPED_IN_2021 = {"sedan", "ape", "hand", "owl", "eagle"}
_ADDED_IN_2021 = {"bird", "car", "flying_disc", "squirrel", "whale"}

YTVIS_2019_CATEGORIES = _numbered(_YTVIS_2019_NAMES)
"""YouTube-VIS 2019: 40 classes, in no alphabetical order."""

YTVIS_2021_CATEGORIES = _numbered(
    sorted((set(_YTVIS_2019_NAMES) - _DROPPED_IN_2021) | _ADDED_IN_2021)
)
"""YouTube-VIS 2021 and 2022: 40 classes, alphabetical; 35 of them are those of 2019."""

OVIS_CATEGORIES = _numbered(
    """
    Person Bird Cat Dog Horse Sheep Cow Elephant Bear Zebra Giraffe Poultry Giant_panda
    Lizard Parrot Monkey Rabbit Tiger Fish Turtle Bicycle Motorcycle Airplane Boat Vehical
    """.split()
)
"""OVIS: 25 classes; ``Vehical`` is the official spelling."""


COCO_NAMES = {item["id"]: item["name"] for item in COCO_CATEGORIES if item["isthing"]}
"""COCO: id → name of its 80 classes; ids are not consecutive."""

_COCO_SAME_NAME = """
    person airplane train truck boat cat dog horse cow elephant bear zebra giraffe
    skateboard surfboard snowboard
""".split()

_COCO_RENAMED = {"tennis racket": "tennis_racket", "motorcycle": "motorbike"}

_COCO_OF_YEAR = {
    2019: {"car": "sedan"},
    2021: {"car": "car", "bird": "bird", "frisbee": "flying_disc"},
}

_COCO_LOOSE = {"bicycle": "motorbike", "skis": "snowboard"}


def coco_to_ytvis(year: int, *, loose: bool) -> dict[str, str]:
    """The classes that COCO shares with YouTube-VIS: COCO's name → the name there.

    Names alone do not decide: COCO's ``mouse`` is a computer's and has no place here.

    Args:
        year: 2019 or 2021.
        loose: also the two classes that are alike rather than the same, bicycle → motorbike and
            skis → snowboard.

    Returns:
        2019: 21 names of COCO for 19 classes, without the loose ones 19 for 19.
        2021: 23 for 21, without 21 for 21.
    """
    same = {name: name for name in _COCO_SAME_NAME}
    return same | _COCO_RENAMED | _COCO_OF_YEAR[year] | (_COCO_LOOSE if loose else {})


def class_metadata(categories: Sequence[dict]) -> dict:
    """The class part of a data set's metadata.

    Args:
        categories: dicts with ``id`` (int) and ``name`` (str), as in a json.

    Returns:
        ``thing_classes``, names in the order of their ids, and
        ``thing_dataset_id_to_contiguous_id``, id → index into ``thing_classes``.
    """
    ordered = sorted(categories, key=lambda category: category["id"])
    return {
        "thing_classes": [category["name"] for category in ordered],
        "thing_dataset_id_to_contiguous_id": {
            category["id"]: index for index, category in enumerate(ordered)
        },
    }
