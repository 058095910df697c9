"""experiments/pretrain_audio.py: what is learned, from what, and what is written."""

import json
from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog

from rcf_vis.config import read_config
from rcf_vis.data import register_ytvis_instances
from rcf_vis.modeling.audio import AudioContext, SmallAudioNet
from rcf_vis.modeling.audio.audio_tokens import AudioTokenizer
from rcf_vis.synthvis import AUDIO_CATEGORIES, SynthVISAudioSpec, generate_split
from tests.scripts import ROOT, load_script

NAME = "for_pretrain_audio"


@pytest.fixture(scope="module")
def tool():
    return load_script("experiments/pretrain_audio.py")


@pytest.fixture
def dataset(tmp_path):
    spec = SynthVISAudioSpec(train_videos=3, width=96, height=64, length=4, silent_share=0.5)
    json_file = generate_split(spec, tmp_path, "train", workers=1)
    folder = tmp_path / spec.folder / "train"
    register_ytvis_instances(
        NAME, {}, str(json_file), str(folder / "JPEGImages"), str(folder / "audio")
    )
    yield json.loads(json_file.read_text())
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def make_cfg(*opts):
    config = ROOT / "configs" / "synthvis" / "rcf_tiny_av.yaml"
    train = ("DATASETS.TRAIN", f"('{NAME}',)")
    return read_config(str(config), ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", *train, *opts])


def test_labels_are_what_sounds(tool, dataset):
    patches, labels = tool.load_patches(make_cfg())
    assert [p.shape for p in patches] == 3 * [(4, 96, 64)]
    for row, video in zip(labels, dataset["videos"], strict=True):
        objects = [a for a in dataset["annotations"] if a["video_id"] == video["id"]]
        sounding = {a["category_id"] - 1 for a in objects if a["sounds"]}
        assert row.nonzero().flatten().tolist() == sorted(sounding)
    assert {a["sounds"] for a in dataset["annotations"]} == {True, False}


def test_an_object_of_no_video_is_left_out(tool, dataset):
    DatasetCatalog.get(NAME)  # the metadata are set
    before = tool.sounding_categories(NAME, 10)
    json_file = Path(MetadataCatalog.get(NAME).json_file)
    dataset["annotations"].append({**dataset["annotations"][0], "id": 99, "video_id": 99})
    json_file.write_text(json.dumps(dataset))
    after = tool.sounding_categories(NAME, 10)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[video], after[video]) for video in before)


def test_windows_end_anywhere_and_begin_with_the_first_frame(tool):
    frames = torch.arange(3.0)[:, None, None].expand(3, 96, 64)
    generator = torch.Generator().manual_seed(0)
    found = tool.windows(30 * [frames], 3, generator)
    assert found.shape == (3, 30, 96, 64)
    assert {tuple(w) for w in found[:, :, 0, 0].T.tolist()} == {(0, 0, 0), (0, 0, 1), (0, 1, 2)}


def test_pitches_are_told_apart(tool):
    torch.manual_seed(0)
    tokens = AudioTokenizer(feature_dim=32, hidden_dim=16, lstm_hidden=16)
    audio = AudioContext(net=SmallAudioNet(feature_dim=32), tokens=tokens, freeze=True)
    labels = torch.eye(2).repeat(8, 1)
    patches = [torch.randn(4, 96, 64) / 4 - 3 for _ in labels]
    for patch, of_video in zip(patches, labels, strict=True):
        patch[:, :, 10 + 30 * int(of_video[1])] += 4
    args = tool.get_parser().parse_args(
        ["--output", "x", "--iterations", "60", "--batch-size", "16", "--lr", "5e-3"]
    )
    assert tool.train(audio, [p.half() for p in patches], labels, args, delta=1) < 0.35
    last = audio([audio.features(torch.stack([p[0] for p in patches]))] * 2).tokens
    assert last.std(0).mean() > 0.1  # another token for other audio


def test_only_the_audio_is_changed(tool, dataset, tmp_path):
    out = tmp_path / "pretrained.pth"
    cfg = make_cfg()
    torch.manual_seed(0)
    before = tool.Trainer.build_model(cfg).state_dict()
    opts = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", "", "DATASETS.TRAIN", f"('{NAME}',)"]
    tool.main(["--output", str(out), "--iterations", "2", "--batch-size", "2", "--opts", *opts])
    content = torch.load(out, weights_only=True)
    after = content["model"]
    assert content["class_names"] == [category["name"] for category in AUDIO_CATEGORIES]
    changed = {key for key in before if not torch.equal(before[key], after[key])}
    assert changed and all(key.startswith("audio.") for key in changed)
    assert any("audio.net" in key for key in changed)


def test_a_model_without_audio_is_refused(tool, tmp_path):
    with pytest.raises(SystemExit, match="AUDIO.ENABLED is False"):
        tool.main(
            ["--output", str(tmp_path / "x.pth"), "--opts", "MODEL.RCF.AUDIO.ENABLED", "False"]
        )


def test_no_audio(tool, dataset, tmp_path):
    for wav in tmp_path.rglob("*.wav"):
        wav.unlink()
    with pytest.raises(ValueError, match="no video has an audio track"):
        tool.load_patches(make_cfg())
