"""Any feature-extracting model of timm as a Detectron2 backbone."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from timm.layers import LayerNorm2d
from torch import Tensor, nn
from torch.nn import functional as F

from .freezing import freeze_norms, freeze_stages
from .levels import STRIDES, fine_to_coarse, level_indices, plain_index
from .simple_feature_pyramid import SimpleFeaturePyramid
from .timm_model import convert_weights, create_timm_model, prune, published_cfg

__all__ = ["TimmBackbone", "build_timm_backbone"]

logger = logging.getLogger(__name__)


class TimmBackbone(Backbone):
    """A timm model that gives the levels ``res2`` … ``res5`` of strides 4, 8, 16 and 32.

    A hierarchical model (Swin, ConvNeXt, ResNet) gives them itself, each followed by a layer
    normalisation of its pixels, as Swin and ConvNeXt have it for detection. A plain vision
    transformer (DINOv2, DINOv3) gives one map of stride 16, after its final normalisation, of which
    a :class:`SimpleFeaturePyramid` makes the levels. A model of patch size 14 is built with patch
    size 16 by ``model_kwargs={"patch_size": 16}``: timm resamples the pretrained patch embedding.

    Frames of any size are padded with zeros, right and below, to whole cells of the coarsest
    level, and the levels cut to the cells that hold a pixel. More padding than that (frames of
    different sizes in one batch of training) does change the features of the image, as no model of
    timm masks it: a convolution carries it inwards from the border, as in any ResNet; a Swin window
    across the border lets it in and the shifts carry it on; a plain transformer attends to it from
    everywhere and, as its positions are relative to the padded grid, is moved by it. Online, the
    frames of a video have one size and are padded alike.

    Args:
        name: of the model in timm's registry, with the tag of its weights after the dot.
        pretrained: start from the weights that timm publishes.
        out_features: the levels wanted.
        out_indices: which of timm's features (of the blocks of a plain transformer) they are made
            of, by rising stride; empty = the last one of each stride.
        img_size: 0 = frames of any size; otherwise the model is built for this height and width,
            frames are padded to it, and larger ones are an error.
        drop_path: rate of stochastic depth; negative = the model's own default.
        out_norm: layer normalisation of each level of a hierarchical model.
        freeze_at: n, what comes before stride 2ⁿ and what has it does not train; 0 = all train.
        freeze_norm: batch norms keep their statistics, weights and biases ("FrozenBN").
        model_kwargs: further arguments of the timm model.

    Raises:
        ValueError: the model does not exist, has other strides, or no stages to freeze.
        RuntimeError: the published weights could not be fetched; says where they are.

    Example:
        >>> backbone = TimmBackbone(name="convnext_tiny.fb_in1k")
        >>> backbone(torch.zeros(1, 3, 90, 160))["res5"].shape
        torch.Size([1, 768, 3, 5])
    """

    @configurable
    def __init__(
        self,
        *,
        name: str,
        pretrained: bool = False,
        out_features: Sequence[str] = tuple(STRIDES),
        out_indices: Sequence[int] = (),
        img_size: int = 0,
        drop_path: float = -1.0,
        out_norm: bool = True,
        freeze_at: int = 0,
        freeze_norm: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        out_features = fine_to_coarse(out_features)
        self.img_size = img_size
        self._create = partial(
            create_timm_model,
            name,
            img_size=img_size,
            drop_path=drop_path,
            model_kwargs=model_kwargs,
        )
        self.body = self._create(pretrained=pretrained)
        infos = list(self.body.feature_info)
        self.plain = len({info["reduction"] for info in infos}) == 1
        choose = plain_index if self.plain else level_indices
        self.indices = choose(name, [i["reduction"] for i in infos], out_features, out_indices)
        channels = [infos[index]["num_chs"] for index in self.indices]
        prune(self.body, self.indices, keep_norm=self.plain)
        if freeze_at:
            freeze_stages(self.body, freeze_at)
        if freeze_norm:
            freeze_norms(self.body)
        if self.plain:
            self.levels = SimpleFeaturePyramid(in_channels=channels[0], out_features=out_features)
            self._shapes = self.levels.output_shape()
        else:
            norms = [LayerNorm2d(c) if out_norm else nn.Identity() for c in channels]
            self.levels = nn.ModuleDict(zip(out_features, norms, strict=True))
            self._shapes = {
                feature: ShapeSpec(channels=c, stride=STRIDES[feature])
                for feature, c in zip(out_features, channels, strict=True)
            }

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict[str, Any]:
        options = cfg.MODEL.TIMM
        _check_preprocessing(cfg)
        if cfg.MODEL.WEIGHTS and (options.PRETRAINED or options.CHECKPOINT):
            # Evaluation of a trained RCF must not need a network or a second file.
            logger.info(
                "MODEL.TIMM.PRETRAINED and CHECKPOINT are not used: the weights come from %s",
                cfg.MODEL.WEIGHTS,
            )
        return {
            "name": options.NAME,
            "pretrained": options.PRETRAINED and not (options.CHECKPOINT or cfg.MODEL.WEIGHTS),
            "out_features": options.OUT_FEATURES,
            "out_indices": options.OUT_INDICES,
            "img_size": options.IMG_SIZE,
            "drop_path": options.DROP_PATH,
            "out_norm": options.OUT_NORM,
            "freeze_at": options.FREEZE_AT,
            "freeze_norm": options.FREEZE_NORM,
            "model_kwargs": dict(options.KWARGS),
        }

    @property
    def size_divisibility(self) -> int:
        """The coarsest stride; frames of other sizes are padded in :meth:`forward`."""
        return max(shape.stride for shape in self._shapes.values())

    def convert_weights(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """A published state dict by the names and of the shapes of :attr:`body`."""
        return convert_weights(weights, self._create())

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Compute the activations of the blocks again in the backward pass, or keep them."""
        self.body.set_grad_checkpointing(enable)

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and strides of the levels, fine to coarse."""
        return dict(self._shapes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Normalised RGB, ``(B, 3, H, W)``, to ``(B, C, ⌈H/s⌉, ⌈W/s⌉)`` at each stride s."""
        height, width = x.shape[-2:]
        maps = self.body.forward_intermediates(
            self._padded(x),
            indices=list(self.indices),
            norm=self.plain,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        if self.plain:
            features = self.levels(maps[0])
        else:
            levels = zip(self.levels.items(), maps, strict=True)
            features = {name: norm(data) for (name, norm), data in levels}
        strides = {name: shape.stride for name, shape in self._shapes.items()}
        return {
            name: data[..., : -(-height // strides[name]), : -(-width // strides[name])]
            for name, data in features.items()
        }

    def _padded(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if not self.img_size:
            divisor = self.size_divisibility
            return F.pad(x, (0, -width % divisor, 0, -height % divisor))
        if max(height, width) > self.img_size:
            raise ValueError(
                f"frames of {height}×{width} pixels are larger than MODEL.TIMM.IMG_SIZE "
                f"{self.img_size}; INPUT.MIN_SIZE_TEST, MAX_SIZE_TEST and those of TRAIN say how "
                "large they are"
            )
        return F.pad(x, (0, self.img_size - width, 0, self.img_size - height))


@BACKBONE_REGISTRY.register()
def build_timm_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> TimmBackbone:
    """The backbone of the ``MODEL.TIMM`` keys; ``input_shape`` is that of an RGB image.

    With ``MODEL.WEIGHTS`` all weights come from there, and pretrained ones are neither fetched nor
    read: a trained RCF is evaluated without a network.
    """
    return TimmBackbone(cfg)


def _check_preprocessing(cfg: CfgNode) -> None:
    """Pixels must be normalised and ordered as the pretrained weights expect it.

    Raises:
        ValueError: they are not, with ``MODEL.TIMM.PRETRAINED``. With a file of the user's own
            there is a warning, as it may have been trained otherwise.
    """
    options = cfg.MODEL.TIMM
    if not (options.PRETRAINED or options.CHECKPOINT):
        return
    published = published_cfg(options.NAME)
    wrong = [] if cfg.INPUT.FORMAT == "RGB" else [f"INPUT.FORMAT 'RGB', not {cfg.INPUT.FORMAT!r}"]
    for key, fractions in (("PIXEL_MEAN", published.mean), ("PIXEL_STD", published.std)):
        given, expected = list(cfg.MODEL[key]), [round(255 * value, 3) for value in fractions]
        if len(given) != 3 or any(abs(a - b) > 0.1 for a, b in zip(given, expected, strict=True)):
            wrong.append(f"MODEL.{key} {expected}, not {given}")
    if not wrong:
        return
    message = f"the weights of MODEL.TIMM.NAME {options.NAME!r} expect " + "; ".join(wrong)
    if options.PRETRAINED:
        raise ValueError(message)
    logger.warning("%s (as timm publishes them; MODEL.TIMM.CHECKPOINT may differ)", message)
