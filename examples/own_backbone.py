#!/usr/bin/env python
"""A backbone of one's own, registered with Detectron2, and RCF trained on it from a config.

What RCF asks of a backbone: a dict of features, and ``output_shape()`` with their channels and
strides, each twice as coarse as the one before; ``MODEL.RCF.IN_FEATURES`` names them. The data are
a few synthetic videos (SynthVIS), made on the spot.

python examples/own_backbone.py
"""

from pathlib import Path

import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.utils.env import seed_all_rng
from detectron2.utils.logger import setup_logger
from torch import Tensor, nn

from rcf_vis.config import add_rcf_config, merge_config_file
from rcf_vis.data import register_datasets_from_cfg
from rcf_vis.engine import Trainer
from rcf_vis.synthvis import SynthVISSpec, generate_split

CONFIG = Path(__file__).with_suffix(".yaml")


@BACKBONE_REGISTRY.register()
class PlainConvNet(Backbone):
    """Four stages of strided convolutions, at strides 4, 8, 16 and 32."""

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec) -> None:
        super().__init__()
        widths = cfg.MODEL.PLAIN_CONV_NET.WIDTHS
        self.stages, self._shapes = nn.ModuleDict(), {}
        channels, stride = input_shape.channels, 1
        for number, width in enumerate(widths, start=1):
            step = 4 if number == 1 else 2
            self.stages[f"stage{number}"] = nn.Sequential(
                nn.Conv2d(channels, width, kernel_size=step + 1, stride=step, padding=step // 2),
                nn.GroupNorm(8, width),
                nn.ReLU(),
                nn.Conv2d(width, width, kernel_size=3, padding=1),
                nn.GroupNorm(8, width),
                nn.ReLU(),
            )
            channels, stride = width, stride * step
            self._shapes[f"stage{number}"] = ShapeSpec(channels=channels, stride=stride)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = {}
        for name, stage in self.stages.items():
            features[name] = x = stage(x)
        return features

    def output_shape(self) -> dict[str, ShapeSpec]:
        return dict(self._shapes)


def setup(output: str, steps: int) -> CfgNode:
    """The config, with the videos made and registered."""
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.MODEL.PLAIN_CONV_NET = CfgNode({"WIDTHS": [64, 128, 256, 512]})
    merge_config_file(cfg, str(CONFIG))
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    cfg.OUTPUT_DIR, cfg.SOLVER.MAX_ITER = output, steps
    spec = SynthVISSpec(width=128, height=96, length=4, train_videos=4, val_videos=1, seed=1)
    for split in ("train", "val"):
        file = generate_split(spec, output, split, workers=1, overwrite=True)
        images = str(file.parent / split / "JPEGImages")
        cfg.DATASETS.REGISTER.append([f"example_{split}", str(file), images])
    register_datasets_from_cfg(cfg)
    cfg.freeze()
    return cfg


def main(output: str = "output/example_own_backbone", steps: int = 60) -> Trainer:
    """Train, and evaluate at the end; losses and AP are in the trainer's storage."""
    cfg = setup(output, steps)
    seed_all_rng(0)
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=False)
    trainer.train()
    return trainer


if __name__ == "__main__":
    setup_logger(name="rcf_vis")
    storage = main().storage
    losses = [loss for loss, _ in storage.history("total_loss").values()]
    print(f"loss {losses[0]:.2f} -> {losses[-1]:.2f}, AP {storage.latest()['segm/AP'][0]:.1f}")
