"""The files: layout, same bytes, nothing half-made, one maker at a time."""

import json
import logging
import multiprocessing
import os
import signal
import time

import cv2
import pytest

from rcf_vis.synthvis import (
    CATEGORIES,
    SynthVISSpec,
    ensure_synthvis,
    generate_split,
    read_spec,
    render_video,
    worker,
    writer,
)
from tests.synthvis.synthvis_files import digest, make_both_splits

TINY = SynthVISSpec(width=48, height=32, length=3, train_videos=9, val_videos=4)


def _fork(target, *args):
    process = multiprocessing.get_context("fork").Process(target=target, args=args)
    process.start()
    return process


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_both_splits(TINY, tmp_path_factory.mktemp("made"))


def test_same_bytes_for_any_number_of_workers(made, tmp_path):
    for split in ("train", "val"):
        path = generate_split(TINY, tmp_path, split, workers=2)
        assert path == tmp_path / "synthvis" / f"{split}.json"
    assert digest(tmp_path) == digest(made)


def test_layout_and_fields(made):
    folder = made / "synthvis"
    assert {p.name for p in folder.iterdir()} == {"train.json", "val.json", "train", "val", ".lock"}
    content = json.loads((folder / "val.json").read_text())
    assert set(content) == {"info", "licenses", "categories", "videos", "annotations"}
    assert [(c["id"], c["name"]) for c in content["categories"]] == [
        (c["id"], c["name"]) for c in CATEGORIES
    ]
    assert [v["id"] for v in content["videos"]] == [1, 2, 3, 4]
    for index, video in enumerate(content["videos"]):
        assert (video["width"], video["height"], video["length"]) == (48, 32, 3)
        assert video["file_names"] == [f"{index:05d}/{t:05d}.jpg" for t in range(3)]
        for name in video["file_names"]:
            assert cv2.imread(str(folder / "val" / "JPEGImages" / name)).shape == (32, 48, 3)
    annotations = content["annotations"]
    assert [a["id"] for a in annotations] == list(range(1, len(annotations) + 1))
    expected = [{**a, "id": 0} for i in range(4) for a in render_video(TINY, "val", i)[1]]
    assert [{**a, "id": 0} for a in annotations] == expected
    assert sum(len(list((folder / s).rglob("*"))) for s in ("train", "val")) == 13 * 4 + 2


def test_frames_are_the_rendered_ones(made):
    frame = render_video(TINY, "train", 2)[0][1]
    path = made / "synthvis" / "train" / "JPEGImages" / "00002" / "00001.jpg"
    quality = [cv2.IMWRITE_JPEG_QUALITY, TINY.jpeg_quality]
    encoded = cv2.imencode(".jpg", frame[..., ::-1], quality)[1]
    assert path.read_bytes() == encoded.tobytes()


def test_spec_is_recognised(made, tmp_path):
    assert read_spec(made, "train") == TINY.describe_split("train")
    assert read_spec(tmp_path, "train") is None
    (tmp_path / "synthvis").mkdir()
    (tmp_path / "synthvis" / "train.json").write_text('{"videos": []}')
    assert read_spec(tmp_path, "train") == {}
    (tmp_path / "synthvis" / "train.json").write_text('{"videos": [')
    with pytest.raises(ValueError, match="train.json: not a complete json"):
        read_spec(tmp_path, "train")


def test_existing_split_is_not_touched_unless_asked(tmp_path):
    generate_split(TINY, tmp_path, "val", workers=1)
    before = digest(tmp_path)
    other = SynthVISSpec(width=32, height=48, length=2, val_videos=2)
    with pytest.raises(FileExistsError, match="val.json is already there"):
        generate_split(other, tmp_path, "val", workers=1)
    assert digest(tmp_path) == before
    generate_split(other, tmp_path, "val", workers=1, overwrite=True)
    assert read_spec(tmp_path, "val") == other.describe_split("val")
    assert len(list((tmp_path / "synthvis" / "val" / "JPEGImages").iterdir())) == 2


def test_killed_run_leaves_no_json_and_the_next_goes_on(tmp_path):
    spec = SynthVISSpec(width=48, height=32, length=3, train_videos=40)
    parts = tmp_path / "killed" / "synthvis" / ".train.partial" / "parts"
    process = _fork(_generate_with_two, spec, tmp_path / "killed")
    deadline = time.monotonic() + 30
    # The first video as well, whose worker may be the slower one to start.
    while not (parts / "00000.json").is_file() or len(list(parts.glob("0*.json"))) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    folder = tmp_path / "killed" / "synthvis"
    assert not (folder / "train.json").exists() and not (folder / "train").exists()
    kept = folder / ".train.partial" / "JPEGImages" / "00000" / "00000.jpg"
    written = kept.stat().st_mtime_ns
    generate_split(spec, tmp_path / "killed", "train", workers=2)
    assert (folder / "train/JPEGImages/00000/00000.jpg").stat().st_mtime_ns == written
    generate_split(spec, tmp_path / "whole", "train", workers=1)
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


