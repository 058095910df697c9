#!/usr/bin/env python
"""Train or evaluate RCF from a LazyConfig, as Detectron2's tool of this name does.

python tools/lazyconfig_train_net.py --config-file configs/lazy/rcf_r50.py --num-gpus 8
python tools/lazyconfig_train_net.py --config-file configs/lazy/rcf_r50.py --eval-only \
    train.init_checkpoint=weights.pth dataloader.test.dataset.name=ytvis_2019_val

Beside what Detectron2's tool does it knows accumulation, activation checkpointing and the moving
average of the weights (configs/lazy/common/train.py), and compares classes.
"""

import argparse
from typing import Any

from detectron2.config import LazyConfig, instantiate
from detectron2.engine import default_writers, hooks
from detectron2.evaluation import inference_on_dataset, print_csv_format
from detectron2.utils import comm
from omegaconf import DictConfig
from torch import nn

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names
from rcf_vis.engine import (
    ExactResume,
    ModelEMA,
    build_loop,
    check_batch_size,
    check_classes,
    checkpoint_activations,
    create_ddp,
    launch_from_command_line,
    own_output_dir,
    scale_weights_by_frozen_norms,
    set_up,
    use_channels_last,
)

BATCH_KEYS = ("dataloader.train.total_batch_size", "train.accumulate_steps")
CLASS_KEY = "model.heads.num_classes"


def do_test(cfg: DictConfig, model: nn.Module) -> dict[str, Any]:
    """Evaluate on ``dataloader.test``; the results of ``dataloader.evaluator``."""
    loader = instantiate(cfg.dataloader.test)
    check_classes(cfg.dataloader.test.dataset.name, cfg.model.heads.num_classes, CLASS_KEY)
    results = inference_on_dataset(model, loader, instantiate(cfg.dataloader.evaluator))
    if comm.is_main_process():
        print_csv_format(results)
    return results


def do_train(cfg: DictConfig, resume: bool) -> None:
    """Train for ``train.max_iter`` iterations; all that is needed is described by ``cfg``."""
    options, names = cfg.train, cfg.dataloader.train.dataset.names
    batch_size, steps = cfg.dataloader.train.total_batch_size, options.accumulate_steps
    check_batch_size(batch_size, steps, comm.get_world_size(), keys=BATCH_KEYS)
    model = instantiate(cfg.model).to(options.device)
    scale_weights_by_frozen_norms(model)
    checkpoint_activations(model, options.activation_checkpointing)
    if options.channels_last:
        use_channels_last(model)
    cfg.optimizer.params.model = model
    optimizer = instantiate(cfg.optimizer)
    loader = instantiate(cfg.dataloader.train)
    check_classes(names[0], cfg.model.heads.num_classes, CLASS_KEY)
    ema = ModelEMA(model, decay=options.ema.decay) if options.ema.enabled else None
    model = create_ddp(model, **options.ddp)
    trainer = build_loop(
        model,
        loader,
        optimizer,
        amp=options.amp.enabled,
        precision=options.amp.precision,
        accumulate_steps=steps,
    )
    checkpointer = RCFCheckpointer(
        model,
        options.output_dir,
        load_class_head=options.load_class_head,
        class_names=known_class_names(names),
        trainer=trainer,
        **({"ema": ema} if ema else {}),
    )
    evaluated = ema.model if ema and options.ema.evaluate else model
    is_main = comm.is_main_process()
    trainer.register_hooks(
        [
            ExactResume(loader, options.output_dir, options.log_period),
            hooks.IterationTimer(),
            hooks.CallbackHook(after_step=lambda _: ema.update()) if ema else None,
            hooks.LRScheduler(scheduler=instantiate(cfg.lr_multiplier)),
            hooks.PeriodicCheckpointer(checkpointer, **options.checkpointer) if is_main else None,
            hooks.EvalHook(options.eval_period, lambda: do_test(cfg, evaluated)),
            hooks.PeriodicWriter(
                default_writers(options.output_dir, options.max_iter), period=options.log_period
            )
            if is_main
            else None,
        ]
    )
    checkpointer.resume_or_load(options.init_checkpoint, resume=resume)
    start = trainer.iter + 1 if checkpointer.resumed_from else 0
    trainer.train(start, options.max_iter)


def main(args: argparse.Namespace) -> dict[str, Any] | None:
    """Returns the results of ``--eval-only``.

    Raises:
        SystemExit: the config is no Python file: a yaml names what is called as well as a program
            does, and does not look like one.
    """
    if not args.config_file.endswith(".py"):
        raise SystemExit(f"--config-file {args.config_file!r}: a LazyConfig is a Python file (.py)")
    cfg = LazyConfig.apply_overrides(LazyConfig.load(args.config_file), args.opts)
    with own_output_dir(cfg.train.output_dir, "train.output_dir"):
        return run(cfg, args)


def run(cfg: DictConfig, args: argparse.Namespace) -> dict[str, Any] | None:
    """Train or evaluate."""
    set_up(cfg, args, cfg.train.output_dir)
    if not args.eval_only:
        return do_train(cfg, args.resume)
    model = instantiate(cfg.model).to(cfg.train.device)
    checkpointer = RCFCheckpointer(
        model,
        cfg.train.output_dir,
        class_names=known_class_names([cfg.dataloader.test.dataset.name]),
        load_ema=cfg.train.ema.evaluate,
    )
    checkpointer.resume_or_load(cfg.train.init_checkpoint, resume=args.resume)
    return do_test(cfg, model)


if __name__ == "__main__":
    launch_from_command_line(main)
