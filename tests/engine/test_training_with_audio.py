"""An audio-visual model with a frozen audio net, in two processes."""

import torch
from detectron2.engine import launch
from detectron2.utils import comm

from tests.engine.training import FixedClipsTrainer, fixed_clips


class AudioTrainer(FixedClipsTrainer):
    """The fixed clips, each frame with a patch of its own."""

    @classmethod
    def build_train_loader(cls, cfg):
        generator = torch.Generator().manual_seed(1)
        clips = [{**c, "audio": torch.randn(2, 16, 64, generator=generator)} for c in fixed_clips()]
        share = len(clips) // comm.get_world_size()
        start = comm.get_rank() * share
        return [clips[start : start + share]] * cfg.SOLVER.MAX_ITER


def _run(cfg, path):
    torch.set_num_threads(1)
    torch.manual_seed(0)
    trainer = AudioTrainer(cfg)
    model = trainer.model.module if comm.get_world_size() > 1 else trainer.model
    net = {k: v.clone() for k, v in model.audio.net.state_dict().items()}
    trainer.train()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    averages = trainer.ema.state_dict()
    changed = [k for k, v in net.items() if not torch.equal(model.audio.net.state_dict()[k], v)]
    changed += [k for k, v in net.items() if not torch.equal(averages[f"audio.net.{k}"], v)]
    assert not model.audio.net.training
    if comm.is_main_process():
        torch.save({"gradients": gradients, "changed": changed}, path)


def test_two_processes_are_as_one(patch_cfg, tmp_path):
    audio = patch_cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 12, 16
    audio.LSTM_HIDDEN = 8
    patch_cfg.OUTPUT_DIR = str(tmp_path / "output")
    patch_cfg.SOLVER.MAX_ITER, patch_cfg.SOLVER.IMS_PER_BATCH = 2, 4
    patch_cfg.SOLVER.EMA.ENABLED = True
    _run(patch_cfg, tmp_path / "1.pth")
    launch(_run, num_gpus_per_machine=2, dist_url="auto", args=(patch_cfg, str(tmp_path / "2.pth")))
    one, two = torch.load(tmp_path / "1.pth"), torch.load(tmp_path / "2.pth")
    assert one["changed"] == two["changed"] == []
    for name, gradient in one["gradients"].items():
        if name.startswith("audio.net."):
            assert gradient is None and two["gradients"][name] is None
        else:
            # Adam's first step turns the rounding of small gradients into steps of full length.
            tolerance = 5e-3 * gradient.abs().max() + 1e-6
            assert (two["gradients"][name] - gradient).abs().max() < tolerance, name
