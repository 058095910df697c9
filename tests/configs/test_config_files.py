"""The yaml of a config is data: nothing in it is run, and it cannot take all memory."""

import os
import re
from argparse import Namespace

import pytest

from rcf_vis.config import add_rcf_config, merge_config_file, read_config
from rcf_vis.config_files import load_config_file
from tests.scripts import ROOT, load_script

TAGS = (
    "!!python/object/apply:os.mkdir [MARK]",
    "!!python/object/new:os.mkdir [MARK]",
    "!!python/object/apply:subprocess.check_call [[mkdir, MARK]]",
    "!!python/name:os.mkdir",
    "!!python/module:os",
    "!!python/object:rcf_vis.limits.X {a: 1}",
    "!!python/tuple [1, 2]",
    "!own 3",
)


def write(folder, text, name="x.yaml") -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_runs(tmp_path, tag):
    mark = tmp_path / "mark"
    path = write(tmp_path, f"MODEL: {{WEIGHTS: {tag.replace('MARK', str(mark))}}}")
    for file in (path, write(tmp_path, "_BASE_: [x.yaml]", "child.yaml")):
        with pytest.raises(ValueError, match=r"x\.yaml: no config of plain values"):
            read_config(file)
    assert not mark.exists()


def test_every_tool_that_takes_a_config_refuses_a_tag(tmp_path):
    mark = tmp_path / "mark"
    path = write(tmp_path, f"OUTPUT_DIR: !!python/object/apply:os.mkdir [{mark}]")
    scripts = ["train_net.py", "demo.py", *sorted((ROOT / "tools").glob("*.py"))]
    scripts += sorted((ROOT / "experiments").glob("*.py"))
    tried = 0
    for script in scripts:
        if "--config-file" not in (text := (ROOT / script).read_text()) and "launch_" not in text:
            continue
        assert not re.search(r"merge_from_file|unsafe_load|yaml\.load\b", text), script
        tried += 1
    assert tried >= 10
    with pytest.raises(ValueError, match="no config of plain values"):
        load_script("train_net.py").main(Namespace(config_file=path, opts=[]))
    with pytest.raises(SystemExit, match=r"a LazyConfig is a Python file"):
        load_script("tools/lazyconfig_train_net.py").main(Namespace(config_file=path, opts=[]))
    assert not mark.exists()


def test_bases_are_merged_as_detectron2_merges_them(tmp_path):
    (tmp_path / "sub").mkdir()
    write(tmp_path, "SEED: 1\nINPUT: {FORMAT: RGB, MIN_SIZE_TEST: 5}", "one.yaml")
    write(tmp_path / "sub", "SEED: 2\nINPUT: {MIN_SIZE_TEST: 6, CROP: {SIZE: [3, 4]}}", "two.yaml")
    path = write(tmp_path, "_BASE_: [one.yaml, sub/two.yaml]\nINPUT: {CROP: {TYPE: absolute}}")
    cfg = read_config(path, ["SOLVER.MAX_ITER", "7"])
    assert (cfg.SEED, cfg.INPUT.FORMAT, cfg.INPUT.MIN_SIZE_TEST) == (2, "RGB", 6)
    assert (cfg.INPUT.CROP.SIZE, cfg.INPUT.CROP.TYPE) == ([3, 4], "absolute")
    assert cfg.SOLVER.MAX_ITER == 7


def test_all_our_configs_are_as_detectron2_reads_them():
    from detectron2.config import get_cfg

    paths = sorted((ROOT / "configs").rglob("*.yaml"))
    assert len(paths) > 10
    for path in paths:
        expected, found = get_cfg(), get_cfg()
        add_rcf_config(expected)
        add_rcf_config(found)
        expected.merge_from_file(str(path))
        merge_config_file(found, str(path))
        assert found == expected, path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(tmp_path, encoding):
    text = "OUTPUT_DIR: Ausgabe/ä"
    if encoding in ("utf-16-le", "utf-16-be"):
        text = f"\ufeff{text}"
    assert read_config(write(tmp_path, text.encode(encoding))).OUTPUT_DIR == "Ausgabe/ä"