def _generate_with_two(spec, root):
    generate_split(spec, root, "train", workers=2)


def test_killed_between_the_last_steps(made, tmp_path, monkeypatch):
    def fails(content, path):
        if path.name == "val.json":
            raise KeyboardInterrupt
        write(content, path)

    write = writer.write_json
    monkeypatch.setattr(writer, "write_json", fails)
    with pytest.raises(KeyboardInterrupt):
        generate_split(TINY, tmp_path, "val", workers=1)
    assert not (tmp_path / "synthvis" / "val.json").exists()
    monkeypatch.undo()
    monkeypatch.setattr(worker, "render_video", None)  # nothing is rendered again
    generate_split(TINY, tmp_path, "val", workers=1)
    assert digest(tmp_path / "synthvis" / "val") == digest(made / "synthvis" / "val")


def test_partial_folder_of_another_spec_is_not_used(made, tmp_path):
    partial = tmp_path / "synthvis" / ".val.partial"
    (partial / "parts").mkdir(parents=True)
    (partial / "parts" / "00000.json").write_text("[]")
    (partial / "spec.json").write_text('{"width": 1}')
    generate_split(TINY, tmp_path, "val", workers=1)
    assert (tmp_path / "synthvis/val.json").read_bytes() == (
        made / "synthvis/val.json"
    ).read_bytes()
    assert not partial.exists()


def test_ensure_makes_once_and_says_so(made, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="rcf_vis.synthvis"):
        ensure_synthvis(tmp_path, spec=TINY, workers=1)
    (record,) = caplog.records
    message = record.getMessage()
    assert "9 train videos and 4 val videos (3 frames of 48x32" in message
    assert str(tmp_path / "synthvis") in message
    assert digest(tmp_path) == digest(made)
    caplog.clear()
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jp*g")}
    ensure_synthvis(tmp_path, spec=SynthVISSpec(seed=5))
    assert not caplog.records
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.jp*g")} == times


def test_ensure_follows_the_split_that_is_there(tmp_path, monkeypatch):
    asked = []
    spec = SynthVISSpec(width=48, height=32, length=1, val_videos=2, difficulty=0.9)
    generate_split(spec, tmp_path, "val", workers=1)
    (tmp_path / "synthvis" / "train").mkdir()
    with pytest.raises(FileExistsError, match="train is already there"):
        ensure_synthvis(tmp_path)
    (tmp_path / "synthvis" / "train").rmdir()
    small = SynthVISSpec(width=48, height=32, length=1, train_videos=2)
    ensure_synthvis(tmp_path, ("val",), spec=small)
    assert read_spec(tmp_path, "train") is None
    monkeypatch.setattr(writer, "_generate", lambda spec, *args, **kwargs: asked.append(spec))
    ensure_synthvis(tmp_path)
    assert [s.describe_split("train") for s in asked] == [spec.describe_split("train")]


def test_two_processes_at_once_make_one_set(made, tmp_path):
    processes = [_fork(_ensure, tmp_path) for _ in range(2)]
    for process in processes:
        process.join(60)
    assert [p.exitcode for p in processes] == [0, 0]
    assert digest(tmp_path) == digest(made)


def _ensure(root):
    ensure_synthvis(root, spec=TINY, workers=2)


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="unknown SynthVIS split 'dev'"):
        generate_split(TINY, tmp_path, "dev")
    with pytest.raises(ValueError, match="unknown SynthVIS split 'dev'"):
        ensure_synthvis(tmp_path, ("dev",))
    with pytest.raises(ValueError, match="workers must be at least 1"):
        generate_split(TINY, tmp_path, "train", workers=0)
    assert not any(tmp_path.iterdir())


def test_failing_process_is_an_error_and_leaves_no_json(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(worker, "_START", "raise SystemExit(3)")
    with pytest.raises(RuntimeError, match=r"renders train ended with status \[3"):
        generate_split(TINY, tmp_path, "train", workers=2)
    assert not (tmp_path / "synthvis" / "train.json").exists()
