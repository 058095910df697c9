"""The split: by video, stratified, the same bytes every time."""

import copy
import json
import random

import numpy as np
import pytest

from rcf_vis.data import load_ytvis_json
from rcf_vis.data.split import choose_validation, split_content
from tests.scripts import load_script

from .clip_data import make_content


@pytest.fixture(scope="module")
def split():
    return load_script("datasets/split.py")


def random_classes(seed: int, videos: int = 300, classes: int = 40) -> dict[int, set[int]]:
    """Videos of 0 to 3 objects, whose categories are about as uneven as in YouTube-VIS."""
    generator = np.random.default_rng(seed)
    chances = 1 / np.arange(1, classes + 1)
    chances /= chances.sum()
    return {
        int(video): set(generator.choice(classes, generator.integers(0, 4), p=chances).tolist())
        for video in generator.permutation(5000)[:videos]
    }


def count(classes_of: dict, videos) -> dict:
    counts = {}
    for video in videos:
        for label in classes_of[video] or {"none"}:
            counts[label] = counts.get(label, 0) + 1
    return counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_each_category_with_two_videos_is_in_both_parts_and_near_its_share(seed, share):
    classes_of = random_classes(seed)
    chosen = choose_validation(classes_of, share, seed)
    total = count(classes_of, classes_of)
    val = count(classes_of, chosen)
    train = count(classes_of, set(classes_of) - chosen)
    assert len(chosen) == round(share * 300)
    for label, number in total.items():
        assert train[label] >= 1
        assert (label in val) == (number >= 2)
        assert abs(val.get(label, 0) - share * number) <= 5


def test_rare_categories_come_before_a_small_share():
    classes_of = {video: {video % 10} for video in range(40)}
    chosen = choose_validation(classes_of, 0.01, 0)
    assert sorted(video % 10 for video in chosen) == list(range(10))


def test_a_video_that_training_cannot_spare_stays_there():
    """1 and 2 alone show categories 7 and 8; 9 has another video, which goes in their place."""
    classes_of = {1: {7, 9}, 2: {8, 9}, 3: {9}, 4: {9}}
    for seed in range(20):
        assert choose_validation(classes_of, 0.5, seed) <= {3, 4}


def test_where_no_video_can_be_spared_one_goes_all_the_same():
    assert len(choose_validation({1: {1}, 2: {2}, 3: {3}}, 0.9, 0)) == 1


def test_neither_part_is_empty():
    for share in (0.001, 0.999):
        assert 1 <= len(choose_validation({video: {1} for video in range(5)}, share, 0)) <= 4


def test_the_seed_decides_and_the_order_does_not():
    classes_of = random_classes(0)
    chosen = choose_validation(classes_of, 0.1, 0)
    items = list(classes_of.items())
    for seed in range(3):
        random.Random(seed).shuffle(items)
        assert choose_validation(dict(items), 0.1, 0) == chosen
    assert choose_validation(classes_of, 0.1, 1) != chosen


def test_the_choice_is_the_same_on_each_machine_and_in_each_version():
    """A change of these numbers would change the splits that results were measured on."""
    classes_of = {video: {video % 3, video % 5} for video in range(100, 130)}
    assert sorted(choose_validation(classes_of, 0.2, 0)) == [101, 108, 109, 110, 111, 122]


def make_json(tmp_path, content=None, name="train.json"):
    content = make_content(lengths=(2,) * 10) if content is None else content
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_parts_have_all_there_was_ids_and_extra_keys_included():
    content = {**make_content(lengths=(2, 3, 4, 1)), "info": {"year": 2019}, "licenses": []}
    before = copy.deepcopy(content)
    train, val = split_content(content, 0.25, 0)
    assert content == before
    assert train["info"] == val["info"] == {"year": 2019} and train["licenses"] == []
    assert train["categories"] == val["categories"] == content["categories"]
    for key in ("videos", "annotations"):
        both = sorted(train[key] + val[key], key=lambda item: item["id"])
        assert both == content[key]
    for part in (train, val):
        ids = {video["id"] for video in part["videos"]}
        assert {annotation["video_id"] for annotation in part["annotations"]} == ids


