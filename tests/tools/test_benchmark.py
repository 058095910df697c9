"""tools/benchmark.py: every stage is there, and as many objects as were asked for."""

import json

import pytest
import torch

from rcf_vis.modeling import RCF
from tests.scripts import ROOT, load_script

TINY = ["--config-file", str(ROOT / "configs/synthvis/rcf_tiny.yaml"), "--device", "cpu"]


@pytest.fixture(scope="module")
def benchmark():
    return load_script("tools/benchmark.py")


def test_all_stages_of_a_step(benchmark, tmp_path, capsys, monkeypatch):
    counts = []
    decide = RCF.decide

    def counted(*args, **kwargs):
        instances, identities = decide(*args, **kwargs)
        counts.append((len(instances), instances.image_size, tuple(instances.track_ids.tolist())))
        return instances, identities

    monkeypatch.setattr(RCF, "decide", counted)
    out = tmp_path / "out.json"
    words = ["--size", "160x96", "96x64", "--objects", "0", "3", "--frames", "3", "--warmup", "1"]
    benchmark.main([*TINY, *words, "--json", str(out)])
    content = json.loads(out.read_text())
    assert content["machine"]["torch"] == torch.__version__
    assert content["machine"]["threads"] == torch.get_num_threads()
    assert [(r["size"], r["objects"]) for r in content["results"]] == [
        ([160, 96], 0),
        ([160, 96], 3),
        ([96, 64], 0),
        ([96, 64], 3),
    ]
    assert counts[4:8] == [(3, (96, 160), (0, 1, 2))] * 4 and counts[0] == (0, (96, 160), ())
    shown = capsys.readouterr().out
    for result in content["results"]:
        times = result["milliseconds"]
        assert set(times) == {*benchmark.STAGES, "whole step", "bare backbone"}
        for name in (*benchmark.STAGES, "whole step"):
            assert 0 <= times[name]["p50"] <= times[name]["p95"] <= times[name]["p99"]
            assert name in shown
        parts = set(benchmark.STAGES) - set(benchmark.NETWORK)
        stages = sum(times[name]["p50"] for name in parts)
        assert stages < 1.5 * times["whole step"]["p99"]
        step = times["whole step"]["p50"]
        latency = result["latency of a stream of 6 frames a second, s"]
        assert latency == pytest.approx(1 / 6 + step / 1000)
        assert result["frames a second"] == pytest.approx(1000 / step)


def test_an_exported_file(benchmark, tmp_path, capsys):
    out = tmp_path / "out.json"
    words = ["--size", "96x64", "--frames", "3", "--warmup", "1", "--json", str(out)]
    opts = ["--opts", "INPUT.MIN_SIZE_TEST", "32"]
    benchmark.main([*TINY, "--engine", "onnxruntime", *words, "--objects", "2", *opts])
    content = json.loads(out.read_text())
    assert content["machine"]["engine"] == "onnxruntime"
    (result,) = content["results"]
    assert result["network input"] == [48, 32] and result["objects"] == 2
    parts = {"decode", "resize", "network", "masks", "identities", "encode"}
    times = result["milliseconds"]
    assert set(times) == {*parts, "whole step", "bare backbone"}
    stages = sum(times[name]["p50"] for name in parts)
    assert 0 < stages < 1.5 * times["whole step"]["p99"]
    assert "48×32, 2 objects" in capsys.readouterr().out


def test_feeding(benchmark, tmp_path, capsys):
    words = ["--data", "2", "--json", str(tmp_path / "out.json")]
    benchmark.main([*TINY[:2], *words])
    figures = json.loads((tmp_path / "out.json").read_text())["clips a CPU second"]
    assert figures["ratio"] == pytest.approx(figures["fast"] / figures["plain"])
    assert f"clips a CPU second: {figures['fast']:.1f}" in capsys.readouterr().out


def test_streams(benchmark, tmp_path, capsys):
    words = ["--streams", "1", "3", "--size", "96x64", "--frames", "2", "--warmup", "1"]
    benchmark.main([*TINY, *words, "--json", str(tmp_path / "out.json")])
    results = json.loads((tmp_path / "out.json").read_text())["results"]
    assert [result["streams"] for result in results] == [1, 3]
    shown = capsys.readouterr().out
    for result in results:
        assert f"{result['streams']} streams" in shown and f"ratio {result['ratio']:.2f}" in shown
        assert min(result["frames a second"], result["one after the other"]) > 0


def test_bad_words(benchmark, monkeypatch, capsys, tmp_path):
    with pytest.raises(SystemExit, match="--objects 11: there are 10 slots"):
        benchmark.main([*TINY, "--size", "96x64", "--objects", "11", "--frames", "1"])
    with pytest.raises(SystemExit, match="PRECISION .* is 'fp16', which needs a GPU"):
        benchmark.main([*TINY, "--precision", "fp16"])
    with pytest.raises(SystemExit, match="'bf16', which no engine runs from an ONNX file"):
        benchmark.main([*TINY, "--engine", "openvino", "--precision", "bf16"])
    for words in (["--device", "cuda"], ["--streams", "2"]):
        with pytest.raises(SystemExit, match="--engine openvino: on a CPU and without --streams"):
            benchmark.main([*TINY[:2], "--engine", "openvino", *words])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="--device cuda: there is no GPU"):
        benchmark.main([*TINY[:2], "--device", "cuda"])
    for words, message in {
        ("--size", "640"): "expected WIDTHxHEIGHT, got '640'",
        ("--objects", "-1"): "argument --objects: expected",
        ("--frames", "0"): "--frames: expected 1 or more, got '0'",
        ("--warmup", "1.5"): "--warmup: expected a whole number, got '1.5'",
        ("--streams", "2", "0"): "--streams: expected 1 or more, got '0'",
        ("--data", "0"): "--data: expected 1 or more, got '0'",
        ("--json", str(tmp_path)): "is a folder, a pipe or a device",
        ("--config-file", "nothing.yaml"): "nothing.yaml",
    }.items():
        with pytest.raises(SystemExit) as info:
            benchmark.main([*TINY, *words])
        assert info.value.code == 2
        assert message in capsys.readouterr().err
