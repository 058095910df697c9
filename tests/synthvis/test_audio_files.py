"""SynthVIS with audio on disk: the layout, same bytes, made on first use."""

import json
import wave

import pytest

from rcf_vis.synthvis import (
    AUDIO_CATEGORIES,
    SynthVISAudioSpec,
    SynthVISSpec,
    ensure_synthvis,
    generate_split,
    read_spec,
    render_audio,
    render_video,
)
from tests.synthvis.synthvis_files import digest, make_both_splits

TINY = SynthVISAudioSpec(
    width=48, height=32, length=3, train_videos=9, val_videos=2, twins_share=1.0, frame_rate=5.0
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_both_splits(TINY, tmp_path_factory.mktemp("made"))


def test_same_bytes_for_any_number_of_workers(made, tmp_path):
    path = generate_split(TINY, tmp_path, "train", workers=2)
    assert path == tmp_path / "synthvis_av" / "train.json"
    assert digest(tmp_path / "synthvis_av" / "train") == digest(made / "synthvis_av" / "train")
    assert path.read_bytes() == (made / "synthvis_av" / "train.json").read_bytes()


def test_layout_and_fields(made):
    folder = made / "synthvis_av"
    assert {p.name for p in folder.iterdir()} == {"train.json", "val.json", "train", "val", ".lock"}
    assert {p.name for p in (folder / "val").iterdir()} == {"JPEGImages", "audio"}
    content = json.loads((folder / "val.json").read_text())
    assert [(c["id"], c["name"]) for c in content["categories"]] == [
        (c["id"], c["name"]) for c in AUDIO_CATEGORIES
    ]
    assert [video["frame_rate"] for video in content["videos"]] == [5.0, 5.0]
    for index in range(2):
        with wave.open(str(folder / "val" / "audio" / f"{index:05d}.wav")) as file:
            assert (file.getframerate(), file.getnframes()) == (16000, 9600)
            assert file.readframes(9600) == render_audio(TINY, "val", index).tobytes()
    expected = [{**a, "id": 0} for i in range(2) for a in render_video(TINY, "val", i)[1]]
    assert [{**a, "id": 0} for a in content["annotations"]] == expected
    assert {type(a["sounds"]) for a in content["annotations"]} == {bool}


def test_it_lies_beside_the_silent_one_and_is_made_once(made, tmp_path, caplog):
    silent = SynthVISSpec(width=48, height=32, length=1, train_videos=1, val_videos=1)
    generate_split(silent, tmp_path, "val", workers=1)
    before = digest(tmp_path)
    with caplog.at_level("INFO", logger="rcf_vis.synthvis"):
        ensure_synthvis(tmp_path, ("val",), TINY, workers=1)
    assert "SynthVIS with audio is not there yet: making 2 val videos" in caplog.text
    assert digest(tmp_path / "synthvis_av" / "val") == digest(made / "synthvis_av" / "val")
    caplog.clear()
    ensure_synthvis(tmp_path, ("val",), spec_class=SynthVISAudioSpec)
    assert not caplog.records
    assert read_spec(tmp_path, "val", SynthVISAudioSpec) == TINY.describe_split("val")
    assert read_spec(tmp_path, "val") == silent.describe_split("val")
    for path in (tmp_path / "synthvis_av").rglob("*"):
        if path.is_file():
            path.unlink()
    for path in sorted((tmp_path / "synthvis_av").rglob("*"), reverse=True):
        path.rmdir()
    (tmp_path / "synthvis_av").rmdir()
    assert digest(tmp_path) == before


def test_the_other_split_follows_the_one_that_is_there(made, tmp_path):
    generate_split(TINY, tmp_path, "val", workers=1)
    described = read_spec(tmp_path, "val", SynthVISAudioSpec)
    spec = SynthVISAudioSpec.from_description({**described, "num_videos": 2})
    assert (spec.twins_share, spec.frame_rate, spec.train_videos) == (1.0, 5.0, 2000)