def test_files_tables_and_bytes(split, tmp_path, capsys, write_dataset):
    content = make_content(lengths=(2,) * 10)
    write_dataset(content, folder="train")  # train/instances.json and train/JPEGImages
    path = make_json(tmp_path, content)
    assert split.main(["--json", str(path), "--val-share", "0.2"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["train", "8", "16", "16", "2"] in rows and ["val", "2", "4", "4", "2"] in rows
    files = [tmp_path / "sub" / f"instances_{part}_sub.json" for part in ("train", "val")]
    assert f"- [val_sub, {files[1]}, {tmp_path}/train/JPEGImages]" in out
    assert [len(load_ytvis_json(str(file), "frames")) for file in files] == [8, 2]

    first = [file.read_bytes() for file in files]
    for part in ("videos", "annotations", "categories"):
        random.Random(0).shuffle(content[part])
    shuffled = make_json(tmp_path, content, "shuffled.json")
    other = tmp_path / "other"
    arguments = ["--json", str(shuffled), "--val-share", "0.2", "--output-dir", str(other)]
    assert split.main(arguments) == 0
    assert [(other / file.name).read_bytes() for file in files] == first
    assert split.main([*arguments, "--seed", "1", "--force"]) == 0
    assert [(other / file.name).read_bytes() for file in files] != first
    assert len(list(other.iterdir())) == 2


def test_categories_in_one_part_are_named(split, tmp_path, capsys):
    content = make_content(lengths=(1,) * 3, objects=1)
    content["annotations"][1]["category_id"] = 7
    assert split.main(["--json", str(make_json(tmp_path, content)), "--val-share", "0.3"]) == 0
    assert "Only in train: box" in capsys.readouterr().out


def test_a_file_that_is_there_is_kept(split, tmp_path, capsys):
    path = make_json(tmp_path)
    there = tmp_path / "sub/instances_val_sub.json"
    there.parent.mkdir()
    there.write_text("mine")
    assert split.main(["--json", str(path)]) == 1
    assert f"{there} is there already; --force" in capsys.readouterr().err
    assert there.read_text() == "mine" and len(list(there.parent.iterdir())) == 1
    assert split.main(["--json", str(path), "--force"]) == 0
    assert len(json.loads(there.read_text())["videos"]) == 1


def test_the_json_itself_is_never_replaced(split, tmp_path, capsys):
    path = make_json(tmp_path, name="instances_train_sub.json")
    before = path.read_bytes()
    arguments = ["--json", str(path), "--output-dir", str(tmp_path), "--force"]
    assert split.main(arguments) == 1
    assert "--output-dir" in capsys.readouterr().err
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a complete json"),
        ({"images": [], "annotations": []}, "key 'categories' is missing"),
        ({**make_content(), "annotations": None}, "'annotations' is missing or null"),
        (make_content(lengths=(3,)), "1 video cannot be split"),
        ({**make_content(), "annotations": [{"id": 1}]}, "key 'video_id' is missing"),
    ],
)
def test_what_cannot_be_split_is_said(split, tmp_path, capsys, content, message):
    path = make_json(tmp_path, content)
    assert split.main(["--json", str(path)]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "nan", "tenth"])
def test_a_share_out_of_range_is_named(split, tmp_path, capsys, share):
    with pytest.raises(SystemExit) as exit_info:
        split.main(["--json", str(make_json(tmp_path)), f"--val-share={share}"])
    assert exit_info.value.code == 2
    assert "argument --val-share: " in capsys.readouterr().err


def test_a_json_that_is_not_there(split, tmp_path, capsys):
    assert split.main(["--json", str(tmp_path / "no.json")]) == 1
    assert "no.json: no such file" in capsys.readouterr().err
