"""Configuration keys of RCF; :func:`add_rcf_config` adds them all to a Detectron2 cfg."""

from detectron2.config import CfgNode as CN
from detectron2.projects.deeplab import add_deeplab_config

__all__ = ["add_rcf_config"]


def add_rcf_config(cfg: CN) -> None:
    """Add the keys of RCF to ``cfg`` (in place).

    The values of the paper are the defaults; those marked [ours] are choices where it is silent.
    ``SOLVER.POLY_LR_POWER`` and its like come with Detectron2's DeepLab project.

    Example:
        >>> from detectron2.config import get_cfg
        >>> cfg = get_cfg()
        >>> add_rcf_config(cfg)
        >>> cfg.merge_from_file("configs/rcf_r50.yaml")
    """
    add_deeplab_config(cfg)
    _add_network(cfg)
    _add_loss(cfg)
    _add_test(cfg)
    _add_solver(cfg)

    # Own data sets without code: a list of [name, json_file, image_root], registered before use
    cfg.DATASETS.REGISTER = []


def _add_network(cfg: CN) -> None:
    cfg.MODEL.RCF = CN()
    # Number of object categories, without the empty class
    cfg.MODEL.RCF.NUM_CLASSES = 40
    # δ: number of frames before the target that are its context; 0 turns the reference tokens off
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 1
    # Backbone levels that are used, fine to coarse
    cfg.MODEL.RCF.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    # The level f_t that becomes tokens, the coarsest of IN_FEATURES [ours: res5]
    cfg.MODEL.RCF.CONTEXT_FEATURE = "res5"
    # C': width of the tokens and of the instance code [ours]
    cfg.MODEL.RCF.HIDDEN_DIM = 256
    # K: side of the reference grid; K·K reference tokens (the paper's best "token size 4" is K = 2)
    cfg.MODEL.RCF.REF_TOKEN_SIZE = 2
    # Weigh the pixels of the references by a learned map W (table VIII)
    cfg.MODEL.RCF.REF_WEIGHT_ON = True
    # Activation of W: "sigmoid", "softmax" (over the pixels) or "none" [ours: sigmoid]
    cfg.MODEL.RCF.REF_WEIGHT_ACT = "sigmoid"
    # ϕ, the spatial compression H×W → K×K: "pool" (average) or "dwconv" (depth-wise convolution)
    cfg.MODEL.RCF.REF_POOL = "pool"
    # N: number of instance queries, the length of the instance code
    cfg.MODEL.RCF.NUM_OBJECT_QUERIES = 10
    # C_o: channels of the segmentation map S_t and of the dynamic filters [ours]
    cfg.MODEL.RCF.MASK_DIM = 64
    # Stride of the segmentation map S_t [ours]
    cfg.MODEL.RCF.COMMON_STRIDE = 4
    # Widths of the mask decoder from the context feature's stride down to COMMON_STRIDE [ours]
    cfg.MODEL.RCF.MASK_DECODER_DIMS = [256, 256, 128, 64]
    # Layers of the fusion encoder and of the instance decoder [ours]
    cfg.MODEL.RCF.ENC_LAYERS = 6
    cfg.MODEL.RCF.DEC_LAYERS = 6
    # Attention heads (the paper shows 8)
    cfg.MODEL.RCF.NHEADS = 8
    # Hidden width of the feed-forward layers
    cfg.MODEL.RCF.DIM_FEEDFORWARD = 2048
    # Dropout in encoder and decoder
    cfg.MODEL.RCF.DROPOUT = 0.1
    # Layer normalisation before (True) or after (False) each transformer sub-layer [ours]
    cfg.MODEL.RCF.PRE_NORM = False
    # Images are padded to a multiple of this, the largest stride of the backbone
    cfg.MODEL.RCF.SIZE_DIVISIBILITY = 32
    # Load the class layer from MODEL.WEIGHTS; False to fine-tune on other categories
    cfg.MODEL.RCF.LOAD_CLASS_HEAD = True


def _add_loss(cfg: CN) -> None:
    # Weights of the terms of eq. 4
    cfg.MODEL.RCF.CLASS_WEIGHT = 1.0
    cfg.MODEL.RCF.DICE_WEIGHT = 1.0
    # Per-pixel binary cross-entropy, in loss and assignment; 0 is the paper [ours]
    cfg.MODEL.RCF.MASK_WEIGHT = 0.0
    # Weight of the empty class in the class term; 1.0 is eq. 4 to the letter [ours]
    cfg.MODEL.RCF.NO_OBJECT_WEIGHT = 0.1
    # Supervise every layer of the instance decoder, not only the last [ours]
    cfg.MODEL.RCF.DEEP_SUPERVISION = True
    # One assignment for all frames of a clip, each predicted as a target (table VII)
    cfg.MODEL.RCF.ORDER_SUPERVISION = False


def _add_test(cfg: CN) -> None:
    cfg.MODEL.RCF.TEST = CN()
    # A fired slot keeps the identity that its slot last carried (III-B4)
    cfg.MODEL.RCF.TEST.SLOT_IDENTITY = True
    # A fired slot takes the identity of the previous frame's mask that it overlaps (III-B4)
    cfg.MODEL.RCF.TEST.IOU_IDENTITY = True
    # A slot fires when its best class probability reaches this
    cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.4
    # A pixel belongs to a mask when its probability exceeds this
    cfg.MODEL.RCF.TEST.MASK_THRESH = 0.5
    # Masks of neighbouring frames are one object when their IoU exceeds this
    cfg.MODEL.RCF.TEST.MATCH_IOU_THRESH = 0.5
    # Frames after which a slot forgets an identity that did not fire; 0 = never [ours]
    cfg.MODEL.RCF.TEST.MAX_AGE = 0
    # How many classes of a track's distribution are output as results [ours]
    cfg.MODEL.RCF.TEST.LABELS_PER_TRACK = 1
    # SCORE_THRESH of a second evaluation, e.g. lower for AP; -1 = as SCORE_THRESH: no second [ours]
    cfg.MODEL.RCF.TEST.AP_SCORE_THRESH = -1.0


def _add_solver(cfg: CN) -> None:
    # Factor on the learning rate of the backbone: 0.1 for ResNet, 1.0 for transformers (IV-A)
    cfg.SOLVER.BACKBONE_MULTIPLIER = 0.1
    # Weight decay of embeddings, such as the instance queries [ours]
    cfg.SOLVER.WEIGHT_DECAY_EMBED = 0.0
