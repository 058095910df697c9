"""tools/export.py: what it writes, and what it says of words that are wrong."""

from pathlib import Path

import pytest
import torch

from rcf_vis.runtime import ModelDescription
from tests.scripts import ROOT, load_script

TINY = ["--config-file", str(ROOT / "configs/synthvis/rcf_tiny.yaml")]


@pytest.fixture(scope="module")
def tool():
    return load_script("tools/export.py")


def test_a_program(tool, tmp_path, capsys):
    out = tmp_path / "tiny.pt2"
    words = [*TINY, "--format", "torch-export", "--size", "64x48", "--output", str(out)]
    tool.main([*words, "--opts", "DATASETS.TEST", "()", "INPUT.MIN_SIZE_TEST", "32"])
    assert f"Wrote {out}" in capsys.readouterr().out
    files = {"rcf_vis": ""}
    torch.export.load(str(out), extra_files=files)
    description = ModelDescription.from_json(files["rcf_vis"], "")
    assert description.input_size == (32, 43) and description.input_format == "RGB"
    assert len(description.class_names) == 10  # of the weights
    assert description.category_ids == tuple(range(1, 11))


def test_an_onnx_file(tool, tmp_path, capsys, monkeypatch):
    """Which frame size and which predictor are given on; the export itself has tests of its own."""
    given = []

    def export_onnx(predictor, path, frame_size, videos):
        given.append((str(predictor.model.dtype), frame_size, videos))
        Path(path).write_bytes(bytes(2_000_000))
        return {"logits": 1e-6, "masks": 2e-5}

    monkeypatch.setattr(tool, "export_onnx", export_onnx)
    words = [*TINY, "--output", str(tmp_path / "x.onnx")]
    tool.main([*words, "--opts", "MODEL.WEIGHTS", ""])
    shown = capsys.readouterr().out
    assert "differences from PyTorch: logits 1.0e-06, masks 2.0e-05\n" in shown
    assert shown.endswith("x.onnx, 2.0 MB\n") and given == [("torch.float32", (360, 640), None)]
    clip = str(next((ROOT / "examples/clips").iterdir()))
    tool.main([*words, "--size", "64x48", "--int8", clip, "--opts", "MODEL.WEIGHTS", ""])
    assert given[1][1] == (48, 64) and [source.name for source in given[1][2]] == [clip]
    with pytest.raises(SystemExit, match="nothing found at no.mp4"):
        tool.main([*words, "--int8", "no.mp4", "--opts", "MODEL.WEIGHTS", ""])


def test_bad_words(tool, tmp_path, capsys):
    for words, message in (
        ([*TINY, "--output", "x.pt2"], "--output x.pt2: expected .onnx for onnx"),
        ([*TINY, "--output", "x.onnx", "--size", "640"], "expected WIDTHxHEIGHT, got '640'"),
        (
            ["--config-file", "no.yaml", "--output", "x.onnx"],
            "--config-file 'no.yaml': no such file",
        ),
    ):
        with pytest.raises(SystemExit):
            tool.main(words)
        assert message in capsys.readouterr().err
    words = [*TINY, "--output", str(tmp_path / "x.onnx"), "--precision"]
    with pytest.raises(SystemExit, match="'fp16', which needs a GPU"):
        tool.main([*words, "fp16"])
    with pytest.raises(SystemExit, match="'bf16', which no engine runs from an ONNX file"):
        tool.main([*words, "bf16"])
    assert list(tmp_path.iterdir()) == []
