"""The parts of tools/make_demo.py; as a whole it is run by ``make demo``."""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from rcf_vis.audio import read_audio
from tests.scripts import load_script


@pytest.fixture(scope="module")
def make_demo():
    return load_script("tools/make_demo.py")


@pytest.fixture
def scripts(make_demo, monkeypatch, tmp_path):
    """A folder that stands for the repository, with scripts that end well or badly."""
    monkeypatch.setattr(make_demo, "ROOT", tmp_path)
    (tmp_path / "good.py").write_text(
        "import os, sys; print(sys.argv[1:], os.environ['DETECTRON2_DATASETS'])"
    )
    (tmp_path / "bad.py").write_text("import sys; print('half way'); sys.exit(3)")
    return tmp_path


def test_output_goes_to_screen_and_log(make_demo, scripts, tmp_path, capfdbinary):
    demo = make_demo.Demo(tmp_path / "out")
    demo.run("first", "good.py", "--word", "x y")
    sys.stdout.flush()
    expected = f"['--word', 'x y'] {tmp_path / 'out' / 'datasets'}\n"
    assert (tmp_path / "out" / "logs" / "first.log").read_text() == expected
    assert expected.encode() in capfdbinary.readouterr().out


def test_a_failing_step_is_named_with_its_exit_code_and_log(make_demo, scripts, tmp_path):
    demo = make_demo.Demo(tmp_path / "out")
    with pytest.raises(
        make_demo.StepFailed, match=r"bad\.py ended with exit code 3; .*second\.log"
    ):
        demo.run("second", "bad.py")
    assert (tmp_path / "out" / "logs" / "second.log").read_text() == "half way\n"


def test_a_failure_ends_the_program_with_its_message(make_demo, scripts, tmp_path, monkeypatch):
    for step in ("track_real_clips", "make_data", "make_video"):
        monkeypatch.setattr(make_demo.Demo, step, lambda self: None)
    with pytest.raises(SystemExit, match=r"make_demo failed: train_net\.py ended with exit code 2"):
        make_demo.main(["--output", str(tmp_path / "out")])


def test_steps_are_numbered_and_timed(make_demo, tmp_path, capsys):
    demo = make_demo.Demo(tmp_path)
    with demo.step("One"):
        pass
    with demo.step("Two"):
        pass
    lines = capsys.readouterr().out.split("\n")
    assert [line for line in lines if line] == [
        "=== [1/8] One", "=== [1/8] One: 0 s", "=== [2/8] Two", "=== [2/8] Two: 0 s"
    ]  # fmt: skip


