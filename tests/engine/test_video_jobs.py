"""Many videos: which there are, their results, a second start, and what cannot be tracked."""

import json
import os

import numpy as np
import pytest

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from rcf_vis.engine import video_jobs
from rcf_vis.engine.video_jobs import find_videos
from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import open_frames
from rcf_vis.inference.video_writer import VideoWriter
from tests.engine.many_videos import CONFIG, OPTIONS, arguments, make_videos
from tests.scripts import ROOT, load_script


@pytest.fixture(scope="module")
def script():
    return load_script("tools/track_videos.py")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    return make_videos(tmp_path_factory.mktemp("videos"))


def results_in(folder):
    names = set(os.listdir(folder)) - {".lock", "videos.json", "failed.json"}
    return {name: (folder / name).read_bytes() for name in names}


def test_one_result_a_video_as_one_predictor_gives_it(script, videos, tmp_path):
    assert script.main(arguments(videos, tmp_path / "out")) == 0
    found = results_in(tmp_path / "out")
    assert sorted(found) == ["a.mp4.json", "b.mp4.json", "frames.json"]
    predictor = OnlinePredictor(prepare_cfg(read_config(CONFIG, OPTIONS)))
    for video_id, name in enumerate(("a.mp4", "b.mp4", "frames"), 1):
        predictor.reset()
        tracks = TrackAccumulator(video_id=video_id)
        for frame in open_frames(videos / name):
            tracks.add(predictor(frame))
        expected = tracks.results(list(range(1, 11)))
        assert json.loads(found[f"{name}.json"]) == expected and len(expected) >= 10


def test_a_second_start_does_what_is_missing(script, tmp_path, monkeypatch):
    videos = make_videos(tmp_path / "videos")
    output = tmp_path / "out"
    script.main(arguments(videos, output))
    first = results_in(output)
    (output / "b.mp4.json").unlink()
    make_videos(videos, names=("aa.mp4",))
    done = []
    track = video_jobs.VideoTracker.__call__
    monkeypatch.setattr(
        video_jobs.VideoTracker, "__call__", lambda *a: done.append(a[1]) or track(*a)
    )
    assert script.main(arguments(videos, output)) == 0
    assert [(job.name, job.video_id) for job in done] == [("aa.mp4", 4), ("b.mp4", 2)]
    second = results_in(output)
    assert second.pop("aa.mp4.json") and second == first


def test_a_broken_video_is_reported_and_the_others_go_on(script, videos, tmp_path, capsys):
    (tmp_path / "broken.mp4").write_text("no video")
    (tmp_path / "sizes").mkdir()
    for number, name in enumerate(("frames/0.png", "frames/1.png")):
        (tmp_path / "sizes" / f"{number}.png").write_bytes((videos / name).read_bytes())
    (tmp_path / "sizes" / "2.png").write_text("no image")
    paths = [tmp_path / "broken.mp4", tmp_path / "sizes", videos / "a.mp4"]
    (tmp_path / "list.txt").write_text("\ufeff# mine\n\n" + "\n".join(map(str, paths)))
    assert script.main(arguments(tmp_path / "list.txt", tmp_path / "out")) == 1
    failed = json.loads((tmp_path / "out" / "failed.json").read_text())
    assert sorted(failed) == ["broken.mp4", "sizes"]
    assert "not a video" in failed["broken.mp4"] and "2.png is broken" in failed["sizes"]
    assert list(results_in(tmp_path / "out")) == ["a.mp4.json"]
    assert "1 of 3 videos" in capsys.readouterr().out

    (tmp_path / "broken.mp4").write_bytes((videos / "b.mp4").read_bytes())
    (tmp_path / "list.txt").write_text("broken.mp4\n" + str(videos / "a.mp4"))
    assert script.main(arguments(tmp_path / "list.txt", tmp_path / "out")) == 0
    assert not (tmp_path / "out" / "failed.json").exists()


def test_results_of_another_model(script, videos, tmp_path):
    script.main(arguments(videos, tmp_path))
    more = ["MODEL.RCF.TEST.MATCH_IOU_THRESH", "0.6"]
    with pytest.raises(ValueError, match="has results of another model"):
        script.main(arguments(videos, tmp_path, opts=more))
    (tmp_path / "videos.json").write_text("[")
    with pytest.raises(ValueError, match=r"videos\.json is no index of results"):
        script.main(arguments(videos, tmp_path))


def test_weights_that_are_not_there(script, videos, tmp_path):
    with pytest.raises(FileNotFoundError, match="MODEL.WEIGHTS is 'nothing.pth': no such file"):
        script.main(arguments(videos, tmp_path, opts=["MODEL.WEIGHTS", "nothing.pth"]))


def test_what_is_no_source(videos, tmp_path):
    listed = tmp_path / "list.txt"
    listed.write_text(f"{videos / 'a.mp4'}\nnowhere.mp4\n")
    with pytest.raises(FileNotFoundError, match="1 of 2 videos are not there: line 2, nowhere.mp4"):
        find_videos(listed)
    other = make_videos(tmp_path / "other", names=("a.mp4",))
    listed.write_text(f"{videos / 'a.mp4'}\n{other / 'a.mp4'}\n")
    with pytest.raises(ValueError, match="two videos have the name 'a.mp4'"):
        find_videos(listed)
    with pytest.raises(ValueError, match=r"a\.mp4 is one video"):
        find_videos(videos / "a.mp4")
    listed.write_bytes(b"\xff\x00\xfe")
    with pytest.raises(ValueError, match=r"list\.txt is no list of paths"):
        find_videos(listed)
    listed.write_text(str(videos / "a.mp4"), encoding="utf-16")
    assert find_videos(listed) == {"a.mp4": str(videos / "a.mp4")}
    with pytest.raises(FileNotFoundError, match="expected a folder of videos, or a list"):
        find_videos(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="is one video, a folder of images"):
        find_videos(videos / "frames")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no video in it"):
        find_videos(tmp_path / "empty")


def test_an_audio_visual_model_hears_the_videos(script, tmp_path, monkeypatch):
    path = tmp_path / "videos" / "a.mp4"
    path.parent.mkdir()
    with VideoWriter(path, frame_rate=5, sample_rate=16000) as writer:
        for _ in range(3):
            writer.write(np.zeros((48, 80, 3), np.uint8))
        writer.write_audio(np.full((1, 9600), 0.5, np.float32))
    heard = []
    predict = OnlinePredictor.__call__
    monkeypatch.setattr(
        OnlinePredictor,
        "__call__",
        lambda self, frame, **audio: heard.append(audio) or predict(self, frame, **audio),
    )
    config = str(ROOT / "configs/synthvis/rcf_tiny_av.yaml")
    assert script.main(arguments(path.parent, tmp_path / "out", config=config)) == 0
    assert [audio["audio"].shape[-1] for audio in heard] == [3200] * 3
