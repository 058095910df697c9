"""configs/rcf_r50.yaml as a LazyConfig: YouTube-VIS 2019, ResNet-50.

python tools/lazyconfig_train_net.py --config-file configs/lazy/rcf_r50.py --num-gpus 8
python tools/lazyconfig_train_net.py --config-file configs/lazy/rcf_r50.py --eval-only \
    train.init_checkpoint=output/lazy/rcf_r50/model_final.pth
"""

from .common.data.ytvis import dataloader
from .common.models.rcf import model
from .common.optim import optimizer
from .common.schedule import lr_multiplier
from .common.train import train

__all__ = ["dataloader", "lr_multiplier", "model", "optimizer", "train"]

train.output_dir = "output/lazy/rcf_r50"
train.init_checkpoint = "detectron2://ImageNetPretrained/torchvision/R-50.pkl"
