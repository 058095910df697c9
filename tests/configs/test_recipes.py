"""The configs against section IV-A of the paper, and against each other."""

from pathlib import Path

import pytest
import yaml
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog

from .test_ablations import CONFIGS, flat, load

BACKBONES = ("r50", "r101", "swint", "swinb", "swinl")
FIXED_NAMES = [CONFIGS / f"rcf_{name}.yaml" for name in BACKBONES]
STAGES = [
    CONFIGS / f"ytvis_{year}" / f"rcf_{name}_stage{stage}.yaml"
    for year in (2019, 2021)
    for name in BACKBONES
    for stage in (1, 2)
]
OVIS = [CONFIGS / "ovis" / f"rcf_{name}.yaml" for name in ("r50", "swinl")]
AVIS = [
    CONFIGS / "avis" / f"rcf_{name}{half}.yaml"
    for name in ("r50", "r101")
    for half in ("", "_without_audio")
]
RECIPES = FIXED_NAMES + STAGES + OVIS + AVIS


def label(path: Path) -> str:
    return str(path.relative_to(CONFIGS))


@pytest.mark.parametrize("path", RECIPES, ids=label)
def test_values_of_the_paper(path):
    cfg = load(path)
    swin = "swin" in path.stem
    solver, rcf = cfg.SOLVER, cfg.MODEL.RCF
    assert cfg.MODEL.META_ARCHITECTURE == "RCF"
    assert solver.BASE_LR == (3e-4 if swin else 6e-4)
    assert solver.WEIGHT_DECAY == (1e-2 if swin else 1e-4)
    assert solver.BACKBONE_MULTIPLIER == (1.0 if swin else 0.1)
    assert (solver.LR_SCHEDULER_NAME, solver.POLY_LR_POWER) == ("WarmupPolyLR", 0.9)
    assert (solver.MAX_ITER, solver.IMS_PER_BATCH) == (60000, 16)
    clip = solver.CLIP_GRADIENTS
    assert (clip.ENABLED, clip.CLIP_TYPE, clip.CLIP_VALUE) == (True, "full_model", 0.1)
    assert (cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST) == (360, 640)
    assert len(cfg.INPUT.MIN_SIZE_TRAIN) > 1  # multi-scale
    assert rcf.NUM_REFERENCE_FRAMES == (3 if "avis" in label(path) else 1)
    assert (rcf.REF_TOKEN_SIZE, rcf.FUSION) == (2, "token")
    assert (rcf.TEST.SCORE_THRESH, rcf.TEST.MASK_THRESH) == (0.4, 0.5)
    assert (rcf.CLASS_WEIGHT, rcf.DICE_WEIGHT, rcf.MATCH_CLASS_WEIGHT) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("path", RECIPES, ids=label)
def test_data_sets_are_registered(path):
    cfg = load(path)
    names = {*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST}
    assert names and names <= set(DatasetCatalog.list())
    assert len(cfg.DATASETS.DATASET_RATIO) in (0, len(cfg.DATASETS.TRAIN))
    assert cfg.MODEL.RCF.NUM_CLASSES == {"ovis": 25, "avis": 20}.get(path.parent.name, 40)


@pytest.mark.parametrize("name", ["r50", "r101"])
def test_avis_with_and_without_audio(name):
    """The halves of table X."""
    with_audio, silent = (
        load(CONFIGS / "avis" / f"rcf_{name}{h}.yaml") for h in ("", "_without_audio")
    )
    audio = with_audio.MODEL.RCF.AUDIO
    assert (audio.ENABLED, audio.NET, audio.FREEZE) == (True, "vggish", True)
    assert (audio.FEATURE_DIM, audio.LSTM_LAYERS, audio.LSTM_HIDDEN) == (4096, 2, 512)
    assert not silent.MODEL.RCF.AUDIO.ENABLED
    one, other = flat(with_audio), flat(silent)
    assert {key for key in one if one[key] != other[key]} == {
        "MODEL.RCF.AUDIO.ENABLED", "MODEL.RCF.AUDIO.WEIGHTS", "OUTPUT_DIR"
    }  # fmt: skip


@pytest.mark.parametrize("year", [2019, 2021])
@pytest.mark.parametrize("name", BACKBONES)
def test_two_stages(year, name):
    folder = CONFIGS / f"ytvis_{year}"
    first, second = (load(folder / f"rcf_{name}_stage{k}.yaml") for k in (1, 2))
    assert first.DATASETS.TRAIN == (f"ytvis_{year}_train", f"coco2ytvis{year}_train")
    assert second.DATASETS.TRAIN == (f"ytvis_{year}_train",)
    assert second.MODEL.WEIGHTS == f"{first.OUTPUT_DIR}/model_final.pth"
    tests = {2019: ("ytvis_2019_val",), 2021: ("ytvis_2021_val", "ytvis_2022_val")}[year]
    assert first.DATASETS.TEST == second.DATASETS.TEST == tests
    one, other = flat(first), flat(second)
    assert {key for key in one if one[key] != other[key]} == {
        "DATASETS.TRAIN", "DATASETS.DATASET_RATIO", "MODEL.WEIGHTS", "OUTPUT_DIR"
    }  # fmt: skip


def test_output_folders_differ():
    folders = [load(path).OUTPUT_DIR for path in RECIPES]
    assert len(set(folders)) == len(folders)


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(CONFIGS.rglob("*.yaml")) if p.parent.name != "ablations"],
    ids=label,
)
def test_no_value_stands_twice(path):
    """A file says nothing that its bases say already."""
    content = yaml.safe_load(path.read_text())
    bases = content.pop("_BASE_", [])
    inherited = {}
    for base in [bases] if isinstance(bases, str) else bases:
        text = CfgNode.load_yaml_with_base(str(path.parent / base))
        inherited.update(flat(CfgNode(text)))
    own = flat(CfgNode(content))
    repeated = [key for key, value in own.items() if key in inherited and inherited[key] == value]
    assert repeated == []
