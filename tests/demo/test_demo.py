"""demo.py from the command line's words to the files it leaves."""

import json
import os
import re
import weakref
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.structures import Instances

from rcf_vis.evaluation import evaluate_ytvis
from rcf_vis.inference.class_names import model_metadata
from rcf_vis.inference.video_io import open_frames
from rcf_vis.inference.video_writer import VideoWriter
from rcf_vis.visualization.tracks import track_color
from tests.demo.demo_config import CATEGORIES, HEIGHT, WIDTH, demo_config
from tests.inference.videos import damaged_video
from tests.scripts import load_script

LENGTH = 5


@pytest.fixture(scope="module")
def demo():
    return load_script("demo.py")


@pytest.fixture
def config(tmp_path, patch_cfg):
    """A config file of a tiny random model, whose classes come from a registered json."""
    with demo_config(patch_cfg, tmp_path) as path:
        yield path


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "in.mp4"
    with VideoWriter(path, frame_rate=Fraction(30000, 1001)) as writer:
        for _ in range(LENGTH):
            writer.write(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    return str(path)


class FakePredictor:
    """One object that moves to the right; ``on_frame`` is called with each frame."""

    on_frame = staticmethod(lambda index, frame: None)
    cfg = None

    def __init__(self, cfg):
        FakePredictor.cfg = cfg
        self.metadata = model_metadata(cfg, None)
        self.count = 0

    def __call__(self, frame):
        self.on_frame(self.count, frame)
        instances = Instances(frame.shape[:2])
        instances.pred_masks = torch.zeros((1, *frame.shape[:2]), dtype=torch.bool)
        instances.pred_masks[0, 8:40, 4 * self.count : 4 * self.count + 24] = True
        instances.class_probs = torch.tensor([[0.1, 0.7, 0.2]])
        instances.scores, instances.pred_classes = instances.class_probs.max(-1)
        instances.track_ids = torch.tensor([0])
        self.count += 1
        return instances


@pytest.fixture
def fake(demo, monkeypatch):
    monkeypatch.setattr(demo, "OnlinePredictor", FakePredictor)
    monkeypatch.setattr(FakePredictor, "cfg", None)
    return FakePredictor


def left(folder):
    return sorted(file.name for file in folder.iterdir() if file.name not in KNOWN)


KNOWN = {"data.json", "tiny.yaml", "in.mp4"}


def test_random_model_on_a_video(demo, config, video, tmp_path, capsys):
    out, results = tmp_path / "out.mp4", tmp_path / "out.json"
    demo.main(
        ["--config-file", config, "--input", video, "--output", str(out)]
        + ["--save-json", str(results), "--video-id", "7"]
        + ["--opts", "MODEL.RCF.TEST.SCORE_THRESH", "0.0"]
    )
    frames = open_frames(out)
    assert (frames.width, frames.height, frames.num_frames) == (WIDTH, HEIGHT, LENGTH)
    assert frames.frame_rate == Fraction(30000, 1001)
    tracks = json.loads(results.read_text())
    assert 0 < len(tracks) <= 5 * LENGTH  # all slots fire; some masks may be empty
    for track in tracks:
        assert track["video_id"] == 7 and track["category_id"] in (2, 5, 9)
        assert 0 < track["score"] < 1 and len(track["segmentations"]) == LENGTH
        for rle in filter(None, track["segmentations"]):
            assert rle["size"] == [HEIGHT, WIDTH] and isinstance(rle["counts"], str)
    truth = {
        "videos": [{"id": 7, "width": WIDTH, "height": HEIGHT, "length": LENGTH}],
        "categories": CATEGORIES,
        "annotations": [
            {"id": i + 1, "iscrowd": 0, "bboxes": [[0, 0, 1, 1]] * LENGTH, "areas": [9] * LENGTH}
            | {"height": HEIGHT, "width": WIDTH, "length": LENGTH}
            | {key: track[key] for key in ("video_id", "category_id", "segmentations")}
            for i, track in enumerate(tracks)
        ],
    }
    assert evaluate_ytvis(truth, tracks)["AP"] == pytest.approx(1.0)
    assert capsys.readouterr().out.splitlines() == [f"Wrote {out}", f"Wrote {results}"]
    assert left(tmp_path) == ["out.json", "out.mp4"]


def test_confidence_threshold_is_of_the_drawing_alone(demo, config, video, tmp_path, fake):
    """The fake's object has a score of 0.7: below the threshold it is tracked and not drawn."""
    saved = []
    for threshold, drawn in (("0.65", True), ("0.75", False)):
        out, results = tmp_path / f"{threshold}.mp4", tmp_path / f"{threshold}.json"
        demo.main(["--config-file", config, "--input", video, "--confidence-threshold", threshold]
                  + ["--output", str(out), "--save-json", str(results)])  # fmt: skip
        assert fake.cfg.MODEL.RCF.TEST.SCORE_THRESH == 0.4  # what the config says
        saved.append(json.loads(results.read_text()))
        frame = next(iter(open_frames(out)))
        assert (np.abs(frame.astype(int) - 100).max() > 50) == drawn
    assert saved[0] == saved[1] and len(saved[0]) == 1


def test_what_the_fake_predicts_is_drawn_and_saved(demo, config, video, tmp_path, fake):
    out, results = tmp_path / "out.mp4", tmp_path / "out.json"
    demo.main(["--config-file", config, "--input", video]
              + ["--output", str(out), "--save-json", str(results)])  # fmt: skip
    (track,) = json.loads(results.read_text())
    assert (track["video_id"], track["category_id"]) == (1, 5)
    assert track["score"] == pytest.approx(0.7)
    red, green, blue = (0.55 * 100 + 0.45 * 255 * channel for channel in track_color(0))
    for index, frame in enumerate(open_frames(out)):
        mask = frame[11:20, 4 * index + 3 : 4 * index + 21].reshape(-1, 3)  # above the label
        assert mask.mean(0) == pytest.approx([blue, green, red], abs=12)
        assert frame[:6].mean() == pytest.approx(100, abs=3)
    assert index == LENGTH - 1


def test_without_a_gpu_the_cpu_is_used(demo, config, video, tmp_path, fake, monkeypatch):
    command = ["--config-file", config, "--input", video, "--save-json", str(tmp_path / "o.json")]
    for there, expected in [(False, "cpu"), (True, "cuda")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        demo.main([*command, "MODEL.DEVICE", "cuda"])
        assert fake.cfg.MODEL.DEVICE == expected


@pytest.mark.parametrize("opts", [["--opts"], []])
def test_options_of_the_config(demo, config, video, tmp_path, fake, opts):
    demo.main(["--config-file", config, "--input", video, "--save-json", str(tmp_path / "o.json")]
              + [*opts, "MODEL.RCF.TEST.MASK_THRESH", "0.7", "SEED", "3"])  # fmt: skip
    assert (fake.cfg.MODEL.RCF.TEST.MASK_THRESH, fake.cfg.SEED) == (0.7, 3)
    with pytest.raises(Exception, match="MODEL.RCF.MISSPELT"):
        demo.main(["--config-file", config, "--input", video, "--output", str(tmp_path / "o.mp4")]
                  + [*opts, "MODEL.RCF.MISSPELT", "0.7"])  # fmt: skip
    assert left(tmp_path) == ["o.json"]


@pytest.mark.parametrize(
    "option, rate", [([], 6), (["--frame-rate", "12.5"], 12.5), (["--frame-rate", "30000/1001"], 0)]
)
def test_frame_rate_of_a_folder(demo, config, video, tmp_path, fake, option, rate):
    frames, out = tmp_path / "frames", tmp_path / "out.mp4"
    demo.main(["--config-file", config, "--input", video, "--output", str(frames)])
    assert [file.name for file in sorted(frames.iterdir())] == [f"{i:05d}.jpg" for i in range(5)]
    demo.main(["--config-file", config, "--input", str(frames), "--output", str(out), *option])
    assert open_frames(out).frame_rate == (rate or Fraction(30000, 1001))
    assert open_frames(out).num_frames == LENGTH


def test_one_frame_in_memory(demo, config, video, tmp_path, fake, monkeypatch):
    alive = []

    def watch(index, frame):
        assert all(reference() is None for reference in alive)
        alive.append(weakref.ref(frame))

    monkeypatch.setattr(fake, "on_frame", staticmethod(watch))
    demo.main(["--config-file", config, "--input", video, "--output", str(tmp_path / "out.mp4")])
    assert len(alive) == LENGTH


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("output", ["out.mp4", "frames"])
def test_what_was_tracked_before_a_crash_is_kept_as_a_part(
    demo, config, video, tmp_path, fake, monkeypatch, error, output
):
    def crash(index, frame):
        if index == 3:
            raise error("at frame 3")

    monkeypatch.setattr(fake, "on_frame", staticmethod(crash))
    (tmp_path / "out.json").write_text("of an earlier run")
    with pytest.raises(error):
        demo.main(["--config-file", config, "--input", video, "--output", str(tmp_path / output)]
                  + ["--save-json", str(tmp_path / "out.json")])  # fmt: skip
    part = output.replace(".", ".partial.") if "." in output else f"{output}.partial"
    assert left(tmp_path) == sorted(["out.json", "out.partial.json", part])
    assert (tmp_path / "out.json").read_text() == "of an earlier run"
    (track,) = json.loads((tmp_path / "out.partial.json").read_text())
    assert len(track["segmentations"]) == 3
    assert len(list(open_frames(tmp_path / part))) == 3


def test_a_broken_frame_is_named_and_the_frames_before_it_are_kept(
    demo, config, tmp_path, video, fake
):
    frames = tmp_path / "frames"
    demo.main(["--config-file", config, "--input", video, "--output", str(frames)])
    (frames / "00002.jpg").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"00002\.jpg is broken"):
        demo.main(["--config-file", config, "--input", str(frames / "*.jpg")]
                  + ["--output", str(tmp_path / "out.mp4")])  # fmt: skip
    assert left(tmp_path) == ["frames", "out.partial.mp4"]
    assert len(list(open_frames(tmp_path / "out.partial.mp4"))) == 2


def test_results_that_would_replace_something_are_refused_before_any_work(
    demo, config, video, tmp_path, fake, monkeypatch
):
    monkeypatch.setattr(demo, "OnlinePredictor", lambda cfg: pytest.fail("work was begun"))
    content = Path(video).read_bytes()
    (tmp_path / "link.mp4").symlink_to(video)
    (tmp_path / "file").write_text("")

    def run(*words):
        demo.main(["--config-file", config, "--input", video, *words])

    for name in ("in.mp4", "link.mp4"):
        with pytest.raises(OSError, match=rf"--output '.*{name}' is the input .*in\.mp4"):
            run("--output", str(tmp_path / name))
        with pytest.raises(OSError, match="--export ytvis= .* is the input"):
            run("--save-json", str(tmp_path / name))
    with pytest.raises(OSError, match="is the input .*tiny.yaml"):
        run("--save-json", config)
    with pytest.raises(
        OSError, match="is a folder, a pipe or a device, expected the name of a file"
    ):
        run("--export", f"coco={tmp_path}")
    with pytest.raises(OSError):
        run("--save-json", str(tmp_path / "file" / "o.json"))
    same = str(tmp_path / "o.json")
    with pytest.raises(ValueError, match="two results have the name .*o.json"):
        run("--save-json", same, "--export", f"coco={same}")
    assert Path(video).read_bytes() == content


def test_a_damaged_video_goes_on_or_stops(demo, config, tmp_path, fake, caplog):
    source = damaged_video(tmp_path / "in.avi", "mjpeg", {2})
    words = [
        "--config-file",
        config,
        "--input",
        str(source),
        "--save-json",
        str(tmp_path / "o.json"),
    ]
    demo.main(words)
    (track,) = json.loads((tmp_path / "o.json").read_text())
    assert len(track["segmentations"]) == 5 and "1 of 6 packets gave no frame" in caplog.text
    with pytest.raises(ValueError, match=r"frame 2 of .*in\.avi cannot be decoded"):
        demo.main([*words, "--on-error", "stop"])
    (track,) = json.loads((tmp_path / "o.partial.json").read_text())
    assert len(track["segmentations"]) == 2


def test_bad_input(demo, config, video, tmp_path, fake):
    out = str(tmp_path / "out.mp4")
    with pytest.raises(FileNotFoundError, match=r"nothing\.mp4"):
        demo.main(["--config-file", config, "--input", "nothing.mp4", "--output", out])
    with pytest.raises(ValueError, match=r"out\.gif"):
        demo.main(["--config-file", config, "--input", video, "--output", "out.gif"])
    with pytest.raises(ValueError, match="NUM_CLASSES is 4, but .* 'demo_set' has 3 classes"):
        demo.main(["--config-file", config, "--input", video, "--output", out]
                  + ["--opts", "MODEL.RCF.NUM_CLASSES", "4"])  # fmt: skip
    with pytest.raises(ValueError, match="the classes have no names"):
        demo.main(["--config-file", config, "--input", video, "--output", out]
                  + ["--opts", "DATASETS.TEST", "()"])  # fmt: skip
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "give --output, --export or both"),
        (["--output", "o.mp4", "--confidence-threshold", "1.5"], r"expected a number in \[0, 1\]"),
        (
            ["--output", "o.mp4", "--config-file", "no.yaml"],
            "--config-file 'no.yaml': no such file",
        ),
        (["--export", "csv=a.csv"], "FORMAT one of ytvis, coco, mots, got 'csv=a.csv'"),
        (["--export", "coco"], "expected FORMAT=FILE"),
        (["--output", "o.mp4", "--frame-rate", "-3"], "expected a positive number"),
        (["--output", "o.mp4", "--frame-rate", "x"], "invalid frame_rate value"),
    ],
)
def test_bad_words(demo, config, video, capsys, words, message):
    with pytest.raises(SystemExit) as info:
        demo.main(["--config-file", config, "--input", video, *words])
    assert info.value.code == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.skipif("RCF_REAL_CLIPS" not in os.environ, reason="RCF_REAL_CLIPS is not set")
def test_real_clips(demo, config, tmp_path):
    sets = sorted(Path(os.environ["RCF_REAL_CLIPS"]).glob("*/JPEGImages"))
    assert sets
    for folder in (min(folder.iterdir()) for folder in sets):
        out, results = tmp_path / f"{folder.name}.mp4", tmp_path / f"{folder.name}.json"
        files = ["--input", str(folder), "--output", str(out), "--save-json", str(results)]
        demo.main(["--config-file", config, *files, "MODEL.RCF.TEST.SCORE_THRESH", "0.2"])
        frames, source = open_frames(out), open_frames(folder)
        assert frames.num_frames == source.num_frames
        assert (frames.width - source.width, frames.height - source.height) <= (1, 1)
        for track in json.loads(results.read_text()):
            assert len(track["segmentations"]) == source.num_frames
