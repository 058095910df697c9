"""The class lists of the public data sets."""

from rcf_vis.data.categories import (
    OVIS_CATEGORIES,
    YTVIS_2019_CATEGORIES,
    YTVIS_2021_CATEGORIES,
    class_metadata,
)


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
