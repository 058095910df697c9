"""The config of a script that runs a model."""

from __future__ import annotations

import logging

import torch
from detectron2.config import CfgNode

from rcf_vis.data import register_datasets_from_cfg

__all__ = ["prepare_cfg"]

logger = logging.getLogger(__name__)


def prepare_cfg(cfg: CfgNode) -> CfgNode:
    """Take the CPU where there is no GPU, freeze ``cfg`` (in place), register its data sets."""
    if cfg.MODEL.DEVICE.startswith("cuda") and not torch.cuda.is_available():
        logger.warning("MODEL.DEVICE is %s, but there is no GPU: using the CPU", cfg.MODEL.DEVICE)
        cfg.MODEL.DEVICE = "cpu"
    cfg.freeze()
    register_datasets_from_cfg(cfg)
    return cfg
