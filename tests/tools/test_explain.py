"""tools/explain.py from the command line's words to the figures and numbers."""

import json

import cv2
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from tests.data.clip_data import make_content, write_frames
from tests.scripts import load_script

NAME = "explained_clips"


@pytest.fixture(scope="module")
def explain():
    return load_script("tools/explain.py")


@pytest.fixture
def config(tmp_path, patch_cfg):
    """A function that writes the config of a tiny random model whose slots all fire."""
    content = make_content(lengths=(5, 3), size=(64, 96))
    write_frames(content, tmp_path / "frames")
    (tmp_path / "clips.json").write_text(json.dumps(content))
    patch_cfg.DATASETS.REGISTER = [[NAME, str(tmp_path / "clips.json"), str(tmp_path / "frames")]]
    patch_cfg.DATASETS.TEST = (NAME,)
    patch_cfg.MODEL.RCF.NUM_CLASSES = 2
    patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0

    def write(name="tiny", **switches):
        cfg = patch_cfg.clone()
        for key, value in switches.items():
            setattr(cfg.MODEL.RCF, key, value)
        path = tmp_path / f"{name}.yaml"
        path.write_text(cfg.dump())
        return str(path)

    yield write
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def left(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_data_set(explain, config, tmp_path, capsys):
    out = tmp_path / "out"
    explain.main(
        ["--config-file", config(), "--dataset", NAME, "--output", str(out), "--num-frames", "2"]
    )
    drawn = ["1/attention_00001.png", "1/attention_00004.png", "1/weights.png"]
    assert left(out) == [*drawn, "explain.json", "slot_classes.png", "slot_order.png"]
    assert all(cv2.imread(str(out / name)) is not None for name in left(out) if "png" in name)
    numbers = json.loads((out / "explain.json").read_text())
    assert numbers["videos"] == ["1", "2"]
    assert numbers["models"]["token"]["reference_frames"] == 1
    order = numbers["slot_order"]
    assert order["objects_are"] == ["annotations"] and order["pairs"] == 4 + 2
    assert [(p["video"], p["frame"]) for p in order["all_pairs"]] == [
        *(("1", t) for t in (1, 2, 3, 4)), ("2", 1), ("2", 2)
    ]  # fmt: skip
    for pair in order["all_pairs"]:
        assert pair["ratio"] == pytest.approx(pair["output_change"] / pair["input_change"])
        assert pair["swaps"]["of_all"] == pair["swaps"]["two_fired"]  # all slots fire
    classes = numbers["slot_classes"]
    assert classes["classes"] == ["ball", "box"]
    assert classes["firings_of_slot"] == [8] * 5
    assert [len(numbers[k]) for k in ("weight_maps", "attention")] == [2, 2]
    for view in numbers["attention"]:
        assert view["tokens"] == {"target": 6, "reference": 4}
        shares = view["shares"]
        assert shares["target to target"] + shares["target to reference"] == pytest.approx(1)
    assert capsys.readouterr().out.startswith(f"Wrote {out / 'explain.json'}")


def test_two_models_on_a_folder_of_frames(explain, config, tmp_path):
    full = config("full", FUSION="full_encoder", NHEADS=2)
    out = tmp_path / "out"
    explain.main(
        ["--config-file", config(), "--compare-config-file", full]
        + ["--compare-opts", "MODEL.RCF.NUM_REFERENCE_FRAMES", "2"]
        + [
            "--input",
            str(tmp_path / "frames" / "video1"),
            "--output",
            str(out),
            "--num-frames",
            "1",
        ]
    )
    numbers = json.loads((out / "explain.json").read_text())
    assert numbers["slot_order"]["objects_are"] == ["masks of the frame before"]
    views = {view["model"]: view for view in numbers["attention"]}
    assert views["token"]["tokens"] == {"target": 6, "reference": 4}
    assert views["full_encoder"]["tokens"] == {"target": 6, "reference": 12}
    sheet = cv2.imread(str(out / "video1" / "attention_00001.png"))
    height = round(360 * 64 / 96)
    assert sheet.shape[:2] == (20 + 6 * (height + 4), 20 + 6 * 364)
    second_row = sheet[20 + height + 4 : 20 + 2 * height]
    assert (second_row[:, -364 * 2 :] == 255).all()  # two heads only
    assert not (second_row[:, : -364 * 2] == 255).all()


def test_without_references_there_is_no_weight_map(explain, config, tmp_path):
    out = tmp_path / "out"
    file = config(NUM_REFERENCE_FRAMES=0)
    explain.main(
        ["--config-file", file, "--dataset", NAME, "--video", "2", "--output", str(out)]
        + ["--opts", "MODEL.RCF.TEST.SCORE_THRESH", "1.0"]
    )
    drawn = ["2/attention_00001.png", "2/attention_00002.png"]
    assert left(out) == [*drawn, "explain.json", "slot_classes.png", "slot_order.png"]
    numbers = json.loads((out / "explain.json").read_text())
    assert numbers["weight_maps"] == []
    assert all(view["shares"] == {"target to target": 1.0} for view in numbers["attention"])
    assert numbers["slot_order"]["held"] is None  # nothing fires, so nothing is followed
    assert numbers["slot_classes"]["slots_in_use"] == 0


def test_what_does_not_fit_is_refused(explain, config, tmp_path, capsys):
    words = ["--config-file", config(), "--output", str(tmp_path / "out")]
    with pytest.raises(ValueError, match=rf"'{NAME}' has no video \[7\]; there are \[1, 2\]"):
        explain.main([*words, "--dataset", NAME, "--video", "1", "7"])
    for wrong, message in (
        ([*words, "--input", "x.mp4", "--video", "1"], "--video goes with --dataset"),
        ([*words, "--dataset", NAME, "--compare-config-file", "none.yaml"], "no such config file"),
        (words, "one of the arguments --input --dataset is required"),
    ):
        with pytest.raises(SystemExit):
            explain.main(wrong)
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
