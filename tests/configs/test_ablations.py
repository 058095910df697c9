"""The ablations of the paper: one yaml a row, one switch a yaml, and what a switch changes."""

from pathlib import Path

import pytest
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.modeling import build_model

from rcf_vis import add_rcf_config
from rcf_vis.modeling import OnlineState

CONFIGS = Path(__file__).parents[2] / "configs"

ROWS = {
    **{f"table_III_delta_{n}": ("NUM_REFERENCE_FRAMES", n) for n in range(6)},
    **{f"table_IV_{k}": ("FUSION", k) for k in ("token", "full_encoder", "full_decoder")},
    **{f"table_V_size_{k}": ("REF_TOKEN_SIZE", k) for k in (1, 2, 4, 8)},
    **{f"table_VI_queries_{n}": ("NUM_OBJECT_QUERIES", n) for n in (10, 15, 20, 25)},
    "table_VII_order_off": ("ORDER_SUPERVISION", False),
    "table_VII_order_on": ("ORDER_SUPERVISION", True),
    "table_VIII_weight_off": ("REF_WEIGHT_ON", False),
    "table_VIII_weight_on": ("REF_WEIGHT_ON", True),
    "ref_pool_pool": ("REF_POOL", "pool"),
    "ref_pool_dwconv": ("REF_POOL", "dwconv"),
}

#: Table X has two switches, on top of the config for AVIS.
AUDIO_ROWS = {
    f"table_X_delta_{n}_audio_{switch}": (n, switch == "on")
    for n in range(1, 6)
    for switch in ("off", "on")
}


def load(path: Path) -> CfgNode:
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.merge_from_file(str(path))
    return cfg


def flat(node: CfgNode, prefix: str = "") -> dict:
    values = {}
    for key, value in node.items():
        name = f"{prefix}{key}"
        values.update(flat(value, name + ".") if isinstance(value, CfgNode) else {name: value})
    return values


def test_every_row_has_its_yaml():
    assert {path.stem for path in (CONFIGS / "ablations").glob("*.yaml")} == {
        *ROWS,
        *AUDIO_ROWS,
    }


@pytest.mark.parametrize("name", AUDIO_ROWS)
def test_a_row_of_audio(name):
    base = flat(load(CONFIGS / "avis" / "rcf_r50.yaml"))
    row = flat(load(CONFIGS / f"ablations/{name}.yaml"))
    keys = ("MODEL.RCF.NUM_REFERENCE_FRAMES", "MODEL.RCF.AUDIO.ENABLED")
    assert tuple(row[key] for key in keys) == AUDIO_ROWS[name]
    assert {k for k in base if base[k] != row[k]} <= {*keys, "OUTPUT_DIR"}
    assert row["OUTPUT_DIR"] == f"output/ablations/{name}"


@pytest.mark.parametrize("name", ROWS)
def test_a_yaml_sets_its_switch_and_nothing_else(name):
    base, row = flat(load(CONFIGS / "rcf_r50.yaml")), flat(load(CONFIGS / f"ablations/{name}.yaml"))
    key, value = ROWS[name]
    assert row[f"MODEL.RCF.{key}"] == value
    changed = {k for k in base.keys() | row.keys() if base.get(k) != row.get(k)}
    assert changed <= {f"MODEL.RCF.{key}", "OUTPUT_DIR"}
    assert row["OUTPUT_DIR"] == f"output/ablations/{name}"


#: Switch → the parameters that may come, go or change their shape with it.
PARAMETERS = {
    "NUM_REFERENCE_FRAMES": "context_fusion.reference_tokens.",
    "FUSION": "context_fusion.reference_",
    "REF_TOKEN_SIZE": None,
    "NUM_OBJECT_QUERIES": "instance_decoder.queries.",
    "ORDER_SUPERVISION": None,
    "REF_WEIGHT_ON": "context_fusion.reference_tokens.weight.",
    "REF_POOL": "context_fusion.reference_tokens.pool.",
}


@pytest.mark.parametrize("name", ROWS)
def test_a_switch_changes_its_parameters_and_no_others(patch_cfg, name):
    key, value = ROWS[name]
    patch_cfg.MODEL.RCF.NUM_OBJECT_QUERIES = 10
    base = {k: v.shape for k, v in build_model(patch_cfg).state_dict().items()}
    default = patch_cfg.MODEL.RCF[key]
    patch_cfg.MODEL.RCF[key] = value
    row = {k: v.shape for k, v in build_model(patch_cfg).state_dict().items()}
    changed = {k for k in base.keys() | row.keys() if base.get(k) != row.get(k)}
    if value == default or PARAMETERS[key] is None:
        assert changed == set()
    else:
        assert changed
        assert all(k.startswith(PARAMETERS[key]) for k in changed)


@pytest.mark.parametrize("name", [n for n in ROWS if not n.startswith("table_VI_")])
def test_a_switch_of_the_references_changes_the_prediction(patch_cfg, name):
    """All parameters that both have are equal, and so are the frames."""
    key, value = ROWS[name]
    base = build_model(patch_cfg).eval()
    different = patch_cfg.MODEL.RCF[key] != value and key != "ORDER_SUPERVISION"
    patch_cfg.MODEL.RCF[key] = value
    row = build_model(patch_cfg).eval()
    own = row.state_dict()
    shared = {k: v for k, v in base.state_dict().items() if k in own and own[k].shape == v.shape}
    row.load_state_dict(shared, strict=False)
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (3, 3, 64, 96), generator=generator, dtype=torch.uint8)
    gap = (_predict(base, frames) - _predict(row, frames)).abs().max()
    assert (gap > 1e-4) if different else (gap == 0)


def _predict(model, frames: torch.Tensor) -> torch.Tensor:
    state = OnlineState()
    with torch.no_grad():
        for frame in frames:
            output, state = model.step(model.extract_features([frame]), state)
    return output.masks
