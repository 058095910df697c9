from detectron2.config import LazyCall as L
from detectron2.modeling.backbone import BasicStem, ResNet

from rcf_vis.modeling import (
    RCF,
    HungarianMatcher,
    InstanceDecoder,
    InstanceHeads,
    MaskDecoder,
    RobustContextFusion,
    SetCriterion,
)
from rcf_vis.tracking import IdentityRules

# Widths and layers are given once, in context_fusion; MODEL.RCF has the same defaults.
model = L(RCF)(
    backbone=L(ResNet)(
        stem=L(BasicStem)(in_channels=3, out_channels=64, norm="FrozenBN"),
        stages=L(ResNet.make_default_stages)(depth=50, stride_in_1x1=False, norm="FrozenBN"),
        out_features="${..in_features}",
        freeze_at=0,
    ),
    context_fusion=L(RobustContextFusion)(
        in_channels=2048,  # of the context feature
        hidden_dim=256,
        num_reference_frames=1,
        fusion="token",
        ref_token_size=2,
        ref_weight_on=True,
        ref_weight_act="sigmoid",
        ref_pool="pool",
        num_layers=6,
        num_heads=8,
        dim_feedforward=2048,
        dropout=0.1,
        pre_norm=False,
    ),
    instance_decoder=L(InstanceDecoder)(
        num_queries=10,
        hidden_dim="${..context_fusion.hidden_dim}",
        num_layers=6,
        num_heads="${..context_fusion.num_heads}",
        dim_feedforward="${..context_fusion.dim_feedforward}",
        dropout="${..context_fusion.dropout}",
        pre_norm="${..context_fusion.pre_norm}",
    ),
    mask_decoder=L(MaskDecoder)(
        in_channels="${..context_fusion.hidden_dim}",
        lateral_channels=[1024, 512, 256],  # of the finer features, coarse to fine
        dims=[256, 256, 128, 64],
        mask_dim=64,
    ),
    heads=L(InstanceHeads)(
        hidden_dim="${..context_fusion.hidden_dim}",
        num_classes=40,
        mask_dim="${..mask_decoder.mask_dim}",
    ),
    criterion=L(SetCriterion)(
        matcher=L(HungarianMatcher)(class_weight=1.0, mask_weight="${..mask_weight}"),
        class_weight=1.0,
        dice_weight=1.0,
        mask_weight=0.0,
        no_object_weight=0.1,
    ),
    in_features=["res2", "res3", "res4", "res5"],
    context_feature="res5",
    size_divisibility=32,
    pixel_mean=[123.675, 116.280, 103.530],  # RGB
    pixel_std=[58.395, 57.120, 57.375],
    deep_supervision=True,
    identity_rules=L(IdentityRules)(
        slot_identity=True, iou_identity=True, iou_thresh=0.5, max_age=0
    ),
    score_thresh=0.4,
    mask_thresh=0.5,
)
