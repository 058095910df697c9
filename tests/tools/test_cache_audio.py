"""The script that fills a cache: what it computes, keeps, makes anew and reports."""

import re

import numpy as np
import pytest
import torch
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis import add_rcf_config
from rcf_vis.checkpoint.part_weights import load_audio_weights
from rcf_vis.data import ClipDatasetMapper, FrameAudio, load_ytvis_json
from rcf_vis.modeling.audio import AudioContext, build_audio_net
from tests.data.audio_data import expected_patch, noise, write_audio_dataset, write_wav
from tests.scripts import load_script

NAME, ETA, AUDIO = "test_cache_audio", 16, noise(0.7)


@pytest.fixture(scope="module")
def script():
    return load_script("tools/cache_audio.py")


@pytest.fixture
def paths(tmp_path):
    """Videos 1 and 3 have audio, video 2 has none."""
    (tmp_path / "set").mkdir()
    audio = {"video1": AUDIO, "video3": noise(0.5, seed=3)}
    yield write_audio_dataset(tmp_path / "set", audio, lengths=(70, 2, 3), frame_rate=100.0)
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


@pytest.fixture
def config(tmp_path, paths):
    """A config file of a small audio net with saved weights, and its cfg."""

    def write(seed=0, **changes):
        cfg = get_cfg()
        add_rcf_config(cfg)
        cfg.MODEL.DEVICE = "cpu"
        audio = cfg.MODEL.RCF.AUDIO
        audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 8, ETA
        torch.manual_seed(seed)
        net = build_audio_net(cfg)
        torch.save(net.state_dict(), tmp_path / f"net{seed}.pth")
        audio.WEIGHTS = str(tmp_path / f"net{seed}.pth")
        cfg.DATASETS.REGISTER = [[NAME, *paths]]
        cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (NAME,), (NAME,)
        cfg.DATASETS.AUDIO_CACHE = str(tmp_path / "cache")
        cfg.merge_from_list([part for item in changes.items() for part in item])
        (tmp_path / "config.yaml").write_text(cfg.dump())
        return str(tmp_path / "config.yaml"), cfg, net

    return write


