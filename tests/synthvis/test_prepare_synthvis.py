"""The command line of datasets/prepare_synthvis.py."""

import pytest

from rcf_vis.synthvis import SynthVISAudioSpec, SynthVISMotionSpec, SynthVISOcclusionSpec, read_spec
from tests.scripts import load_script


@pytest.fixture(scope="module")
def prepare():
    return load_script("datasets/prepare_synthvis.py")


def _args(root, *more):
    videos = "--train-videos 2 --val-videos 1 --test-videos 1".split()
    small = [*videos, *"--size 48x32 --length 2 --workers 1".split()]
    return ["--root", str(root), *small, *more]


def test_makes_keeps_refuses_and_forces(prepare, tmp_path, capsys):
    assert prepare.main(_args(tmp_path, "--noise", "0.5", "--seed", "3")) == 0
    made = read_spec(tmp_path, "val")
    assert (made["noise"], made["blur"], made["seed"], made["width"]) == (0.5, 0.2, 3, 48)
    assert (made["objects_per_video"], made["object_size"]) == ([2, 4], [0.34, 0.6])
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jp*g")}
    assert len(times) == 8
    capsys.readouterr()
    assert prepare.main(_args(tmp_path, "--noise", "0.5", "--seed", "3")) == 0
    assert capsys.readouterr().out.count("is already what was asked for") == 3
    assert prepare.main(_args(tmp_path, "--noise", "0.6", "--seed", "3")) == 1
    error = capsys.readouterr().err
    assert "noise: there 0.5, asked for 0.6" in error and "--force" in error
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jp*g")} == times
    assert prepare.main(_args(tmp_path, "--noise", "0.6", "--seed", "3", "--force")) == 0
    assert read_spec(tmp_path, "train")["noise"] == 0.6


def test_objects_and_their_size(prepare, tmp_path):
    more = "--objects 1 3 --object-size 0.2 0.3".split()
    assert prepare.main(_args(tmp_path, *more)) == 0
    made = read_spec(tmp_path, "train")
    assert (made["objects_per_video"], made["object_size"]) == ([1, 3], [0.2, 0.3])


def test_audio_is_made_beside_and_has_its_shares(prepare, tmp_path, capsys):
    values = {name: k / 10 for k, name in enumerate(SynthVISAudioSpec.audio_shares, start=1)}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in values.items()]
    assert prepare.main(_args(tmp_path, "--audio", "--frame-rate", "8", *options)) == 0
    made = read_spec(tmp_path, "train", SynthVISAudioSpec)
    assert {name: made[name] for name in values} == values
    assert (made["frame_rate"], made["objects_per_video"]) == (8.0, [1, 3])
    assert read_spec(tmp_path, "train") is None
    assert len(list((tmp_path / "synthvis_av" / "train" / "audio").iterdir())) == 2
    capsys.readouterr()
    assert prepare.main(_args(tmp_path, "--audio")) == 1
    error = capsys.readouterr().err
    assert "silent_share: there 0.3, asked for 0.15" in error and "frame_rate: there 8.0" in error
    with pytest.raises(SystemExit):
        prepare.main(_args(tmp_path, "--silent-share", "0.5"))
    assert "--silent-share needs --audio" in capsys.readouterr().err


def test_other_sets_are_made_beside(prepare, tmp_path, capsys):
    assert prepare.main(_args(tmp_path, "--motions")) == 0
    assert read_spec(tmp_path, "val", SynthVISMotionSpec)["objects_per_video"] == [1, 3]
    assert prepare.main(_args(tmp_path, "--occlusions", "--length", "64")) == 0
    assert read_spec(tmp_path, "val", SynthVISOcclusionSpec)["length"] == 64
    capsys.readouterr()
    for wrong, message in (
        (["--occlusions"], "length must be at least 64"),
        (["--motions", "--audio"], "--audio and --motions are two sets"),
    ):
        with pytest.raises(SystemExit):
            prepare.main(_args(tmp_path, *wrong))
        assert message in capsys.readouterr().err


def test_default_root_is_that_of_detectron2(prepare, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", "/somewhere")
    assert prepare.get_parser().parse_args([]).root == "/somewhere"
    monkeypatch.delenv("DETECTRON2_DATASETS")
    assert prepare.get_parser().parse_args([]).root == "datasets"


@pytest.mark.parametrize(
    "option,value",
    [
        ("--size", "320"),
        ("--size", "8x8"),
        ("--length", "0"),
        ("--train-videos", "-1"),
        ("--difficulty", "1.5"),
        ("--noise", "loud"),
        ("--seed", "x"),
        ("--workers", "0"),
        ("--silent-share", "2"),
    ],
)
def test_bad_option_is_named(prepare, tmp_path, capsys, option, value):
    with pytest.raises(SystemExit) as exit_info:
        prepare.main(["--root", str(tmp_path), option, value])
    assert exit_info.value.code == 2
    assert f"argument {option}: " in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
