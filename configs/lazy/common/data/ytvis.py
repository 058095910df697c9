from detectron2.config import LazyCall as L
from detectron2.data import build_detection_test_loader, build_detection_train_loader
from detectron2.data import transforms as T
from omegaconf import OmegaConf

from rcf_vis.data import ClipDatasetMapper, get_video_dicts
from rcf_vis.engine import load_dataset
from rcf_vis.evaluation import YTVISEvaluator

dataloader = OmegaConf.create()

dataloader.train = L(build_detection_train_loader)(
    dataset=L(get_video_dicts)(names=["ytvis_2019_train"]),
    mapper=L(ClipDatasetMapper)(
        is_train=True,
        augmentations=[
            L(T.ResizeShortestEdge)(
                short_edge_length=[288, 320, 352, 384, 416, 448, 480],
                max_size=768,
                sample_style="choice",
            ),
            L(T.RandomFlip)(horizontal=True),
        ],
        image_format="RGB",
        num_reference_frames="${model.context_fusion.num_reference_frames}",
        fast_decode=True,
    ),
    total_batch_size=16,
    aspect_ratio_grouping=False,
    num_workers=4,
)

dataloader.test = L(build_detection_test_loader)(
    dataset=L(load_dataset)(name="ytvis_2019_val"),
    mapper=L(ClipDatasetMapper)(
        is_train=False,
        augmentations=[L(T.ResizeShortestEdge)(short_edge_length=360, max_size=640)],
        image_format="${...train.mapper.image_format}",
        num_reference_frames="${model.context_fusion.num_reference_frames}",
    ),
    num_workers=4,
)

dataloader.evaluator = L(YTVISEvaluator)(
    dataset_name="${..test.dataset.name}",
    output_dir="${train.output_dir}/inference/${..test.dataset.name}",
    labels_per_track=1,
)
