import json
import zipfile

import pytest

from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.evaluation.__main__ import main

from .ytvis_cases import random_case


@pytest.fixture
def files(tmp_path):
    gt, results = random_case(1)
    paths = tmp_path / "gt.json", tmp_path / "results.json", tmp_path / "results.zip"
    paths[0].write_text(json.dumps(gt))
    paths[1].write_text(json.dumps(results))
    with zipfile.ZipFile(paths[2], "w") as archive:
        archive.write(paths[1], "results.json")
    return gt, results, *map(str, paths)


def test_figures_are_shown_and_written(files, tmp_path, capsys):
    gt, results, gt_path, results_path, zip_path = files
    expected = evaluate_ytvis(gt, results)
    out = tmp_path / "new" / "figures.json"
    for source in (results_path, zip_path):
        out.unlink(missing_ok=True)
        main(["--gt", gt_path, "--results", source, "--json", str(out)])
        assert json.loads(out.read_text()) == expected
        shown = dict(line.split() for line in capsys.readouterr().out.splitlines())
        assert list(shown) == [name for name in expected if name != "per_category"]
        assert float(shown["AP"]) == pytest.approx(100 * expected["AP"], abs=0.005)
        assert shown["APl"] == "undefined"


def test_per_category(files, capsys):
    *_, gt_path, results_path, _ = files
    main(["--gt", gt_path, "--results", results_path, "--per-category"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-3:]] == ["person", "cat", "unseen"]
    assert lines[-1].split()[1] == "undefined"


def test_errors_are_one_message(files, tmp_path, capsys):
    *_, gt_path, results_path, _ = files
    with pytest.raises(SystemExit, match="error: .*nothing.json: no such file"):
        main(["--gt", gt_path, "--results", str(tmp_path / "nothing.json")])
    with open(results_path, "r+") as file:
        file.truncate(200)
    with pytest.raises(SystemExit, match="error: .*not a complete json"):
        main(["--gt", gt_path, "--results", results_path])
    assert capsys.readouterr().out == ""