def run(script, capsys, *arguments):
    status = script.main(["--config-file", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_features_are_those_of_the_net_and_the_mapper_takes_them(script, config, capsys, paths):
    file, cfg, net = config()
    status, out, _ = run(script, capsys, file)
    assert status == 0
    assert f"{NAME}: 2 videos computed, 0 up to date, 1 without audio, 0 not readable" in out
    records = load_ytvis_json(*paths[:2], audio_root=paths[2])
    with torch.no_grad():
        expected = net(torch.stack([expected_patch(AUDIO, t, 100.0, ETA) for t in range(70)]))
        silence = net(torch.full((1, ETA, 64), float(np.log(0.01))))
    mapper = ClipDatasetMapper(cfg, is_train=False)
    found = torch.stack(list(mapper(records[0])["audio_features"]))
    assert torch.allclose(found, expected, atol=1e-5) and found.dtype == torch.float32
    silent = torch.stack(list(mapper(records[1])["audio_features"]))
    assert torch.allclose(silent, silence.expand(2, -1), atol=1e-5)


def test_the_network_gets_the_same_with_a_cache_and_without(script, config, capsys, paths):
    file, cfg, _ = config()
    run(script, capsys, file)
    branch, records = AudioContext(cfg), load_ytvis_json(*paths[:2], audio_root=paths[2])
    load_audio_weights(branch.net, cfg.MODEL.RCF.AUDIO.WEIGHTS)
    features = {}
    for folder in (cfg.DATASETS.AUDIO_CACHE, ""):
        cfg.DATASETS.AUDIO_CACHE = folder
        audio = FrameAudio(cfg)
        clips = [audio.of_frames(records[0], [40, 41, 60]), audio.of_frames(records[1], [0, 0, 1])]
        assert all(set(clip) == {"audio_features" if folder else "audio"} for clip in clips)
        features[folder] = branch.features_of_clips(clips, 3)
    one, other = features.values()
    assert one.shape == (3, 2, 8) and torch.allclose(one, other, atol=1e-5)
    assert not torch.allclose(one[0, 0], one[2, 0], atol=1e-3)


def test_only_what_is_outdated_is_made_anew(script, config, capsys, paths, tmp_path):
    file, _, _ = config()
    run(script, capsys, file)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("video*")}
    assert len(before) == 2
    write_wav(tmp_path / "set/audio/video3.wav", noise(0.6, seed=4))
    status, out, _ = run(script, capsys, file)
    assert status == 0 and "1 videos computed, 1 up to date" in out
    changed = {path.name[:6] for path, date in before.items() if path.stat().st_mtime_ns != date}
    assert changed == {"video3"}
    file, _, _ = config(seed=1)
    assert "2 videos computed, 0 up to date" in run(script, capsys, file)[1]


def test_audio_that_cannot_be_read_is_named_and_the_others_are_made(
    script, config, capsys, tmp_path
):
    file, _, _ = config()
    broken = tmp_path / "set/audio/video1.wav"
    broken.write_bytes(b"RIFF")
    status, out, err = run(script, capsys, file)
    assert status == 1 and "1 videos computed, 0 up to date, 1 without audio, 1 not" in out
    assert re.search(rf"video 1, audio {broken}: ", err)


def test_names_and_changes_of_the_config_on_the_command_line(script, config, capsys, tmp_path):
    file, _, _ = config()
    changes = ["DATASETS.AUDIO_CACHE", str(tmp_path / "other")]
    assert run(script, capsys, file, "--dataset", NAME, "--opts", *changes)[0] == 0
    assert len(list((tmp_path / "other").iterdir())) == 3 and not (tmp_path / "cache").exists()
    assert run(script, capsys, file, "--opts", *changes)[0] == 0


def test_the_weights_of_a_trained_model_are_the_nets(script, config, capsys, tmp_path):
    """A checkpoint with the same audio net finds the same cache up to date."""
    file, cfg, net = config()
    run(script, capsys, file)
    weights = {f"audio.net.{name}": value for name, value in net.state_dict().items()}
    model = tmp_path / "model.pth"
    torch.save({"model": {**weights, "other": torch.zeros(2)}, "iteration": 5}, model)
    opts = ["--opts", "MODEL.WEIGHTS", str(model)]
    out = run(script, capsys, file, *opts, "MODEL.RCF.AUDIO.WEIGHTS", "")[1]
    assert "0 videos computed, 2 up to date" in out
    weights["audio.net.embeddings.0.bias"] += 1
    torch.save({"model": weights}, model)
    assert "2 videos computed" in run(script, capsys, file, *opts)[1]
    del weights["audio.net.embeddings.0.bias"]
    torch.save({"model": weights}, model)
    status, _, err = run(script, capsys, file, *opts)
    assert status == 1 and "MODEL.WEIGHTS" in err and "does not fit" in err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("MODEL.RCF.AUDIO.ENABLED", False, "ENABLED is False"),
        ("MODEL.RCF.AUDIO.FREEZE", False, "FREEZE is False"),
        ("MODEL.RCF.AUDIO.WEIGHTS", "", "random weights"),
    ],
)
def test_features_that_could_not_be_kept_are_refused(script, config, capsys, key, value, message):
    file, cfg, _ = config(**{key: value})
    status, _, err = run(script, capsys, file)
    assert status == 1 and message in err
    if cfg.MODEL.RCF.AUDIO.ENABLED:
        with pytest.raises(ValueError, match=message):
            ClipDatasetMapper(cfg)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "no_such_set"], "argument --dataset: no data set 'no_such_set'"),
        (["--opts", "DATASETS.AUDIO_CACHE", ""], "DATASETS.AUDIO_CACHE is empty"),
        (["--opts", "MODEL.NO_SUCH_KEY", "1"], "NO_SUCH_KEY"),
    ],
)
def test_a_bad_argument_is_named(script, config, capsys, arguments, message):
    file, _, _ = config()
    with pytest.raises(SystemExit) as exit_info:
        script.main(["--config-file", file, *arguments])
    assert exit_info.value.code == 2 and message in capsys.readouterr().err
