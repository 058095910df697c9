"""configs/lazy/rcf_r50.py: the same as configs/rcf_r50.yaml, and trained by its tool."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2.config import LazyConfig, get_cfg, instantiate
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import default_argument_parser
from detectron2.modeling import build_model
from detectron2.projects.deeplab import build_lr_scheduler
from detectron2.solver import LRMultiplier
from omegaconf import ListConfig

from rcf_vis import add_rcf_config
from rcf_vis.data import ClipDatasetMapper, register_ytvis_instances
from rcf_vis.engine import build_optimizer
from tests.data.clip_data import make_content, write_frames
from tests.scripts import ROOT, load_script

CONFIG = str(ROOT / "configs" / "lazy" / "rcf_r50.py")
NAME = "lazy_clips"


@pytest.fixture(scope="module")
def yaml_cfg():
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.merge_from_file(str(ROOT / "configs" / "rcf_r50.yaml"))
    cfg.MODEL.DEVICE = "cpu"
    return cfg


@pytest.fixture(scope="module")
def lazy_cfg():
    return LazyConfig.load(CONFIG)


@pytest.fixture(scope="module")
def models(yaml_cfg, lazy_cfg):
    return build_model(yaml_cfg), instantiate(lazy_cfg.model)


PLAIN = (bool, int, float, str, type(None))


def settings(thing):
    """Its plain attributes, such as a threshold or a rate of dropout; lists as tuples."""
    found = {}
    for name, value in vars(thing).items():
        if isinstance(value, (list, tuple, ListConfig)) and all(
            isinstance(x, PLAIN) for x in value
        ):
            found[name] = tuple(value)
        elif isinstance(value, PLAIN):
            found[name] = value
    return found


def test_same_modules_with_the_same_settings(models):
    from_yaml, from_lazy = (dict(model.named_modules()) for model in models)
    assert list(from_yaml) == list(from_lazy)
    for name, module in from_yaml.items():
        assert type(from_lazy[name]) is type(module), name
        assert settings(from_lazy[name]) == settings(module), name
    one, other = models
    assert settings(one)["score_thresh"] == 0.4  # the comparison sees such values
    assert other.identity_rules == one.identity_rules
    assert vars(other.criterion.matcher) == vars(one.criterion.matcher)


def test_same_parameters_and_buffers(models):
    for kind in ("named_parameters", "named_buffers"):
        one, other = (
            {name: (tuple(t.shape), t.requires_grad) for name, t in getattr(model, kind)()}
            for model in models
        )
        assert one == other
    assert torch.equal(models[0].pixel_std, models[1].pixel_std)
    assert torch.equal(models[0].pixel_mean, models[1].pixel_mean)


def groups(optimizer, model):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]


def test_same_optimizer_and_schedule(yaml_cfg, lazy_cfg, models):
    one = build_optimizer(yaml_cfg, models[0])
    lazy_cfg.optimizer.params.model = models[1]
    other = instantiate(lazy_cfg.optimizer)
    assert type(other) is type(one)
    assert (other.max_norm, other.norm_type) == (one.max_norm, one.norm_type)
    assert groups(other, models[1]) == groups(one, models[0])

    max_iter = lazy_cfg.train.max_iter
    assert max_iter == yaml_cfg.SOLVER.MAX_ITER
    expected = build_lr_scheduler(yaml_cfg, one)
    found = LRMultiplier(other, instantiate(lazy_cfg.lr_multiplier), max_iter)
    for iteration in (0, 1, 500, 999, 1000, 1001, 30000, 59999):
        expected.last_epoch = found.last_epoch = iteration
        assert found.get_lr() == pytest.approx(expected.get_lr(), rel=1e-9)


def test_same_data(yaml_cfg, lazy_cfg):
    data = lazy_cfg.dataloader
    assert tuple(data.train.dataset.names) == yaml_cfg.DATASETS.TRAIN
    assert (data.test.dataset.name,) == yaml_cfg.DATASETS.TEST
    assert data.train.total_batch_size == yaml_cfg.SOLVER.IMS_PER_BATCH
    assert data.train.num_workers == data.test.num_workers == yaml_cfg.DATALOADER.NUM_WORKERS
    assert data.evaluator.output_dir == "output/lazy/rcf_r50/inference/ytvis_2019_val"
    for part, is_train in ((data.train, True), (data.test, False)):
        one, other = ClipDatasetMapper(yaml_cfg, is_train=is_train), instantiate(part.mapper)
        assert settings(other) == settings(one)
        assert settings(other)["num_reference_frames"] == 1
        assert settings(other.still_motion) == settings(one.still_motion)
        for a, b in zip(one.augmentations, other.augmentations, strict=True):
            assert type(a) is type(b)
            assert settings(a) == settings(b)


def test_same_checkpoint_and_periods(yaml_cfg, lazy_cfg):
    train, solver = lazy_cfg.train, yaml_cfg.SOLVER
    assert train.init_checkpoint == yaml_cfg.MODEL.WEIGHTS
    assert train.load_class_head == yaml_cfg.MODEL.RCF.LOAD_CLASS_HEAD
    assert train.checkpointer.period == solver.CHECKPOINT_PERIOD
    assert train.eval_period == yaml_cfg.TEST.EVAL_PERIOD
    assert train.amp.enabled == solver.AMP.ENABLED
    assert train.accumulate_steps == solver.ACCUMULATE_STEPS
    assert train.channels_last == solver.CHANNELS_LAST
    assert list(train.activation_checkpointing) == solver.ACTIVATION_CHECKPOINTING
    assert {key.upper(): value for key, value in train.ema.items()} == dict(solver.EMA)


@pytest.fixture
def config_file(tmp_path):
    """A config that changes the shipped one in Python, and its data set of two videos."""
    content = make_content(lengths=(4, 3), size=(48, 64))
    write_frames(content, tmp_path / "frames")
    (tmp_path / "instances.json").write_text(json.dumps(content))
    register_ytvis_instances(NAME, {}, str(tmp_path / "instances.json"), str(tmp_path / "frames"))
    path = tmp_path / "tiny.py"
    path.write_text(
        f"""
