"""The network of RCF; importing it registers meta-architecture ``"RCF"`` and timm backbones."""

from .backbone import SimpleFeaturePyramid, TimmBackbone
from .carried_code import CarriedCode, CodeCarrier
from .context_fusion import FusedContext, RobustContextFusion
from .criterion import SetCriterion
from .feature_map import FeatureMap, FrameFeatures
from .instance_decoder import InstanceDecoder
from .instance_heads import InstanceHeads
from .mask_decoder import MaskDecoder
from .matcher import HungarianMatcher
from .online import FrameOutput, OnlineState, StepOutput
from .rcf import RCF
from .tokens import ReferenceTokenizer, TargetTokenizer, TokenGroup

__all__ = [
    "CarriedCode",
    "CodeCarrier",
    "RCF",
    "FeatureMap",
    "FrameFeatures",
    "FrameOutput",
    "FusedContext",
    "HungarianMatcher",
    "InstanceDecoder",
    "InstanceHeads",
    "MaskDecoder",
    "OnlineState",
    "ReferenceTokenizer",
    "RobustContextFusion",
    "SetCriterion",
    "SimpleFeaturePyramid",
    "StepOutput",
    "TargetTokenizer",
    "TimmBackbone",
    "TokenGroup",
]
