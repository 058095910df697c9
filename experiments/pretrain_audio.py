#!/usr/bin/env python
"""Teach a small audio net which objects sound, before the whole model is trained.

python experiments/pretrain_audio.py --config-file configs/synthvis/rcf_tiny_av.yaml \\
    --output output/pretrained.pth --opts MODEL.WEIGHTS output/silent/model_final.pth

VGGish comes trained; a net that does not (MODEL.RCF.AUDIO.NET "small") gives nearly the same tokens
whatever its input, and the whole model learns to do without them. Here the audio net and its tokens
are trained alone, on the audio of DATASETS.TRAIN: each token is to tell, by a linear layer that is
thrown away, the categories whose objects sound in the video. The objects' "sounds" in the json says
which; where it is missing, an object clips. Written are the weights of MODEL.WEIGHTS and those of
the audio, to be the MODEL.WEIGHTS of the training.
"""

import argparse
import logging
import statistics
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.utils.logger import setup_logger
from torch import Tensor, nn
from tqdm import tqdm

from rcf_vis.checkpoint import RCFCheckpointer, known_class_names
from rcf_vis.config import read_config
from rcf_vis.data.audio import FrameAudio
from rcf_vis.data.json_forms import read_video_json
from rcf_vis.engine import Trainer
from rcf_vis.files import whole_file
from rcf_vis.weight_files import add_trust_option

ROOT = Path(__file__).resolve().parents[1]
logger = logging.getLogger("rcf_vis.pretrain_audio")


def sounding_categories(dataset: str, num_classes: int) -> dict[int, Tensor]:
    """Video id → ``(num_classes,)`` float32: 1 for the categories of which an object sounds."""
    metadata = MetadataCatalog.get(dataset)
    content = read_video_json(metadata.json_file)
    labels = {video["id"]: torch.zeros(num_classes) for video in content["videos"]}
    for annotation in content.get("annotations") or ():
        of_video = labels.get(annotation["video_id"])  # None: the loader leaves it out, too
        if of_video is not None and annotation.get("sounds", True):
            of_video[metadata.thing_dataset_id_to_contiguous_id[annotation["category_id"]]] = 1
    return labels


def load_patches(cfg: CfgNode) -> tuple[list[Tensor], Tensor]:
    """Patches ``(T, η, 64)`` float16 of the V videos of DATASETS.TRAIN that have an audio track.

    Returns:
        The patches, and the categories that sound in each video, ``(V, num_classes)``.

    Raises:
        ValueError: there is no audio.
    """
    audio = FrameAudio(patch_frames=cfg.MODEL.RCF.AUDIO.NUM_FRAMES)
    patches, labels = [], []
    for dataset in cfg.DATASETS.TRAIN:
        records = DatasetCatalog.get(dataset)
        sounding = sounding_categories(dataset, cfg.MODEL.RCF.NUM_CLASSES)
        for record in tqdm(records, desc=f"audio of {dataset}", unit="video"):
            if record.get("audio_file"):
                of_video = audio.of_frames(record, range(record["length"]))["audio"]
                patches.append(of_video.half())
                labels.append(sounding[record["video_id"]])
    if not patches:
        raise ValueError(f"DATASETS.TRAIN {cfg.DATASETS.TRAIN}: no video has an audio track")
    return patches, torch.stack(labels)


def windows(patches: Sequence[Tensor], length: int, generator: torch.Generator) -> Tensor:
    """A random window of each video, its first frame repeated before it: ``(length, B, η, 64)``."""
    chosen = []
    for of_video in patches:
        last = int(torch.randint(len(of_video), (), generator=generator))
        frames = torch.arange(last - length + 1, last + 1).clamp(min=0)
        chosen.append(of_video[frames])
    return torch.stack(chosen, dim=1).float()


def train(
    audio: nn.Module,
    patches: Sequence[Tensor],
    labels: Tensor,
    args: argparse.Namespace,
    delta: int,
) -> float:
    """Train the audio net and its tokens, in place.

    Returns:
        The mean of the last 50 losses: binary cross entropy of a token and category.
    """
    generator = torch.Generator().manual_seed(args.seed)
    width = audio.tokens.proj[-1].out_features
    head = nn.Linear(width, labels.shape[1]).to(audio.device)
    audio.net.requires_grad_(True)
    audio.train()
    parameters = [*audio.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=args.lr, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, args.iterations)
    losses: deque[float] = deque(maxlen=50)
    for _ in (progress := tqdm(range(args.iterations), desc="training", unit="iteration")):
        batch = torch.randperm(len(patches), generator=generator)[: args.batch_size]
        clips = windows([patches[i] for i in batch.tolist()], 1 + delta, generator)
        features = audio.net(clips.flatten(0, 1).to(audio.device)).unflatten(0, clips.shape[:2])
        logits = head(audio(list(features)).tokens)
        target = labels[batch, None].expand(-1, logits.shape[1], -1).to(logits.device)
        loss = F.binary_cross_entropy_with_logits(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.set_postfix_str(f"loss {statistics.mean(losses):.3f}")
    return statistics.mean(losses)


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    config = ROOT / "configs" / "synthvis" / "rcf_tiny_av.yaml"
    parser.add_argument("--config-file", default=str(config), metavar="FILE")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE")
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--batch-size", type=int, default=64, help="videos an iteration")
    parser.add_argument("--lr", type=float, default=2e-3, help="at its highest")
    parser.add_argument("--seed", type=int, default=0)
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, at the end of the command",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    args = get_parser().parse_args(argv)
    setup_logger(name="rcf_vis")
    cfg = read_config(args.config_file, args.opts)
    if not cfg.MODEL.RCF.AUDIO.ENABLED:
        raise SystemExit(f"{args.config_file}: MODEL.RCF.AUDIO.ENABLED is False")
    patches, labels = load_patches(cfg)
    torch.manual_seed(args.seed)
    model = Trainer.build_model(cfg)
    names = known_class_names(cfg.DATASETS.TRAIN)
    loading = {"class_names": names, "load_class_head": cfg.MODEL.RCF.LOAD_CLASS_HEAD}
    RCFCheckpointer(model, **loading).load(cfg.MODEL.WEIGHTS)
    chance = F.binary_cross_entropy(labels.mean(0).expand_as(labels), labels)
    loss = train(model.audio, patches, labels, args, cfg.MODEL.RCF.NUM_REFERENCE_FRAMES)
    logger.info("Loss %.3f; %.3f is that of somebody who knows the shares alone", loss, chance)
    with whole_file(args.output) as temporary:
        torch.save({"model": model.state_dict(), "class_names": names}, temporary)
    logger.info("Written: %s", args.output)


if __name__ == "__main__":
    main()