def test_the_model_that_hears_has_its_turn(make_demo, tmp_path, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(make_demo.Demo, "track_real_clips", lambda self: None)
    for step in ("make_data", "make_video", "evaluate", "train", "track", "draw_contact_sheet"):

        def record(self, step=step):
            calls.append((step, self.with_audio, self.output.name))
            return dict.fromkeys(make_demo.METRICS, 0.5)

        monkeypatch.setattr(make_demo.Demo, step, record)
    monkeypatch.setattr(make_demo.Demo, "draw_loss_curve", lambda self: None)
    make_demo.run_demo(tmp_path / "demo")
    audio = [step for step, with_audio, folder in calls if with_audio and folder == "audio"]
    assert audio == ["make_video", "track", "draw_contact_sheet"]
    assert len(calls) == 6 + 3 and "[8/8]" in capsys.readouterr().out
    calls.clear()
    make_demo.run_demo(tmp_path / "av", config=make_demo.AUDIO_CONFIG)
    assert len(calls) == 6 and all(with_audio for _, with_audio, _ in calls)
    assert "[7/7]" in capsys.readouterr().out


def test_real_clips_are_drawn(make_demo, tmp_path, monkeypatch):
    """An mp4 and a sheet of each clip; the model is that of real videos, whatever the options."""
    words = []

    def run(self, name, script, *given):
        words.append((name, script, *given))
        output = given[given.index("--output") + 1]
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(given[given.index("--input") + 1], output)

    monkeypatch.setattr(make_demo.Demo, "run", run)
    make_demo.Demo(tmp_path, ["MODEL.RCF.NUM_CLASSES", "3"]).track_real_clips()
    clips = sorted(path.stem for path in make_demo.CLIPS.glob("*.mp4"))
    assert len(clips) >= 1 and sum(p.stat().st_size for p in make_demo.CLIPS.iterdir()) < 1.5e6
    assert [name for name, *_ in words] == [f"real_{clip}" for clip in clips]
    for clip, (_, script, *given) in zip(clips, words, strict=True):
        assert script == "demo.py" and str(make_demo.REAL_CONFIG) in given
        assert given[-3:-1] == ["--opts", "MODEL.DEVICE"]
        sheet = cv2.imread(str(tmp_path / "real" / f"{clip}.png"))
        assert sheet.shape == (28 + 2 * (225 + 4), 28 + 6 * (400 + 4), 3)


def test_ap_table(make_demo):
    values = {metric: 0.5 for metric in make_demo.METRICS}
    table = make_demo.ap_table({"a": values, "b": {**values, "AP75": 0.1234}}).splitlines()
    assert [line.split() for line in table] == [
        ["a", "b"],
        ["AP", "50.0", "50.0"],
        ["AP50", "50.0", "50.0"],
        ["AP75", "50.0", "12.3"],
        ["AR1", "50.0", "50.0"],
        ["AR10", "50.0", "50.0"],
    ]
    assert len({len(line) for line in table}) == 1


def test_options_reach_train_net(make_demo, tmp_path):
    demo = make_demo.Demo(tmp_path, ["SOLVER.MAX_ITER", "3"])
    words = demo._train_net_words("train", make_demo.TRAINING)
    assert words[:4] == [
        "--config-file",
        str(make_demo.CONFIG),
        "OUTPUT_DIR",
        str(tmp_path / "train"),
    ]
    assert words[words.index("SOLVER.MAX_ITER") + 1] == "60"
    assert words[-2:] == ["SOLVER.MAX_ITER", "3"]  # the last word counts


def test_data_are_made_once(make_demo, tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(
        make_demo, "generate_split", lambda spec, root, split, overwrite: made.append(split)
    )
    spec = make_demo.SynthVISSpec(train_videos=1, val_videos=1, width=32, height=32, length=1)
    make_demo._make_split(spec, tmp_path, "val")
    assert made == ["val"]
    monkeypatch.setattr(
        make_demo, "read_spec", lambda root, split, kind: spec.describe_split(split)
    )
    assert make_demo._make_split(spec, tmp_path, "val") == tmp_path / "synthvis" / "val.json"
    assert made == ["val"]


def test_a_model_with_audio_gets_data_with_audio(make_demo, tmp_path, monkeypatch):
    """The video has the audio of its data set, in step with its frames."""
    small = {"width": 96, "height": 64, "length": 6, "val_videos": 1, "objects_per_video": (1, 2)}
    monkeypatch.setattr(make_demo, "DATA", {**small, "train_videos": 1})
    monkeypatch.setattr(make_demo, "CROSSING", {**small, "train_videos": 0, "silent_share": 0.0})
    demo = make_demo.Demo(tmp_path, ["MODEL.RCF.AUDIO.ENABLED", "True"])
    demo.make_data()
    demo.make_video()
    assert (tmp_path / "datasets" / "synthvis_av" / "train.json").is_file()
    written, original = (
        read_audio(path)[0].mean(0)
        for path in (tmp_path / "input.mp4", demo.crossing / "audio" / "00000.wav")
    )
    assert len(original) == pytest.approx(0.6 * 16000, abs=1)
    length = min(len(written), len(original))
    assert np.corrcoef(written[:length], original[:length])[0, 1] > 0.9
    (tmp_path / "demo.json").write_text("[]")
    demo.draw_contact_sheet()
    with_audio = cv2.imread(str(tmp_path / "contact_sheet.png")).shape
    demo.with_audio = False
    demo.draw_contact_sheet()
    without = cv2.imread(str(tmp_path / "contact_sheet.png")).shape
    assert with_audio[0] > without[0] and with_audio[1] == without[1]
