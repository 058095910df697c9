"""Small models that run on a CPU in a moment."""

import pytest
import torch
from detectron2.config import CfgNode, get_cfg
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.structures import BitMasks, Instances
from torch import nn

from rcf_vis import add_rcf_config


@BACKBONE_REGISTRY.register()
class PatchBackbone(Backbone):
    """Convolutions that do not overlap: what a cell is depends on its own pixels only.

    Such a backbone sees no padding, so invariance to padding can be tested from the image on.
    """

    STRIDES = {"res2": 4, "res3": 8, "res4": 16, "res5": 32}
    CHANNELS = {"res2": 8, "res3": 12, "res4": 16, "res5": 24}

    def __init__(self, cfg: CfgNode, input_shape: ShapeSpec) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, self.CHANNELS["res2"], 4, stride=4)
        names = list(self.STRIDES)
        self.down = nn.ModuleList(
            nn.Conv2d(self.CHANNELS[fine], self.CHANNELS[coarse], 2, stride=2)
            for fine, coarse in zip(names[:-1], names[1:], strict=True)
        )

    def forward(self, x):
        features = [self.stem(x).tanh()]
        for conv in self.down:
            features.append(conv(features[-1]).tanh())
        return dict(zip(self.STRIDES, features, strict=True))

    def output_shape(self):
        return {
            name: ShapeSpec(channels=self.CHANNELS[name], stride=stride)
            for name, stride in self.STRIDES.items()
        }


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def patch_cfg() -> CfgNode:
    return make_patch_cfg()


def make_patch_cfg() -> CfgNode:
    """A cfg of a few thousand parameters on :class:`PatchBackbone`, three classes."""
    cfg = get_cfg()
    add_rcf_config(cfg)
    cfg.MODEL.META_ARCHITECTURE = "RCF"
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.WEIGHTS = ""
    cfg.MODEL.BACKBONE.NAME = "PatchBackbone"
    cfg.MODEL.PIXEL_MEAN = [120.0, 120.0, 120.0]
    cfg.MODEL.PIXEL_STD = [60.0, 60.0, 60.0]
    rcf = cfg.MODEL.RCF
    rcf.NUM_CLASSES = 3
    rcf.NUM_OBJECT_QUERIES = 5
    rcf.HIDDEN_DIM = 32
    rcf.MASK_DIM = 8
    rcf.MASK_DECODER_DIMS = [32, 16, 16, 8]
    rcf.ENC_LAYERS, rcf.DEC_LAYERS = 2, 2
    rcf.NHEADS, rcf.DIM_FEEDFORWARD, rcf.DROPOUT = 4, 48, 0.0
    cfg.INPUT.MIN_SIZE_TEST, cfg.INPUT.MAX_SIZE_TEST = 64, 96
    cfg.INPUT.FORMAT = "RGB"
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (), ()
    return cfg


def make_instances(size, boxes, classes, ids) -> Instances:
    """Ground truth whose masks are boxes (y0, y1, x0, x1)."""
    masks = torch.zeros((len(boxes), *size), dtype=torch.bool)
    for mask, (y0, y1, x0, x1) in zip(masks, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    instances = Instances(size)
    instances.gt_classes = torch.tensor(classes, dtype=torch.int64)
    instances.gt_ids = torch.tensor(ids, dtype=torch.int64)
    instances.gt_masks = BitMasks(masks)
    return instances


@pytest.fixture
def make_clip():
    """A training sample: frames of noise, the last one with two boxes as objects."""

    def make(size=(64, 96), num_frames=2, boxes=((8, 40, 8, 40), (20, 60, 50, 90)), seed=0):
        generator = torch.Generator().manual_seed(seed)
        frames = [
            torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)
            for _ in range(num_frames)
        ]
        count = len(boxes)
        target = make_instances(size, boxes, [k % 3 for k in range(count)], list(range(count)))
        return {"image": frames, "instances": [target], "height": size[0], "width": size[1]}

    return make