PAIRS = tuple(zip("abcdefgh", "bcdefghi", strict=True))
LAUGHS = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [{f'*{a}, ' * 10}]\n" for a, b in PAIRS)
MERGES = "a: &a {x: 1}\n" + "".join(f"{b}: &{b} {{<<: [{f'*{a}, ' * 10}]}}\n" for a, b in PAIRS)
BROKEN = (
    (LAUGHS, "aliases written out"),
    (MERGES, "aliases written out"),
    ("a: &a [*a]", "aliases written out"),
    ("a: " + "x" * 60_000, "60003 is over the limit of 50000; LIMITS.CONFIG_BYTES"),
    ("[" * 20_000, "brackets nested deeper than 100"),
    ("a: [1", "no config of plain values"),
    ("a: 2001-99-99", "month must be in 1..12"),
    ("- 1", "a list at the top"),
    ("7", "a int at the top"),
    ("_BASE_: x.yaml", "its _BASE_ leads back to it"),
    ("_BASE_: [3]", "_BASE_ is [3], expected a path"),
    ("_BASE_: {a: 1}", "expected a path"),
    ("VERSION: 1", "VERSION 1, expected 2"),
    ("SOLVER: 3", "x.yaml: "),
    ("SOLVER: {MAX_ITER: many}", "x.yaml: Type mismatch"),
    ("MODEL: {WEIGHTS: 2001-01-01}", "x.yaml: "),
    (f"OUTPUT_DIR: '{'(' * 9_000}'", ""),
    ("SEED: 1\0", "no config of plain values"),
    (b"\xff\xfe\x00", "no config of plain values"),
)


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_what_is_no_config(tmp_path, text, message):
    path = write(tmp_path, text)
    if not message:  # text that looks like a deep expression stays text
        assert read_config(path).OUTPUT_DIR == "(" * 9_000
        return
    with pytest.raises(ValueError, match=re.escape(message)) as found:
        read_config(path)
    assert "x.yaml" in str(found.value)


def test_keys_files_and_options(tmp_path):
    with pytest.raises(KeyError, match=r"x\.yaml: Non-existent config key: SOLVER\.MAX"):
        read_config(write(tmp_path, "SOLVER: {MAX: 3}"))
    with pytest.raises(ValueError, match="x.yaml: .*expected str instance, int found"):
        read_config(write(tmp_path, "1: 3"))
    with pytest.raises(ValueError, match="config options: Override list has odd length"):
        read_config(write(tmp_path, ""), ["SEED"])
    with pytest.raises(FileNotFoundError):
        read_config(write(tmp_path, "_BASE_: nowhere.yaml"))
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("pipe.yaml", "/dev/zero", "."):
        with pytest.raises(OSError, match="is a (named pipe|device|folder), expected a file"):
            read_config(write(tmp_path, f"_BASE_: {name}"))
    many = write(tmp_path, f"_BASE_: [{', '.join(f'{n}.yaml' for n in range(60))}]")
    for number in range(60):
        write(tmp_path, "SEED: 1", f"{number}.yaml")
    with pytest.raises(ValueError, match="of more than 50 files"):
        load_config_file(many)


def test_the_limit_can_be_raised(tmp_path, monkeypatch):
    path = write(tmp_path, "OUTPUT_DIR: " + "x" * 60_000)
    monkeypatch.setenv("RCF_LIMIT_CONFIG_BYTES", "70000")
    assert len(read_config(path).OUTPUT_DIR) == 60_000
    monkeypatch.setenv("RCF_LIMIT_CONFIG_BYTES", "many")
    with pytest.raises(ValueError, match="RCF_LIMIT_CONFIG_BYTES is 'many', expected a whole"):
        read_config(path)
