"""Detectron2's trainer with RCF's loaders, optimizer, schedule and evaluator."""

from __future__ import annotations

import logging
import os
import weakref
from collections import OrderedDict
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import MetadataCatalog
from detectron2.engine import DefaultTrainer, HookBase, hooks
from detectron2.engine.defaults import create_ddp_model
from detectron2.engine.train_loop import TrainerBase
from detectron2.evaluation import DatasetEvaluator, DatasetEvaluators, print_csv_format
from detectron2.projects.deeplab import build_lr_scheduler
from detectron2.utils import comm
from detectron2.utils.logger import setup_logger
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names, load_part_weights
from rcf_vis.data import build_test_loader, build_train_loader
from rcf_vis.evaluation import YTVISEvaluator
from rcf_vis.inference import optimize_for_inference
from rcf_vis.modeling import RCF
from rcf_vis.modeling.folding import scale_weights_by_frozen_norms
from rcf_vis.modeling.memory_format import use_channels_last

from .accumulation import build_loop, check_batch_size
from .activation_checkpointing import checkpoint_activations
from .ema import ModelEMA
from .exact_resume import ExactResume, follow_command
from .optimizer import build_optimizer
from .two_thresholds import RawOutputs, TwoThresholdsEvaluator

__all__ = ["Trainer", "check_classes", "create_ddp"]

logger = logging.getLogger(__name__)


