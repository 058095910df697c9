"""experiments/measure_difficulty.py: the sets of each level, what is evaluated, the table."""

import json

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.synthvis import SynthVISSpec, read_spec
from tests.scripts import load_script


@pytest.fixture
def tool(monkeypatch):
    """The script; an evaluation takes no time, and its AP tells of which model and set it is."""
    script = load_script("experiments/measure_difficulty.py")
    script.calls = []

    def evaluate(cfg, weights, dataset, output):
        script.calls.append((weights, dataset, cfg.MODEL.RCF.NUM_REFERENCE_FRAMES, output))
        return {"AP": 10.0 * len(script.calls)}

    monkeypatch.setattr(script, "evaluate_weights", evaluate)
    yield script
    for name in [name for name in DatasetCatalog.list() if name.startswith("synthvis_noise_")]:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def arguments(folder):
    models = ["--model", "δ = 0", "a.pth", "0", "--model", "δ = 1", "b.pth", "1"]
    return [*models, "--knob", "noise", "--levels", "0", "0.5", "--output", str(folder)]


def test_each_model_on_each_level(tool, tmp_path, capsys):
    tool.main([*arguments(tmp_path), "--videos", "1"])
    names = [f"synthvis_noise_{level}_1" for level in ("0", "0.5")]
    assert [call[:3] for call in tool.calls] == [
        (weights, name, delta) for name in names for weights, delta in (("a.pth", 0), ("b.pth", 1))
    ]
    for name, level in zip(names, (0, 0.5), strict=True):
        root = tmp_path / "sets" / name.removeprefix("synthvis_")
        expected = SynthVISSpec(val_videos=1, noise=level).describe_split("val")
        assert read_spec(root, "val") == json.loads(json.dumps(expected))
        (video,) = DatasetCatalog.get(name)
        assert len(video["file_names"]) == 20
    content = json.loads((tmp_path / "ap_against_noise.json").read_text())
    assert content == {"levels": [0, 0.5], "AP": {"δ = 0": [10, 30], "δ = 1": [20, 40]}}
    rows = (tmp_path / "ap_against_noise.md").read_text().splitlines()
    assert [cell.strip() for cell in rows[-1].strip("|").split("|")] == ["δ = 1", "20.0", "40.0"]
    assert (tmp_path / "ap_against_noise.png").read_bytes().startswith(b"\x89PNG")
    assert "AP at noise" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--levels", "0", "1.5"], "noise must be a number from 0 to 1"),
        (["--model", "third", "c.pth", "one"], "third: 'one' reference frames"),
    ],
)
def test_bad_arguments(tool, tmp_path, capsys, change, message):
    with pytest.raises(SystemExit):
        tool.main([*arguments(tmp_path), *change])
    assert message in capsys.readouterr().err
    assert not tool.calls and not list(tmp_path.iterdir())
