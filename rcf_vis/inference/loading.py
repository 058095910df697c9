"""A trained model, as the classes that run it online take it."""

from __future__ import annotations

from detectron2.config import CfgNode
from detectron2.data import Metadata
from detectron2.modeling import build_model

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names, load_part_weights
from rcf_vis.modeling import RCF

from .class_names import model_metadata
from .optimize import optimize_for_inference

__all__ = ["load_model"]


def load_model(
    cfg: CfgNode, *, precision: str | None = None, compile: bool | None = None
) -> tuple[RCF, Metadata | None]:
    """The model of ``MODEL.WEIGHTS``, made ready for inference, and what its classes are called.

    Args:
        precision, compile: see :func:`~rcf_vis.inference.optimize_for_inference`; None: as
            ``MODEL.RCF.TEST.PRECISION`` and ``COMPILE`` say.

    Returns:
        The model in evaluation mode; metadata with ``thing_classes``, of ``DATASETS.TEST[0]`` or of
        the weights, None where neither names them.
    """
    model = load_part_weights(build_model(cfg), cfg).eval()
    loaded = RCFCheckpointer(
        model,
        class_names=known_class_names(cfg.DATASETS.TEST),
        load_ema=cfg.SOLVER.EMA.EVALUATE,
    ).load(cfg.MODEL.WEIGHTS)
    test = cfg.MODEL.RCF.TEST
    model = optimize_for_inference(
        model,
        inplace=True,
        precision=test.PRECISION if precision is None else precision,
        compile=test.COMPILE if compile is None else compile,
    )
    return model, model_metadata(cfg, loaded.get("class_names"))
