import json
import statistics
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.scripts import load_script

METRICS = ("AP", "AP50", "AP75", "AR1", "AR10")


@pytest.fixture
def ablate(monkeypatch):
    """The script; a training takes no time, and its AP tells which row and seed it was."""
    script = load_script("experiments/ablate.py")
    script.commands = []

    def run(command, stdout, stderr):
        script.commands.append(command)
        opts = dict(zip(command[-2::-2], command[:0:-2], strict=False))
        if opts.get("MODEL.RCF.FUSION") == "broken":
            return SimpleNamespace(returncode=1)
        ap = 10 * float(opts.get("MODEL.RCF.REF_TOKEN_SIZE", 0)) + float(opts["SEED"])
        lines = [{"iteration": 19, "total_loss": 1.0}]
        lines.append({"iteration": 20, **{f"segm/{m}": ap for m in METRICS}, "segm/AP-disc": 1.0})
        lines.append({"iteration": 21, "eta_seconds": 0.0})
        text = "\n".join(map(json.dumps, lines))
        Path(opts["OUTPUT_DIR"], "metrics.json").write_text(text)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(script.subprocess, "run", run)
    return script


def test_rows_are_the_yaml_files(ablate):
    rows = [row for table in ablate.PAPER_AP for row in ablate.table_rows(table)]
    stems = {f"table_{row.table}_{row.name}" for row in rows}
    assert stems == {path.stem for path in ablate.ROWS.glob("table_*.yaml")}
    assert [row.overrides for row in ablate.table_rows("V")] == [
        ["MODEL.RCF.REF_TOKEN_SIZE", k] for k in ("1", "2", "4", "8")
    ]
    assert ablate.table_rows("IV")[0].overrides == ["MODEL.RCF.FUSION", "full_encoder"]


def test_a_table(ablate, tmp_path, capsys):
    command = ["--table", "V", "--seeds", "1", "3", "6", "--output", str(tmp_path)]
    assert ablate.main([*command, "--opts", "SOLVER.MAX_ITER", "5"]) == 0
    assert len(ablate.commands) == 4 * 3
    first = ablate.commands[0]
    assert first[first.index("--config-file") + 1] == "configs/synthvis/rcf_tiny.yaml"
    assert "--resume" in first and first[first.index("SOLVER.MAX_ITER") + 1] == "5"
    assert first[first.index("MODEL.WEIGHTS") + 1] == ""  # from scratch

    folders = {path.name for path in (tmp_path / "rcf_tiny").iterdir()}
    assert folders == {"unchanged", *(f"MODEL.RCF.REF_TOKEN_SIZE={k}" for k in (1, 4, 8))}

    content = json.loads((tmp_path / "table_V.json").read_text())
    assert [run["AP"] for run in content["rows"]["size_4"]] == [41, 43, 46]
    row = next(r for r in (tmp_path / "table_V.md").read_text().splitlines() if "size 4" in r)
    deviation = statistics.stdev([41, 43, 46])
    assert [cell.strip() for cell in row.split("|")[1:-1]] == [
        "size 4", *[f"43.3 ± {deviation:.1f}"] * 5, "37.8"
    ]  # fmt: skip
    assert (tmp_path / "table_V.png").read_bytes().startswith(b"\x89PNG")
    assert "size 8" in capsys.readouterr().out


def test_rows_of_one_config_are_one_run(ablate, tmp_path):
    command = ["--table", "III", "IV", "V", "--seeds", "0", "--output", str(tmp_path)]
    ablate.main(command)
    assert len(ablate.commands) == 6 + 3 + 4 - 2  # delta_1, token and size_2 are the defaults
    rows = {t: json.loads((tmp_path / f"table_{t}.json").read_text())["rows"] for t in ("III", "V")}
    assert rows["III"]["delta_1"] == rows["V"]["size_2"]
    other = ["--table", "V", "--seeds", "0", "--output", str(tmp_path / "other")]
    ablate.main([*other, "--opts", "MODEL.RCF.REF_TOKEN_SIZE", "4"])  # now 2 is a change
    folders = {path.name for path in (tmp_path / "other" / "rcf_tiny").iterdir()}
    assert folders == {"unchanged", *(f"MODEL.RCF.REF_TOKEN_SIZE={k}" for k in (1, 2, 8))}


def test_table_of_audio(ablate, tmp_path):
    ablate.main(["--table", "X", "--seeds", "0", "--output", str(tmp_path)])
    command = ablate.commands[0]
    assert command[command.index("--config-file") + 1] == "configs/synthvis/rcf_tiny_av.yaml"
    assert ablate.table_rows("X")[3].overrides == [
        "MODEL.RCF.NUM_REFERENCE_FRAMES", "2", "MODEL.RCF.AUDIO.ENABLED", "True"
    ]  # fmt: skip
    assert len(ablate.commands) == 10
    lines = (tmp_path / "table_X.md").read_text().splitlines()
    (row,) = [line for line in lines if "delta 3 audio on" in line]
    assert row.split("|")[-2].strip() == "46.6"


def test_finished_runs_are_kept_and_other_settings_refused(ablate, tmp_path):
    command = ["--table", "V", "--seeds", "0", "--output", str(tmp_path)]
    ablate.main(command)
    before = len(ablate.commands)
    ablate.main([*command[:3], "0", "1", *command[4:]])
    assert len(ablate.commands) == before + 4  # seed 1 alone
    with pytest.raises(RuntimeError, match="of other settings"):
        ablate.main([*command, "--opts", "SOLVER.MAX_ITER", "7"])


def test_a_failed_training_names_its_log(ablate, tmp_path, monkeypatch):
    broken = ablate.Row("IV", "token", ["MODEL.RCF.FUSION", "broken"])
    args = ablate.parse_args(["--table", "IV", "--output", str(tmp_path)])
    with pytest.raises(RuntimeError, match=r"status 1: see .*seed_0.stdout\.txt"):
        ablate.train(broken, 0, args)
    assert not list(tmp_path.rglob("result.json"))


def test_no_evaluation_is_an_error(ablate, tmp_path):
    (tmp_path / "metrics.json").write_text('{"iteration": 1, "total_loss": 2.0}\n')
    with pytest.raises(RuntimeError, match="DATASETS.TEST empty"):
        ablate.last_evaluation(tmp_path / "metrics.json")


def test_arguments_that_are_no_pairs(ablate, capsys):
    with pytest.raises(SystemExit):
        ablate.parse_args(["--table", "V", "--opts", "SOLVER.MAX_ITER"])
    assert "expected KEY VALUE pairs" in capsys.readouterr().err
    assert ablate.mean_and_deviation([4.0]) == (4.0, 0.0)
