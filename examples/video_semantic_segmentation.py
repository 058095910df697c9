#!/usr/bin/env python
"""Another Detectron2 project that takes only Robust Context Fusion out of rcf_vis.

Its own meta-architecture labels the pixels of the last frame of a clip, from the fused target
tokens. The made-up task needs the context: a grey square is to be labelled with the colour that the
frame before it shows, red or blue.

python examples/video_semantic_segmentation.py
"""

import torch
from detectron2.config import CfgNode, configurable, get_cfg
from detectron2.engine import SimpleTrainer
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone, build_model
from detectron2.modeling.postprocessing import sem_seg_postprocess
from detectron2.structures import ImageList
from torch import Tensor, nn
from torch.nn import functional as F

from rcf_vis.modeling import FeatureMap, RobustContextFusion


@META_ARCH_REGISTRY.register()
class VideoSemanticSegmentor(nn.Module):
    """Semantic segmentation of a frame in the context of the frames before it."""

    @configurable
    def __init__(self, *, backbone: Backbone, feature: str, num_classes: int) -> None:
        super().__init__()
        self.backbone, self.feature = backbone, feature
        shape = backbone.output_shape()[feature]
        self.stride = shape.stride
        encoder = {"hidden_dim": 64, "num_layers": 2, "num_heads": 4, "dim_feedforward": 128}
        self.fusion = RobustContextFusion(
            in_channels=shape.channels, num_reference_frames=1, pre_norm=True, **encoder
        )
        self.classifier = nn.Conv2d(64, num_classes, kernel_size=1)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        return {
            "backbone": build_backbone(cfg),
            "feature": cfg.MODEL.SEM_SEG_HEAD.IN_FEATURES[0],
            "num_classes": cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES,
        }

    def forward(self, clips: list[dict]) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """``image``: frames (3, h, w), the target last; ``sem_seg``: its labels, in training."""
        times = zip(*(clip["image"] for clip in clips), strict=True)
        *references, target = [self._feature_map(frames) for frames in times]
        fused = self.fusion(target, references[::-1])  # newest first
        logits = self.classifier(fused.target.data)
        logits = F.interpolate(logits, scale_factor=self.stride, mode="bilinear")
        if not self.training:
            sizes = zip(logits, target.image_sizes, strict=True)
            return [{"sem_seg": sem_seg_postprocess(x, size, *size)} for x, size in sizes]
        labels = [clip["sem_seg"].to(logits.device) for clip in clips]
        labels = ImageList.from_tensors(labels, self.stride, pad_value=255).tensor
        return {"loss_sem_seg": F.cross_entropy(logits, labels, ignore_index=255)}

    def _feature_map(self, frames: tuple[Tensor, ...]) -> FeatureMap:
        device = self.classifier.weight.device
        images = [(frame.to(device) - 127.5) / 64 for frame in frames]
        batch = ImageList.from_tensors(images, self.stride)
        sizes = tuple((int(h), int(w)) for h, w in batch.image_sizes)
        return FeatureMap(self.backbone(batch.tensor)[self.feature], self.stride, sizes)


def make_clip(size: int = 32) -> dict:
    """A red or blue frame, then a grey square at a random place; labels 0 (none), 1, 2."""
    colour = int(torch.randint(2, ()))
    hint, target = torch.zeros(3, size, size), torch.zeros(3, size, size)
    hint[2 * colour] = 255
    top, left = torch.randint(0, size // 2, (2,)).tolist()
    labels = torch.zeros(size, size, dtype=torch.int64)
    labels[top : top + size // 2, left : left + size // 2] = 1 + colour
    target[:, labels > 0] = 128
    return {"image": [hint, target], "sem_seg": labels}


def main(steps: int = 150) -> tuple[VideoSemanticSegmentor, list[float], float]:
    """Train; gives the model, its losses and the share of the squares' pixels labelled right."""
    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE = "VideoSemanticSegmentor"
    cfg.MODEL.DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
    cfg.MODEL.RESNETS.DEPTH, cfg.MODEL.RESNETS.NORM = 18, "GN"
    cfg.MODEL.RESNETS.RES2_OUT_CHANNELS, cfg.MODEL.RESNETS.OUT_FEATURES = 64, ["res3"]
    cfg.MODEL.BACKBONE.FREEZE_AT = 0
    cfg.MODEL.SEM_SEG_HEAD.IN_FEATURES, cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES = ["res3"], 3
    torch.manual_seed(0)
    model = build_model(cfg)
    loader = ([make_clip() for _ in range(4)] for _ in range(steps))
    trainer = SimpleTrainer(model, loader, torch.optim.AdamW(model.parameters(), lr=1e-3))
    trainer.train(0, steps)
    losses = [loss for loss, _ in trainer.storage.history("total_loss").values()]

    model.eval()
    clips = [make_clip() for _ in range(20)]
    with torch.no_grad():
        labels = torch.stack([output["sem_seg"].argmax(0).cpu() for output in model(clips)])
    truth = torch.stack([clip["sem_seg"] for clip in clips])
    return model, losses, float((labels == truth)[truth > 0].float().mean())


if __name__ == "__main__":
    _, losses, accuracy = main()
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, pixels of the squares right: {accuracy:.1%}")