class Trainer(DefaultTrainer):
    """The standard training loop for RCF.

    Differs from ``DefaultTrainer`` in what it builds, and in that several processes may train on
    CPUs, where ``DistributedDataParallel`` takes no device ids. Three keys make training fit into
    less memory or steady it: ``SOLVER.ACCUMULATE_STEPS``, ``ACTIVATION_CHECKPOINTING`` and ``EMA``.

    Attributes:
        ema: the moving average of the weights, None where ``SOLVER.EMA.ENABLED`` is False.
    """

    def __init__(self, cfg: CfgNode) -> None:
        TrainerBase.__init__(self)
        if not logging.getLogger("detectron2").isEnabledFor(logging.INFO):
            setup_logger()
        cfg = DefaultTrainer.auto_scale_workers(cfg, comm.get_world_size())
        solver = cfg.SOLVER
        check_batch_size(solver.IMS_PER_BATCH, solver.ACCUMULATE_STEPS, comm.get_world_size())

        model = self.build_model(cfg)
        optimizer = self.build_optimizer(cfg, model)
        data_loader = self.build_train_loader(cfg)
        if cfg.TEST.EVAL_PERIOD > 0:
            self._check_test_sets(cfg)
        self.ema = ModelEMA(model, decay=solver.EMA.DECAY) if solver.EMA.ENABLED else None
        model = create_ddp(model, broadcast_buffers=False)
        self._trainer = build_loop(
            model,
            data_loader,
            optimizer,
            amp=solver.AMP.ENABLED,
            precision=solver.AMP.PRECISION,
            accumulate_steps=solver.ACCUMULATE_STEPS,
        )

        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        self.checkpointer = RCFCheckpointer(
            model,
            cfg.OUTPUT_DIR,
            load_class_head=cfg.MODEL.RCF.LOAD_CLASS_HEAD,
            class_names=known_class_names(cfg.DATASETS.TRAIN),
            keep=solver.KEEP_CHECKPOINTS,
            **({"ema": self.ema} if self.ema else {}),
            trainer=weakref.proxy(self),
        )
        self.start_iter = 0
        self.max_iter = solver.MAX_ITER
        self.cfg = cfg
        self.register_hooks(self.build_hooks())

    def resume_or_load(self, resume: bool = True) -> None:
        """As Detectron2's; a run that was killed while it wrote its last checkpoint writes it."""
        self.checkpointer.resume_or_load(self.cfg.MODEL.WEIGHTS, resume=resume)
        if not self.checkpointer.resumed_from:
            return
        self.start_iter = self.iter + 1
        if self.start_iter == self.max_iter and not self.checkpointer.has_saved("model_final"):
            self.checkpointer.save("model_final", iteration=self.iter)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As Detectron2's, but the schedule is that of the command (``SOLVER``).

        Raises:
            ValueError: the run is longer than ``SOLVER.MAX_ITER``.
        """
        if state_dict["iteration"] >= self.max_iter:
            raise ValueError(
                f"SOLVER.MAX_ITER is {self.max_iter}, but the run to resume has "
                f"{state_dict['iteration'] + 1} iterations behind it"
            )
        schedule = state_dict.get("hooks", {}).get("LRScheduler")
        if schedule:
            own = self.scheduler.state_dict()
            state_dict["hooks"]["LRScheduler"] = follow_command(schedule, own, "schedule")
        super().load_state_dict(state_dict)
        if schedule:
            rates = self.scheduler.get_lr()  # closed in the iteration, for all of Detectron2's
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate

    def build_hooks(self) -> list[HookBase]:
        """Detectron2's hooks, with the moving average updated before it is saved or evaluated."""
        built = super().build_hooks()
        built.insert(0, ExactResume(self._trainer.data_loader, self.cfg.OUTPUT_DIR))
        if self.ema is None:
            return built
        ema = self.ema
        update = hooks.CallbackHook(after_step=lambda _: ema.update())
        built.insert(2, update)  # before it is saved
        if self.cfg.SOLVER.EMA.EVALUATE:
            evaluate = hooks.EvalHook(self.cfg.TEST.EVAL_PERIOD, self._test_ema)
            built = [evaluate if isinstance(hook, hooks.EvalHook) else hook for hook in built]
        return built

    def _test_ema(self) -> OrderedDict:
        logger.info("The averaged weights (EMA) are evaluated")
        self._last_eval_results = self.test(self.cfg, self.ema.model)
        return self._last_eval_results

    @classmethod
    def _check_test_sets(cls, cfg: CfgNode) -> None:
        """Raise what is wrong with the test sets before training, not in the midst of it."""
        for name in cfg.DATASETS.TEST:
            cls.build_test_loader(cfg, name)

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        model = load_part_weights(super().build_model(cfg), cfg)
        scale_weights_by_frozen_norms(model)
        checkpoint_activations(model, cfg.SOLVER.ACTIVATION_CHECKPOINTING)
        if cfg.SOLVER.CHANNELS_LAST:
            use_channels_last(model)
        return model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer):
        return build_lr_scheduler(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode) -> DataLoader:
        loader = build_train_loader(cfg)
        check_classes(cfg.DATASETS.TRAIN[0], cfg.MODEL.RCF.NUM_CLASSES)
        return loader

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> DataLoader:
        loader = build_test_loader(cfg, dataset_name)
        check_classes(dataset_name, cfg.MODEL.RCF.NUM_CLASSES)
        return loader

    @classmethod
    def build_evaluator(cls, cfg: CfgNode, dataset_name: str) -> YTVISEvaluator:
        """The evaluator of one test set; its results go to ``OUTPUT_DIR/inference/<name>``."""
        return YTVISEvaluator(
            dataset_name,
            os.path.join(cfg.OUTPUT_DIR, "inference", dataset_name),
            labels_per_track=cfg.MODEL.RCF.TEST.LABELS_PER_TRACK,
            identity_metrics=cfg.TEST.IDENTITY_METRICS,
        )

    @classmethod
    def test(
        cls,
        cfg: CfgNode,
        model: nn.Module,
        evaluators: list[DatasetEvaluator] | DatasetEvaluators | None = None,
    ) -> OrderedDict:
        """Evaluate every test set, also at ``TEST.AP_SCORE_THRESH`` where it differs.

        The network runs once for both; evaluators that are given see the first alone. An RCF is
        evaluated as it will run: what is measured is a copy made ready for inference, the numbers
        of ``OnlinePredictor`` to the bit.

        Returns:
            As ``DefaultTrainer.test``; the second results stand under ``score_thresh_<value>``.
        """
        rcf = model.module if isinstance(model, DistributedDataParallel) else model
        if isinstance(rcf, RCF):
            test = cfg.MODEL.RCF.TEST
            model = rcf = optimize_for_inference(
                rcf, precision=test.PRECISION, compile=test.COMPILE
            )
        thresh = cfg.MODEL.RCF.TEST.AP_SCORE_THRESH
        first = cfg.MODEL.RCF.TEST.SCORE_THRESH
        if thresh in (-1, first) or evaluators is not None:
            return super().test(cfg, model, evaluators)
        name = f"score_thresh_{thresh:g}"
        logger.info("Evaluated with slots firing at %g and, as %s, at %g", first, name, thresh)
        second = cfg.clone()
        second.defrost()
        second.OUTPUT_DIR = os.path.join(cfg.OUTPUT_DIR, name)
        evaluators = [
            TwoThresholdsEvaluator(
                model=rcf,
                first=cls.build_evaluator(cfg, dataset),
                second=cls.build_evaluator(second, dataset),
                thresholds=(first, thresh),
            )
            for dataset in cfg.DATASETS.TEST
        ]
        results = super().test(cfg, RawOutputs(rcf), evaluators)
        found = [evaluator.second_results for evaluator in evaluators]
        if len(found) == 1:
            results[name] = found[0]
        else:
            results[name] = OrderedDict(zip(cfg.DATASETS.TEST, found, strict=True))
        if comm.is_main_process():
            for dataset, figures in zip(cfg.DATASETS.TEST, found, strict=True):
                logger.info("Evaluation results for %s, %s:", dataset, name)
                print_csv_format(figures)
        return results


def create_ddp(model: nn.Module, **kwargs: Any) -> nn.Module:
    """Detectron2's ``create_ddp_model``, which may also train on CPUs."""
    on_cpu = next(model.parameters()).device.type == "cpu"
    device_ids = None if on_cpu else [comm.get_local_rank()]
    return create_ddp_model(model, device_ids=device_ids, **kwargs)


def check_classes(dataset_name: str, num_classes: int, key: str = "MODEL.RCF.NUM_CLASSES") -> None:
    """ValueError where the model has another number of classes than a loaded data set."""
    classes = MetadataCatalog.get(dataset_name).thing_classes
    if len(classes) != num_classes:
        raise ValueError(
            f"data set '{dataset_name}' has {len(classes)} classes ({', '.join(classes)}), but "
            f"{key} is {num_classes}"
        )