from detectron2.config import LazyCall, LazyConfig
from tests.conftest import PatchBackbone

model, dataloader, optimizer, lr_multiplier, train = LazyConfig.load(
    {CONFIG!r}, ("model", "dataloader", "optimizer", "lr_multiplier", "train")
)
model.backbone = LazyCall(PatchBackbone)(cfg=None, input_shape=None)
model.context_fusion.update(in_channels=24, hidden_dim=32, num_layers=1, num_heads=4)
model.instance_decoder.num_layers = 2
model.mask_decoder.update(lateral_channels=[16, 12, 8], dims=[32, 16, 16, 8], mask_dim=8)
train.update(device="cpu", init_checkpoint="", output_dir={str(tmp_path / "output")!r})
dataloader.train.dataset.names = [{NAME!r}]
dataloader.test.dataset.name = {NAME!r}
"""
    )
    yield path
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def run(config_file: Path, *arguments: str):
    overrides = [
        "model.heads.num_classes=2",
        "dataloader.train.total_batch_size=2",
        "dataloader.train.num_workers=0",
        "dataloader.test.num_workers=0",
        "dataloader.train.mapper.augmentations.0.short_edge_length=[48]",
        "train.seed=3",
        "model.score_thresh=0.0",
    ]
    script = load_script("tools/lazyconfig_train_net.py")
    arguments = ["--config-file", str(config_file), *arguments]
    split = next((k for k, text in enumerate(arguments) if "=" in text), len(arguments))
    args = default_argument_parser().parse_args(
        [*arguments[:split], *overrides, *arguments[split:]]
    )
    torch.manual_seed(0)
    return script.main(args)


EVERYTHING = (
    "train.accumulate_steps=2",
    "train.activation_checkpointing=[encoder,decoder]",
    "train.channels_last=True",
    "train.ema.enabled=True",
    "train.ema.decay=0.5",
    "train.eval_period=1",
)


def test_two_iterations_evaluation_and_resuming(config_file, tmp_path):
    output = tmp_path / "output"
    run(config_file, "train.max_iter=2", *EVERYTHING)
    saved = torch.load(output / "model_final.pth")
    assert saved["iteration"] == 1 and saved["class_names"] == ["ball", "box"]
    query = "instance_decoder.queries.weight"
    assert not torch.equal(saved["ema"][query], saved["model"][query])
    smooth = saved["model"]["mask_decoder.steps.0.smooth.0.weight"]
    assert smooth.is_contiguous(memory_format=torch.channels_last)
    assert not smooth.is_contiguous()
    metrics = {}
    for line in (output / "metrics.json").read_text().splitlines():
        metrics.update(json.loads(line))
    assert np.isfinite(metrics["segm/AP"]) and metrics["total_loss"] > 0
    results = json.loads((output / "inference" / NAME / "results.json").read_text())
    assert {result["video_id"] for result in results} == {1, 2}

    weights = f"train.init_checkpoint={output / 'model_final.pth'}"
    again = run(config_file, "--eval-only", weights)
    assert again["segm"]["AP"] == pytest.approx(metrics["segm/AP"])
    run(config_file, "--resume", "train.max_iter=3", *EVERYTHING)
    assert torch.load(output / "model_final.pth")["iteration"] == 2


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "dataloader.train.total_batch_size=3",
            "dataloader.train.total_batch_size is 3, expected a multiple of 2: .*accumulate_steps",
        ),
        ("model.heads.num_classes=5", "has 2 classes .ball, box., but model.heads.num_classes is"),
    ],
)
def test_misuse_names_the_key(config_file, override, message):
    with pytest.raises(ValueError, match=message):
        run(config_file, "train.max_iter=1", "train.accumulate_steps=2", override)
