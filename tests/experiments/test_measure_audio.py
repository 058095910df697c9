"""experiments/measure_audio.py: what is put in place of the own audio of a video; the table."""

import math

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.config import read_config
from tests.scripts import ROOT, load_script


@pytest.fixture(scope="module")
def tool():
    return load_script("experiments/measure_audio.py")


@pytest.fixture
def dataset():
    records = [{"video_id": k, "audio_file": f"{k}.wav"} for k in range(5)]
    DatasetCatalog.register("for_measure_audio", lambda: records)
    MetadataCatalog.get("for_measure_audio").set(json_file="a.json", thing_classes=["disc_hum"])
    yield "for_measure_audio"
    for name in [n for n in DatasetCatalog.list() if n.startswith("for_measure_audio")]:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_sounds_are_taken_away_and_exchanged(tool, dataset):
    silent = DatasetCatalog.get(tool.register_variant(dataset, "silent", tool.silenced))
    assert [(r["video_id"], r["audio_file"]) for r in silent] == [(k, None) for k in range(5)]
    wrong = tool.register_variant(dataset, "wrong", tool.exchanged)
    records = DatasetCatalog.get(wrong)
    assert [r["audio_file"] for r in records] == [f"{k}.wav" for k in (2, 3, 4, 0, 1)]
    assert all(r["audio_file"] != f"{r['video_id']}.wav" for r in records)
    assert MetadataCatalog.get(wrong).json_file == "a.json"
    assert MetadataCatalog.get(wrong).thing_classes == ["disc_hum"]
    assert DatasetCatalog.get(dataset)[0]["audio_file"] == "0.wav"
    with pytest.raises(ValueError, match="at least 2 videos"):
        tool.exchanged(records[:1])


def test_table_has_look_alikes_and_others_apart(tool):
    metrics = {
        "AP": 30.0, "AP50": 60.0, "AP-disc_hum": 20.0, "AP-disc_hiss": 40.0, "AP-leaf_buzz": 0.0,
        "AP-cross": 50.0, "AP-gear": math.nan, "AP-arrow": 30.0,
    }  # fmt: skip
    assert tool.summary(metrics) == [30.0, 60.0, 20.0, 40.0]
    lines = tool.table({"its own": metrics, "silence": {**metrics, "AP": 12.34}}).splitlines()
    assert lines[0].split("|")[1].strip() == "audio" and len(lines) == 4
    cells = [cell.strip() for cell in lines[3].strip("|").split("|")]
    assert cells == ["silence", "12.3", "60.0", "20.0", "40.0"]


def test_each_row_is_the_right_weights_on_the_right_audios(tool, dataset, monkeypatch):
    cfg = read_config(str(ROOT / "configs" / "synthvis" / "rcf_tiny_av.yaml"))
    cfg.DATASETS.TEST, cfg.MODEL.WEIGHTS, cfg.MODEL.RCF.AUDIO.ENABLED = (dataset,), "a.pth", True
    calls = []

    def evaluate(cfg, weights, name, output):
        calls.append((weights, name, cfg.MODEL.RCF.AUDIO.ENABLED))
        return {"AP": len(calls)}

    monkeypatch.setattr(tool, "evaluate_weights", evaluate)
    results = tool.measure(cfg, "silent.pth", "out")
    assert list(results) == ["its own", "another video's", "silence", "none (trained without)"]
    assert calls == [
        ("a.pth", dataset, True),
        ("a.pth", f"{dataset}_wrong_audio", True),
        ("a.pth", f"{dataset}_silent", True),
        ("silent.pth", dataset, False),
    ]
    assert cfg.MODEL.RCF.AUDIO.ENABLED
