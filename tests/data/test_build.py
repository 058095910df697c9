"""The loaders."""

import logging

import numpy as np
import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.data import build as detectron2_build

from rcf_vis.data import (
    DatasetError,
    build_test_loader,
    build_train_loader,
    get_video_dicts,
    register_ytvis_instances,
)
from rcf_vis.data.build import list_tracks
from rcf_vis.data.categories import YTVIS_2019_CATEGORIES

from .clip_data import make_content
from .coco_data import make_annotation, make_image, write_coco


@pytest.fixture
def register(write_dataset):
    """Write and register a data set under a name of this test alone."""
    names = []

    def make(name: str, content: dict | None = None, **kwargs) -> str:
        json_file, image_root = write_dataset(content, folder=name, **kwargs)
        register_ytvis_instances(name, {}, json_file, image_root)
        names.append(name)
        return name

    yield make
    for name in names:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_two_workers_feed_endless_batches(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_train", lengths=(3, 1, 5)),)
    cfg.DATALOADER.NUM_WORKERS = 2
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 2
    batches = iter(build_train_loader(cfg))
    seen = set()
    for _ in range(6):
        batch = next(batches)
        assert len(batch) == 2
        for sample in batch:
            assert [image.shape for image in sample["image"]] == [(3, 48, 64)] * 3
            assert len(sample["instances"][0]) == 2
            seen.add(sample["video_id"])
    assert seen == {1, 2, 3}


def test_clips_longer_than_every_video_are_refused(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_long", lengths=(3, 1, 5)),)
    cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES = 6
    with pytest.raises(ValueError, match=r"NUM_SUPERVISED_FRAMES is 6, but the longest .* has 5"):
        build_train_loader(cfg)
    cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES = 5
    build_train_loader(cfg)


def test_two_workers_read_videos_in_order_and_lazily(register, cfg):
    name = register("test_build_test", lengths=(3, 1, 5))
    cfg.DATALOADER.NUM_WORKERS = 2
    batches = list(build_test_loader(cfg, name))
    assert [[sample["video_id"] for sample in batch] for batch in batches] == [[1], [2], [3]]
    for batch, length in zip(batches, (3, 1, 5), strict=True):
        assert [frame.shape for frame in batch[0]["image"]] == [(3, 48, 64)] * length


def test_workers_draw_different_targets(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_seeds", lengths=(40,)),)
    cfg.DATALOADER.NUM_WORKERS = 2
    cfg.SOLVER.IMS_PER_BATCH = 1
    torch.manual_seed(0)
    np.random.seed(0)
    batches = iter(build_train_loader(cfg))
    targets = [next(batches)[0]["file_names"][-1] for _ in range(12)]
    assert len(set(targets[0::2])) > 2 and targets[0::2] != targets[1::2]


def test_a_mapper_of_one_s_own(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_mapper"),)
    assert next(iter(build_train_loader(cfg, mapper=lambda record: record["length"]))) == [6, 6]
    assert next(iter(build_test_loader(cfg, cfg.DATASETS.TRAIN[0], lambda r: r["width"]))) == [64]


def test_sets_are_joined_and_empty_videos_left_out(register):
    content = make_content(lengths=(2, 2, 2))
    content["annotations"] = content["annotations"][:3]  # none in video 3
    content["annotations"][2]["iscrowd"] = 1  # video 2 has a crowd alone
    names = [register("test_build_a", content), register("test_build_b", lengths=(4,))]
    records = get_video_dicts(names)
    assert [(record["video_id"], record["length"]) for record in records] == [(1, 2), (1, 4)]
    assert len(get_video_dicts(names, filter_empty=False)) == 4
    assert [list_tracks(record) for record in records] == [{10: 0, 11: 1}, {10: 0, 11: 1}]


def test_the_table_counts_tracks_not_masks(register, caplog):
    content = make_content(lengths=(4, 7))
    content["annotations"].pop()
    with caplog.at_level(logging.INFO, logger=detectron2_build.__name__):
        get_video_dicts([register("test_build_table", content)])
    words = caplog.text.split()
    assert [words[words.index(name) + 2] for name in ("ball", "box", "total")] == ["2", "1", "3"]


def test_different_classes_name_both_sets(register):
    other = make_content()
    other["categories"] = [{"id": 3, "name": "ball"}, {"id": 7, "name": "cone"}]
    names = [register("test_build_c"), register("test_build_d", other)]
    with pytest.raises(DatasetError, match=r"'test_build_c' and 'test_build_d'.*box.*cone"):
        get_video_dicts(names)


def test_training_without_annotations_names_the_set_but_testing_works(register, cfg):
    name = register("test_build_null", {**make_content(), "annotations": None})
    with pytest.raises(DatasetError, match=r"'test_build_null' has no annotations.*\.json"):
        get_video_dicts([name])
    assert len(list(build_test_loader(cfg, name))) == 1


def test_a_set_of_empty_videos_is_refused(register):
    name = register("test_build_empty", {**make_content(), "annotations": []})
    with pytest.raises(DatasetError, match="no video with an annotated object in test_build_empty"):
        get_video_dicts([name])


def test_bad_names_are_refused(cfg):
    with pytest.raises(KeyError, match="test_build_unknown"):
        get_video_dicts(["test_build_unknown"])
    for names in ((), "ytvis_2019_train"):
        with pytest.raises(ValueError, match=r"DATASETS\.TRAIN is .* expected a list"):
            get_video_dicts(names)


def test_rare_classes_are_repeated(register, cfg):
    content = make_content(lengths=(1,) * 4, objects=1)
    content["annotations"][3]["category_id"] = 7  # one video of four
    cfg.DATASETS.TRAIN = (register("test_build_repeat", content),)
    cfg.DATALOADER.SAMPLER_TRAIN = "RepeatFactorTrainingSampler"
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 0
    cfg.DATALOADER.REPEAT_THRESHOLD = 1.0  # sqrt(1 / 0.25) = 2 to sqrt(1 / 0.75) = 1.15
    cfg.SOLVER.IMS_PER_BATCH = 1
    torch.manual_seed(0)
    batches = iter(build_train_loader(cfg, mapper=lambda record: record["video_id"]))
    counts = np.bincount([next(batches)[0] for _ in range(400)], minlength=5)
    assert counts[4] / counts[1:4].mean() == pytest.approx(2 / 1.1547, rel=0.2)


def test_an_unknown_sampler_is_named(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_sampler"),)
    cfg.DATALOADER.SAMPLER_TRAIN = "AlphabeticalSampler"
    with pytest.raises(ValueError, match="SAMPLER_TRAIN is 'AlphabeticalSampler'"):
        build_train_loader(cfg)


def mapped_paths(record):
    return record["file_names"][0]


@pytest.mark.parametrize("workers", [0, 2])
def test_the_ratio_is_the_share_of_the_clips(register, cfg, workers):
    large = register("test_build_large", lengths=(2,) * 30)
    small = register("test_build_small", lengths=(2,) * 3)
    cfg.DATASETS.TRAIN, cfg.DATASETS.DATASET_RATIO = (large, small), [1, 3.0]
    cfg.DATALOADER.NUM_WORKERS, cfg.SOLVER.IMS_PER_BATCH = workers, 10
    np.random.seed(0)
    batches = iter(build_train_loader(cfg, mapper=mapped_paths))
    paths = [path for _ in range(160) for path in next(batches)]
    share = np.mean(["test_build_small" in path for path in paths])
    assert share == pytest.approx(0.75, abs=0.04)  # 3.7 deviations
    seen = {path for path in paths if "test_build_large" in path}
    assert len(seen) == 30


def test_without_a_ratio_the_sizes_decide(register, cfg):
    cfg.DATASETS.TRAIN = (register("test_build_e", lengths=(2,) * 9), register("test_build_f"))
    cfg.SOLVER.IMS_PER_BATCH = 10
    np.random.seed(0)
    batches = iter(build_train_loader(cfg, mapper=mapped_paths))
    for _ in range(5):  # ten videos, ten clips: each once
        assert sum("test_build_f" in path for path in next(batches)) == 1


def test_repeat_factors_within_the_sets_of_a_ratio(register, cfg):
    content = make_content(lengths=(2,) * 4, objects=1)
    content["annotations"][3]["category_id"] = 7
    cfg.DATASETS.TRAIN = (register("test_build_g", content), register("test_build_h"))
    cfg.DATASETS.DATASET_RATIO = [0.8, 0.2]
    cfg.DATALOADER.SAMPLER_TRAIN = "RepeatFactorTrainingSampler"
    cfg.DATALOADER.REPEAT_THRESHOLD = 1.0
    cfg.SOLVER.IMS_PER_BATCH = 10
    np.random.seed(0)
    batches = iter(build_train_loader(cfg, mapper=mapped_paths))
    paths = [path for _ in range(200) for path in next(batches)]
    own = [path.split("video")[-1][0] for path in paths if "test_build_g" in path]
    assert len(own) / 2000 == pytest.approx(0.8, abs=0.035)
    assert own.count("4") / (own.count("1") + own.count("2") + own.count("3")) == pytest.approx(
        2 / 3 / 1.1547, rel=0.15
    )


@pytest.mark.parametrize("ratio", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_a_bad_ratio_is_an_error_before_anything_is_read(cfg, ratio):
    cfg.DATASETS.TRAIN, cfg.DATASETS.DATASET_RATIO = ("ytvis_2019_train", "ovis_train"), ratio
    expected = r"DATASETS\.DATASET_RATIO is .*expected 2 numbers.*\(ytvis_2019_train, ovis_train\)"
    with pytest.raises(ValueError, match=expected):
        build_train_loader(cfg)


def test_a_set_of_a_ratio_with_nothing_in_it_is_named(register, cfg):
    empty = register("test_build_nothing", {**make_content(), "annotations": []})
    cfg.DATASETS.TRAIN, cfg.DATASETS.DATASET_RATIO = (register("test_build_i"), empty), [1, 1]
    with pytest.raises(DatasetError, match="annotated object in test_build_nothing$"):
        build_train_loader(cfg)


def test_videos_shorter_than_a_clip(register, cfg):
    """δ = 3 and videos of one to three frames: the oldest frame stands in (SPEC 2.8)."""
    cfg.DATASETS.TRAIN = (register("test_build_short", lengths=(1, 3, 2)),)
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 3
    batches = iter(build_train_loader(cfg))
    for sample in (sample for _ in range(4) for sample in next(batches)):
        assert len(sample["image"]) == 4
        assert torch.equal(sample["image"][0], sample["image"][1])


def test_coco_and_videos_are_trained_on_together(register, cfg, tmp_path, monkeypatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    images = [make_image(number) for number in range(6)]
    write_coco(tmp_path, images, [make_annotation(n, n, 18, (10, 8, 40, 30)) for n in range(6)])
    content = {**make_content(lengths=(3,)), "categories": YTVIS_2019_CATEGORIES}
    cfg.DATASETS.TRAIN = ("coco2ytvis2019_train", register("test_build_videos", content))
    cfg.DATASETS.DATASET_RATIO, cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = [0.5, 0.5], 2
    np.random.seed(0)
    batches = iter(build_train_loader(cfg))
    samples = [sample for _ in range(20) for sample in next(batches)]
    stills = [sample for sample in samples if "train2017" in sample["file_names"][0]]
    assert 8 < len(stills) < 32
    for sample in samples:
        assert [image.shape for image in sample["image"]] == [(3, 48, 64)] * 3
    assert {of for s in stills for of in s["instances"][0].gt_classes.tolist()} == {7}  # dog
    assert not any(torch.equal(sample["image"][0], sample["image"][2]) for sample in stills)
    cfg.DATASETS.TRAIN = ("coco2ytvis2021_train", "test_build_videos")
    with pytest.raises(DatasetError, match="'coco2ytvis2021_train' and 'test_build_videos' have"):
        build_train_loader(cfg)
