"""Which file holds the audio of which video, and what a json says of its frame rate."""

import json

import pytest

from rcf_vis.audio.folder import AudioFolder, all_audio_files
from rcf_vis.data import DatasetError, load_ytvis_json
from tests.data.clip_data import make_content


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("there", "frame", "expected"),
    [
        (["cow.wav"], "cow/00000.jpg", "cow.wav"),
        (["cow.mp4"], "cow/00000.jpg", "cow.mp4"),
        (["cow.mkv", "cow.flac", "cow.wav", "cow.mp3"], "cow/00000.jpg", "cow.wav"),
        (["cow.mkv", "cow.flac", "cow.mp3"], "cow/00000.jpg", "cow.flac"),
        (["cow.WAV"], "cow/00000.jpg", "cow.WAV"),
        (["a.b.wav", "a.wav"], "a.b/00000.jpg", "a.b.wav"),
        (["farm/cow.wav", "cow.wav"], "farm/cow/00000.jpg", "farm/cow.wav"),
        (["cow.wav"], "./cow/00000.jpg", "cow.wav"),
        (["cow.txt", "cow", "cows.wav"], "cow/00000.jpg", None),
        (["cow.wav"], "farm/cow/00000.jpg", None),
        (["00000.wav"], "00000.jpg", None),
        ([], "cow/00000.jpg", None),
    ],
)
def test_the_audio_of_a_video_is_named_as_the_folder_of_its_frames(
    tmp_path, there, frame, expected
):
    put(tmp_path, *there)
    found = AudioFolder(str(tmp_path)).of_video([frame, "another/00001.jpg"])
    assert found == (None if expected is None else str(tmp_path / expected))


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    from rcf_vis.audio import folder as audio_files

    put(tmp_path, "a.wav", "b.wav", "deep/c.wav")
    listed, list_folder = [], audio_files._files_in
    monkeypatch.setattr(
        audio_files, "_files_in", lambda folder: listed.append(folder) or list_folder(folder)
    )
    files = AudioFolder(str(tmp_path))
    for name in ("a", "b", "none", "deep/c", "deep/d"):
        files.of_video([f"{name}/00000.jpg"])
    assert listed == [str(tmp_path), str(tmp_path / "deep")]


def test_all_files_with_audio(tmp_path):
    put(tmp_path, "b.wav", "a.mp4", "deep/c.ogg", "deep/d.json")
    expected = [str(tmp_path / name) for name in ("a.mp4", "b.wav", "deep/c.ogg")]
    assert list(all_audio_files(str(tmp_path))) == expected


def load(root, change=lambda content: None, audio_root="audio"):
    content = make_content(lengths=(3, 2))
    change(content)
    (root / "a.json").write_text(json.dumps(content))
    audio_root = None if audio_root is None else str(root / audio_root)
    return load_ytvis_json(str(root / "a.json"), "frames", audio_root=audio_root)


def test_records_say_where_the_audio_is_and_how_fast_the_frames_come(tmp_path):
    put(tmp_path, "audio/video2.wav")

    def change(content):
        content["videos"][0]["fps"] = 29.97
        content["videos"][1].update(frame_rate=5, fps=None)

    records = load(tmp_path, change)
    assert [record["audio_file"] for record in records] == [None, f"{tmp_path}/audio/video2.wav"]
    assert [record["frame_rate"] for record in records] == [29.97, 5.0]
    assert isinstance(records[1]["frame_rate"], float)


def test_without_a_field_the_frame_rate_is_that_of_the_paper(tmp_path):
    assert [record["frame_rate"] for record in load(tmp_path)] == [6.0, 6.0]


def test_records_of_a_set_without_audio_do_not_speak_of_it(tmp_path):
    for record in load(tmp_path, audio_root=None):
        assert not {"audio_file", "frame_rate"} & set(record)


@pytest.mark.parametrize("value", [0, -6, "6", True, [6], float("inf"), float("nan")])
@pytest.mark.parametrize("key", ["frame_rate", "fps"])
def test_a_bad_frame_rate_is_named(tmp_path, key, value):
    with pytest.raises(DatasetError, match=rf"a\.json: video 2: '{key}' is .*frames a second"):
        load(tmp_path, lambda content: content["videos"][1].update({key: value}))
