"""The check of audio: how many videos have it, what is broken, and what is not of one length."""

from pathlib import Path

import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from tests.data.audio_data import (
    noise,
    wav_header_with_rate,
    write_audio_dataset,
    write_video_file,
    write_wav,
)
from tests.scripts import load_script

NAME = "test_check_audio"


@pytest.fixture(scope="module")
def check():
    return load_script("datasets/check.py")


@pytest.fixture
def examine(check, tmp_path, capsys):
    """Write videos of one second, two frames a second, with audio; check them."""

    def run(audio, videos=2, change=lambda folder: None, options=()):
        paths = write_audio_dataset(tmp_path, audio, lengths=(2,) * videos, frame_rate=2)
        change(tmp_path / "audio")
        status = check.main(["--register-audio", NAME, *paths, *options])
        return status, capsys.readouterr().out

    yield run
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def test_audio_that_is_well(examine, tmp_path):
    status, out = examine({"video1": noise(1.0, channels=2), "video2": noise(1.4)})
    assert status == 0 and f"{NAME}: ok" in out
    assert f"  audio   {tmp_path}/audio, of 2 of 2 videos" in out and "note" not in out


def test_what_is_silent_or_of_another_length_is_noted(examine, tmp_path):
    def change(folder):
        write_video_file(folder / "video2.mkv", None)
        write_wav(folder / "vidoe5.wav", noise(1.0))

    audio = {"video3": noise(0.4), "video4": noise(2.75)}
    status, out = examine(audio, videos=5, change=change)
    assert status == 0 and f"{NAME}: ok" in out and "of 3 of 5 videos" in out
    for note in (
        "2 videos without audio: silence\n    video 1\n    video 5\n",
        "1 video files without an audio track: silence\n    video 2, ",
        "1 audio tracks shorter than the video: silence follows\n    video 3, ",
        f"{tmp_path}/audio/video3.wav: 0.40 s, the video 1.00 s",
        "1 audio tracks longer than the video: the end is not used\n    video 4, ",
        f"1 audio files that belong to no video\n    {tmp_path}/audio/vidoe5.wav",
    ):
        assert note in out


def _nan(path):
    values = np.zeros((8000, 1), dtype=np.float32)
    values[100] = np.nan
    write_wav(path, values)


def _rate_0(path):
    write_wav(path, noise(1.0))
    wav_header_with_rate(path, 0)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: write_wav(path, noise(0)), "0 samples"),
        (_nan, "not finite"),
        (lambda path: write_wav(path, noise(1.0, channels=96)), "96"),
        (_rate_0, ""),
        (lambda path: path.write_bytes(b"RIFF no audio"), ""),
    ],
)
def test_broken_audio_is_a_fault_that_names_file_and_video(examine, tmp_path, break_it, message):
    status, out = examine(
        {"video1": noise(1.0)}, change=lambda folder: break_it(folder / "video2.wav")
    )
    assert status == 1 and f"{NAME}: 1 fault\n" in out and "  audio: 1\n" in out
    (line,) = [line for line in out.splitlines() if line.startswith("    video 2, audio")]
    assert f"{tmp_path}/audio/video2.wav" in line and message in line


def test_many_are_counted_and_some_are_named(examine):
    status, out = examine({}, videos=5, options=["--limit", "2"])
    assert status == 0
    assert "5 videos without audio: silence\n    video 1\n    video 2\n    … and 3 more" in out


def test_a_folder_of_audio_that_is_not_there(check, write_dataset, capsys):
    try:
        arguments = ["--register-audio", NAME, *write_dataset(), "nowhere"]
        assert check.main(arguments) == 1
        assert "nowhere is not there" in capsys.readouterr().out
    finally:
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def test_a_public_set_without_its_folder_of_audio(check, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "avis" / "test"
    folder.mkdir(parents=True)
    json_file, frames, _ = write_audio_dataset(tmp_path, {}, lengths=(2,))
    Path(json_file).rename(tmp_path / "avis/test.json")
    Path(frames).rename(folder / "JPEGImages")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    assert check.main(["avis_test"]) == 0
    out = capsys.readouterr().out
    assert "note: no folder of audio, all videos are silent: tried avis/test/audio, " in out


def test_a_set_without_audio_is_not_asked_for_it(check, write_dataset, capsys):
    try:
        assert check.main(["--register", NAME, *write_dataset()]) == 0
        assert "  audio " not in capsys.readouterr().out
    finally:
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)
