"""tools/visualize_data.py: annotated videos, and clips as the loader feeds them."""

import json

import cv2
import numpy as np
import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog

from tests.data.clip_data import make_content, write_frames
from tests.scripts import load_script

NAME = "viewed_clips"


@pytest.fixture(scope="module")
def viewer():
    return load_script("tools/visualize_data.py")


@pytest.fixture
def words(tmp_path, patch_cfg):
    content = make_content(lengths=(5, 3), size=(64, 96))
    write_frames(content, tmp_path / "frames")
    (tmp_path / "clips.json").write_text(json.dumps(content))
    patch_cfg.DATASETS.REGISTER = [[NAME, str(tmp_path / "clips.json"), str(tmp_path / "frames")]]
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 2
    patch_cfg.INPUT.MIN_SIZE_TRAIN = (64,)
    path = tmp_path / "tiny.yaml"
    path.write_text(patch_cfg.dump())
    yield ["--config-file", str(path), "--dataset", NAME, "--output"]
    if NAME in DatasetCatalog.list():
        DatasetCatalog.remove(NAME)
        MetadataCatalog.remove(NAME)


def pictures(folder):
    return {path.name: cv2.imread(str(path)) for path in sorted(folder.iterdir())}


def test_annotated_videos(viewer, words, tmp_path, capsys):
    out = tmp_path / "out"
    viewer.main([*words, str(out), "--num-frames", "4"])
    drawn = pictures(out)
    assert list(drawn) == [f"{NAME}_1.png", f"{NAME}_2.png"]
    assert [picture.shape[1] for picture in drawn.values()] == [28 + 4 * 324, 28 + 3 * 324]
    assert capsys.readouterr().out == f"Wrote 2 strips to {out}\n"


def test_clips_of_the_loader(viewer, words, tmp_path):
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    command = [*words[:-1], "--num-clips", "3", "--output"]
    viewer.main([*command, str(first), "--mapper"])
    viewer.main([*command, str(again), "--source", "dataloader"])
    viewer.main([*command, str(other), "--mapper", "--seed", "1"])
    drawn = pictures(first)
    assert [name.rsplit("_", 1)[0] for name in drawn] == [f"clip_{k:04d}" for k in range(3)]
    assert all(picture.shape[1] == 28 + 3 * 324 for picture in drawn.values())
    for one, same in zip(drawn.values(), pictures(again).values(), strict=True):
        assert np.array_equal(one, same)
    different = pictures(other)
    assert list(different) != list(drawn) or any(
        not np.array_equal(drawn[name], different[name]) for name in drawn
    )


def test_unknown_config(viewer, tmp_path, capsys):
    with pytest.raises(SystemExit):
        viewer.main(["--config-file", "none.yaml", "--output", str(tmp_path)])
    assert "no such config file" in capsys.readouterr().err
