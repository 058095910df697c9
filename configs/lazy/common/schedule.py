from detectron2.config import LazyCall as L

from rcf_vis.engine import WarmupPolyMultiplier

lr_multiplier = L(WarmupPolyMultiplier)(
    max_iter="${train.max_iter}", power=0.9, warmup_iters=1000, warmup_factor=0.001
)
