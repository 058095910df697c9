"""Training of RCF with Detectron2's loop."""

from rcf_vis.modeling.folding import scale_weights_by_frozen_norms
from rcf_vis.modeling.memory_format import use_channels_last

from .accumulation import AccumulatingAMPTrainer, AccumulatingTrainer, build_loop, check_batch_size
from .activation_checkpointing import checkpoint_activations
from .command_line import launch_from_command_line, own_output_dir, set_up
from .ema import ModelEMA
from .exact_resume import ExactResume
from .lazy import WarmupPolyMultiplier, load_dataset
from .optimizer import FullModelClippingAdamW, build_optimizer, parameter_groups
from .trainer import Trainer, check_classes, create_ddp
from .weights_evaluation import evaluate_weights

__all__ = [
    "AccumulatingAMPTrainer",
    "AccumulatingTrainer",
    "ExactResume",
    "FullModelClippingAdamW",
    "ModelEMA",
    "Trainer",
    "WarmupPolyMultiplier",
    "build_loop",
    "build_optimizer",
    "check_batch_size",
    "check_classes",
    "checkpoint_activations",
    "create_ddp",
    "evaluate_weights",
    "launch_from_command_line",
    "load_dataset",
    "own_output_dir",
    "set_up",
    "parameter_groups",
    "scale_weights_by_frozen_norms",
    "use_channels_last",
]
