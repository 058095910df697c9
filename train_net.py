#!/usr/bin/env python
"""Train or evaluate RCF, as Detectron2's own ``tools/train_net.py`` does.

python train_net.py --config-file configs/rcf_r50.yaml --num-gpus 8
python train_net.py --config-file configs/rcf_r50.yaml --eval-only MODEL.WEIGHTS weights.pth
"""

import argparse

from detectron2.config import CfgNode
from detectron2.evaluation import verify_results
from detectron2.utils import comm

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names
from rcf_vis.config import read_config
from rcf_vis.data import register_datasets_from_cfg
from rcf_vis.engine import Trainer, launch_from_command_line, own_output_dir, set_up


def main(args: argparse.Namespace) -> dict | None:
    cfg = read_config(args.config_file, args.opts)
    cfg.freeze()
    with own_output_dir(cfg.OUTPUT_DIR):
        set_up(cfg, args, cfg.OUTPUT_DIR)
        register_datasets_from_cfg(cfg)
        return run(cfg, args)


def run(cfg: CfgNode, args: argparse.Namespace) -> dict | None:
    """Train or evaluate, with logging set up and the data sets of the config registered."""
    if args.eval_only:
        model = Trainer.build_model(cfg)
        checkpointer = RCFCheckpointer(
            model,
            save_dir=cfg.OUTPUT_DIR,
            class_names=known_class_names(cfg.DATASETS.TEST),
            load_ema=cfg.SOLVER.EMA.EVALUATE,
        )
        checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=args.resume)
        results = Trainer.test(cfg, model)
        if comm.is_main_process():
            verify_results(cfg, results)
        return results
    trainer = Trainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()


if __name__ == "__main__":
    launch_from_command_line(main)
