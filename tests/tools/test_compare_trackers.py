"""tools/compare_trackers.py from the command line's words to the table and the json."""

import json

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from tests.data.clip_data import make_content, write_frames
from tests.scripts import load_script

pytest.importorskip("trackers")

NAME = "tracked_clips"
TRACKERS = {"SORT", "ByteTrack", "OC-SORT", "BoT-SORT", "IoU", "RCF, slots", "RCF, slots and IoU"}


@pytest.fixture(scope="module")
def script():
    return load_script("tools/compare_trackers.py")


@pytest.fixture
def config(tmp_path, patch_cfg):
    """That of a tiny random model whose slots all fire; a function changes its content."""

    def write(change=lambda content: None):
        content = make_content(lengths=(5, 3), size=(64, 96))
        write_frames(content, tmp_path / "frames")
        change(content)
        (tmp_path / "clips.json").write_text(json.dumps(content))
        entry = [NAME, str(tmp_path / "clips.json"), str(tmp_path / "frames")]
        patch_cfg.DATASETS.REGISTER = [entry]
        patch_cfg.DATASETS.TEST = (NAME,)
        patch_cfg.MODEL.RCF.NUM_CLASSES = 2
        patch_cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.0
        (tmp_path / "tiny.yaml").write_text(patch_cfg.dump())
        return str(tmp_path / "tiny.yaml")

    yield write
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def _add_event(content):
    event = {"kind": "return", "frames": [2, 2], "tracks": [content["annotations"][0]["id"]]}
    content["videos"][0]["events"] = [event]


def test_table_and_json(script, config, tmp_path, capsys):
    out = tmp_path / "out.json"
    script.main(["--config-file", config(_add_event), "--json", str(out)])
    header, _, *lines = capsys.readouterr().out.splitlines()[:9]
    assert header.count("|") == 1 + 1 + 6 + 5 and "occlusion 10-29" in header
    assert {line.split("|")[1].strip() for line in lines} == TRACKERS
    content = json.loads(out.read_text())
    assert content["dataset"] == NAME and content["tuned_on"] is None
    assert {row["tracker"] for row in content["rows"]} == TRACKERS
    (figures,) = content["rows"][-1]["figures"]
    assert set(figures) >= {"AP", "HOTA", "AssA", "IDF1", "IDSW", "events"}
    assert figures["events"]["return"]["events"] == 1
    hotas = [float(line.split("|")[3]) for line in lines]
    assert hotas == sorted(hotas)


def test_tuned_with_two_weights(script, config, tmp_path, capsys):
    arguments = ["--config-file", config(), "--weights", "", "", "--num-videos", "1"]
    script.main([*arguments, "--tune", NAME, "--num-tune-videos", "1"])
    out = capsys.readouterr().out
    assert out.count("±") == 7 * 6
    _, settings = out.split(f"Settings, tuned on {NAME}:\n")
    assert "- ByteTrack: lost_track_buffer " in settings and len(settings.splitlines()) == 7


def test_errors_are_one_message(script, config):
    path = config(lambda content: content.pop("annotations"))
    with pytest.raises(SystemExit, match=f"error: data set '{NAME}' has no annotations"):
        script.main(["--config-file", path])
    with pytest.raises(SystemExit, match="error: .*nowhere"):
        script.main(["--config-file", path, "--dataset", "nowhere"])


def test_bad_option_is_named(script, capsys):
    with pytest.raises(SystemExit):
        script.main(["--config-file", "x.yaml", "--num-videos", "0"])
    assert "argument --num-videos: 0, expected at least 1" in capsys.readouterr().err
