"""Backbones of timm; importing this registers ``build_timm_backbone`` with Detectron2."""

from .simple_feature_pyramid import SimpleFeaturePyramid
from .timm_backbone import TimmBackbone, build_timm_backbone

__all__ = ["SimpleFeaturePyramid", "TimmBackbone", "build_timm_backbone"]
