"""Actors of Ray Data: the same bytes as in one process, also when one of them is killed."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tests.engine.many_videos import arguments, make_videos
from tests.scripts import load_script

pytest.importorskip("ray")

NAMES = [f"{number:02}.mp4" for number in range(16)]


def _actors():
    """Process ids of the actors that wait or work, of this user."""
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and b"ray::MapWorker" in (folder / "cmdline").read_bytes():
                yield int(folder.name)
        except OSError:  # it has just ended, or is not ours
            continue


def _kill_one_when_some_are_done(output, kills):
    while not (done := len(list(output.glob("*.mp4.json")))):
        time.sleep(0.01)
    victim = next(_actors())
    os.kill(victim, signal.SIGKILL)
    kills.append(done)


def test_two_actors_of_which_one_is_killed(tmp_path):
    script = load_script("tools/track_videos.py")
    videos = make_videos(tmp_path / "videos", names=NAMES, length=6)
    assert script.main(arguments(videos, tmp_path / "local")) == 0

    kills = []
    thread = threading.Thread(
        target=_kill_one_when_some_are_done, args=(tmp_path / "ray", kills), daemon=True
    )
    thread.start()
    assert script.main(arguments(videos, tmp_path / "ray", "--engine", "ray", "--actors", "2")) == 0
    thread.join(5)
    assert kills and kills[0] < len(NAMES)
    for name in (*(f"{name}.json" for name in NAMES), "videos.json"):
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_more_actors_than_cores(tmp_path):
    script = load_script("tools/track_videos.py")
    videos = make_videos(tmp_path / "videos", names=NAMES[:1])
    with pytest.raises(ValueError, match="--actors 4096 need a CPU each"):
        script.main(arguments(videos, tmp_path / "ray", "--engine", "ray", "--actors", "4096"))
