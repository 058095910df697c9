"""Evaluate weights on a data set: what the measuring tools repeat."""

from __future__ import annotations

from detectron2.config import CfgNode

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names

from .trainer import Trainer

__all__ = ["evaluate_weights"]


def evaluate_weights(cfg: CfgNode, weights: str, dataset: str, output: str) -> dict[str, float]:
    """The evaluator's metrics of the masks, in percent; the results go to the folder ``output``."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.DATASETS.TEST, cfg.OUTPUT_DIR = (dataset,), output
    model = Trainer.build_model(cfg)
    names = known_class_names(cfg.DATASETS.TEST)
    checkpointer = RCFCheckpointer(model, class_names=names, load_ema=cfg.SOLVER.EMA.EVALUATE)
    checkpointer.load(weights)
    return Trainer.test(cfg, model)["segm"]
