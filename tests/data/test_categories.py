"""The class lists of the public data sets."""

import pytest

from rcf_vis.data.categories import (
    COCO_NAMES,
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    class_metadata,
    coco_to_ytvis,
)

from .coco_data import COCO_IDS


def names(categories: list[dict]) -> list[str]:
    assert [category["id"] for category in categories] == list(range(1, len(categories) + 1))
    return [category["name"] for category in categories]


def test_numbers_and_ids_of_the_classes():
    classes_2019, classes_2021 = names(YTVIS_2019_CATEGORIES), names(YTVIS_2021_CATEGORIES)
    assert len(classes_2019) == len(set(classes_2019)) == 40
    assert len(classes_2021) == len(set(classes_2021)) == 40
    assert len(set(classes_2019) & set(classes_2021)) == 35
    assert classes_2019[5] == "sedan" and classes_2019[39] == "tennis_racket"
    assert classes_2021 == sorted(classes_2021)
    assert (classes_2021[0], classes_2021[4], classes_2021[39]) == ("airplane", "car", "zebra")
    ovis = names(OVIS_CATEGORIES)
    assert len(ovis) == len(set(ovis)) == 25
    assert (ovis[0], ovis[11], ovis[24]) == ("Person", "Poultry", "Vehical")


def test_class_metadata_goes_by_id_not_by_position():
    metadata = class_metadata([{"id": 9, "name": "b"}, {"id": 4, "name": "a"}])
    assert metadata["thing_classes"] == ["a", "b"]
    assert metadata["thing_dataset_id_to_contiguous_id"] == {4: 0, 9: 1}


@pytest.mark.parametrize(
    ("year", "loose", "sources", "targets"),
    [(2019, True, 21, 19), (2019, False, 19, 19), (2021, True, 23, 21), (2021, False, 21, 21)],
)
def test_classes_that_coco_shares(year, loose, sources, targets):
    mapped = coco_to_ytvis(year, loose=loose)
    assert (len(mapped), len(set(mapped.values()))) == (sources, targets)
    coco_ids = {name: number for number, name in COCO_NAMES.items()}
    categories = {2019: YTVIS_2019_CATEGORIES, 2021: YTVIS_2021_CATEGORIES}[year]
    ids = {category["name"]: category["id"] for category in categories}
    expected = {k: v for k, v in COCO_IDS[year].items() if loose or k not in (2, 35)}
    assert {coco_ids[one]: ids[other] for one, other in mapped.items()} == expected


def test_a_mouse_is_no_mouse():
    assert COCO_NAMES[74] == "mouse" and "mouse" in names(YTVIS_2021_CATEGORIES)
    for year in (2019, 2021):
        mapped = coco_to_ytvis(year, loose=True)
        assert "mouse" not in mapped and "mouse" not in mapped.values()
