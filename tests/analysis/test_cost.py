import pytest
from detectron2.modeling import build_model

from rcf_vis.analysis.cost import AUDIO_PARTS, PARTS, step_cost
from tests.scripts import load_script

# Of patch_cfg (tests/conftest.py) at 64×96
TOKENS, K, DIM, HIDDEN, SLOTS, LAYERS = 2 * 3, 4, 32, 48, 5, 2


def attention(queries, keys):
    return 2 * queries * DIM**2 + 2 * keys * DIM**2 + 2 * queries * keys * DIM


def conv(cells, kernel, inside, outside):
    return cells * kernel**2 * inside * outside


@pytest.mark.parametrize("delta", [0, 1, 3])
def test_transformers_by_hand(patch_cfg, delta):
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
    macs = step_cost(build_model(patch_cfg).eval(), (64, 96)).macs
    fused = TOKENS + (K if delta else 0)
    layer = attention(fused, fused) + 2 * fused * DIM * HIDDEN
    norms = 2 * LAYERS * 5 * fused * DIM  # fvcore counts five operations an element
    expected = LAYERS * layer + norms + TOKENS * 24 * DIM
    if delta:
        channels = 24 * delta
        weight = TOKENS * channels
        # H×W → K×W → K×K, for the features and, with one channel, for the positions' rows, columns
        pooling = channels * (2 * 2 * 3 + 2 * 3 * 2) + 2 * 2 + 2 * 3
        expected += weight + pooling + K * channels * DIM
    assert macs["fusion encoder"] == expected
    layer = attention(SLOTS, SLOTS) + attention(SLOTS, fused) + 2 * SLOTS * DIM * HIDDEN
    norms = 5 * SLOTS * DIM * (3 * LAYERS + 1)  # those of the layers, and that of the last code
    assert macs["instance decoder"] == LAYERS * layer + norms


def test_backbone_and_heads_by_hand(patch_cfg):
    cost = step_cost(build_model(patch_cfg).eval(), (64, 96))
    backbone = conv(16 * 24, 4, 3, 8) + conv(8 * 12, 2, 8, 12) + conv(4 * 6, 2, 12, 16)
    assert cost.macs["backbone"] == backbone + conv(2 * 3, 2, 16, 24)
    assert cost.macs["heads"] == SLOTS * (DIM * 4 + DIM * DIM + DIM * 8 + 8 * 16 * 24)
    assert cost.share_of_backbone() == pytest.approx(
        sum(v for k, v in cost.macs.items() if k != "backbone") / cost.macs["backbone"]
    )


def test_parts_are_the_whole(patch_cfg):
    model = build_model(patch_cfg).eval()
    cost = step_cost(model, (64, 96))
    assert set(cost.macs) == set(cost.parameters) == set(PARTS)
    assert sum(cost.parameters.values()) == sum(p.numel() for p in model.parameters())
    assert not cost.uncounted


@pytest.mark.parametrize("delta", [0, 2])
def test_audio_by_hand(patch_cfg, delta):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 24, 16
    audio.LSTM_HIDDEN = 12
    patch_cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = delta
    model = build_model(patch_cfg).eval()
    cost = step_cost(model, (64, 96))
    assert set(cost.macs) == set(cost.parameters) == {*PARTS, *AUDIO_PARTS}
    assert sum(cost.parameters.values()) == sum(p.numel() for p in model.parameters())
    assert not cost.uncounted
    cells = [8 * 32, 4 * 16, 2 * 8, 1 * 4]
    widths = [1, 16, 32, 64, 64]
    net = sum(conv(n, 3, *widths[k : k + 2]) for k, n in enumerate(cells)) + 4 * 64 * 24
    norms = 5 * sum(n * width for n, width in zip(cells, widths[1:], strict=True))
    assert cost.macs["audio net"] == net + norms  # of one patch: the others are remembered
    first, second = 4 * 12 * (24 + 12), 4 * 12 * (24 + 12)  # both layers have inputs of 24
    tokens = 2 * (first + second) + 24 * 12 + 12 * DIM
    assert cost.macs["audio tokens"] == (1 + delta) * tokens


def test_training_mode_is_refused(patch_cfg):
    with pytest.raises(ValueError, match="training mode"):
        step_cost(build_model(patch_cfg).train())


def test_everything_but_the_backbone_costs_less_than_thirty_percent(capsys):
    """SPEC 2.6, for the model that the paper's table begins with."""
    script = load_script("tools/analyze.py")
    cfg = script.setup(script.get_parser().parse_args(["--config-file", "configs/rcf_r50.yaml"]))
    cost = step_cost(build_model(cfg).eval(), (360, 640))
    assert cost.macs["backbone"] == pytest.approx(20.0e9, rel=0.01)
    assert cost.share_of_backbone() <= 0.30
    table = script.cost_table(cost)
    assert f"{sum(cost.macs.values()) / 1e9:.2f}" in table.splitlines()[-1]


def test_command_line(capsys):
    script = load_script("tools/analyze.py")
    assert script.main(
        ["--config-file", "configs/synthvis/rcf_tiny.yaml", "--size", "64", "96",
         "--tasks", "flop", "parameter", "structure",
         "--opts", "MODEL.RCF.NUM_REFERENCE_FRAMES", "0"]
    ) == 0  # fmt: skip
    out = capsys.readouterr().out
    assert "96×64" in out and "context_fusion" in out and "(instance_decoder)" in out
    assert "not counted" not in out
    with pytest.raises(SystemExit):
        script.main(["--config-file", "configs/rcf_r50.yaml", "--tasks", "flops"])
    assert "invalid choice: 'flops'" in capsys.readouterr().err
