"""A trainer that sees the same clips in each iteration, for one process or several."""

import torch
from detectron2.utils import comm

from rcf_vis.engine import Trainer
from tests.conftest import make_instances

SIZE = (64, 96)
BOXES = [[(8, 40, 8, 40), (20, 60, 50, 90)], [(0, 30, 40, 80)], [], [(30, 64, 0, 50)]]


def fixed_clips() -> list[dict]:
    """Four clips of two frames, one of them without an object."""
    generator = torch.Generator().manual_seed(0)
    clips = []
    for boxes in BOXES:
        frames = [
            torch.randint(0, 256, (3, *SIZE), dtype=torch.uint8, generator=generator)
            for _ in range(2)
        ]
        target = make_instances(SIZE, boxes, list(range(len(boxes))), list(range(len(boxes))))
        clips.append({"image": frames, "instances": [target]})
    return clips


class FixedClipsTrainer(Trainer):
    """Each process gets its share of :func:`fixed_clips`, again and again."""

    @classmethod
    def build_train_loader(cls, cfg):
        share = len(BOXES) // comm.get_world_size()
        start = comm.get_rank() * share
        return [fixed_clips()[start : start + share]] * cfg.SOLVER.MAX_ITER


def save_gradients(cfg, path: str) -> None:
    """Train one iteration; the main process writes the gradients that the optimizer saw."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    trainer = FixedClipsTrainer(cfg)
    trainer.train()
    model = trainer.model.module if comm.get_world_size() > 1 else trainer.model
    if comm.is_main_process():
        torch.save({name: p.grad for name, p in model.named_parameters()}, path)
