#!/usr/bin/env python
"""Computes the features of the audio of whole data sets, once, so that training need not.

    python tools/cache_audio.py --config-file configs/avis/rcf_r50.yaml \\
        --opts DATASETS.AUDIO_CACHE output/audio_cache
    python tools/cache_audio.py --config-file FILE --dataset avis_train avis_val --opts …

By default the data sets are those of DATASETS.TRAIN and DATASETS.TEST. One file a video is written,
atomically, so that a run that was stopped goes on where it was. What is there and up to date is
kept; what was made of other audio, or by an audio net of other weights, is made anew. Then train
with the same config and the same DATASETS.AUDIO_CACHE. The exit status is 1 where audio cannot be
read.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog
from torch import Tensor, nn
from tqdm import tqdm

from rcf_vis.audio.feature_cache import AudioFeatureCache
from rcf_vis.audio.net_weights import open_audio_cache, read_net_weights
from rcf_vis.config import read_config
from rcf_vis.data import DatasetError, register_datasets_from_cfg
from rcf_vis.data.audio import FrameAudio
from rcf_vis.modeling.audio import build_audio_net
from rcf_vis.weight_files import add_trust_option

_BATCH_SIZE = 64
_SILENT_VIDEO = {"video_id": "without audio", "audio_file": None, "length": 1}


def get_parser() -> argparse.ArgumentParser:
    """The command line of this script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--config-file", required=True, metavar="FILE", help="of an audio-visual model"
    )
    parser.add_argument(
        "--dataset", nargs="+", default=[], metavar="NAME", help="default: those of the config"
    )
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, at the end of the command",
    )  # fmt: skip
    return parser


def parse_args(argv: list[str] | None = None) -> tuple[CfgNode, list[str]]:
    """The config and the names of the data sets."""
    parser = get_parser()
    args = parser.parse_args(argv)
    try:
        cfg = read_config(args.config_file, args.opts)
        register_datasets_from_cfg(cfg)
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error))
    if not cfg.DATASETS.AUDIO_CACHE:
        parser.error("DATASETS.AUDIO_CACHE is empty, expected a folder for the features")
    names = args.dataset or list(dict.fromkeys([*cfg.DATASETS.TRAIN, *cfg.DATASETS.TEST]))
    for name in names:
        if name not in DatasetCatalog.list():
            parser.error(f"argument --dataset: no data set '{name}'")
    return cfg, names


def load_net(cfg: CfgNode) -> nn.Module:
    """The audio net with the weights that a run of this config begins with, in evaluation mode.

    Raises:
        ValueError, FileNotFoundError: see :func:`rcf_vis.audio.net_weights.read_net_weights`; the
            weights do not fit.
    """
    weights = read_net_weights(cfg)
    net = build_audio_net(cfg)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"the audio net of MODEL.WEIGHTS {cfg.MODEL.WEIGHTS!r}, or of MODEL.RCF.AUDIO.WEIGHTS "
            f"{cfg.MODEL.RCF.AUDIO.WEIGHTS!r}, does not fit MODEL.RCF.AUDIO: {error}"
        ) from error
    return net.eval()


@torch.inference_mode()
def compute_features(
    net: nn.Module, audio: FrameAudio, record: dict[str, Any], device: str
) -> Tensor:
    """a_t of each frame of a video, ``(length, C_a)`` float32 on the CPU.

    Raises:
        DatasetError, FileNotFoundError: its audio cannot be read.
    """
    batches = _batches(audio.of_video(record)["audio"])
    return torch.cat([net(torch.stack(batch).to(device)).float().cpu() for batch in batches])


def _batches(items: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    items = iter(items)
    while batch := list(islice(items, _BATCH_SIZE)):
        yield batch


def fill(
    cache: AudioFeatureCache,
    net: nn.Module,
    audio: FrameAudio,
    records: Iterable[dict[str, Any]],
    device: str,
) -> tuple[Counter[str], list[str]]:
    """Compute what is missing or outdated of some videos.

    Returns:
        How many were ``computed``, ``kept`` and ``silent``, and what could not be read.
    """
    counts, faults = Counter(), []
    for record in records:
        if record.get("audio_file") is None:
            counts["silent"] += 1
            continue
        try:
            if cache.fault(record) is None:
                counts["kept"] += 1
                continue
            cache.write(record, compute_features(net, audio, record, device))
            counts["computed"] += 1
        except (DatasetError, FileNotFoundError) as error:
            faults.append(str(error))
    return counts, faults


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 where something could not be read."""
    cfg, names = parse_args(argv)
    device = cfg.MODEL.DEVICE
    try:
        cache = open_audio_cache(cfg)
        net = load_net(cfg).to(device)
        audio = FrameAudio(patch_frames=cfg.MODEL.RCF.AUDIO.NUM_FRAMES)
        cache.write(_SILENT_VIDEO, compute_features(net, audio, _SILENT_VIDEO, device))
        faults = []
        for name in names:
            records = tqdm(DatasetCatalog.get(name), desc=name, unit="video", disable=None)
            counts, found = fill(cache, net, audio, records, device)
            faults += found
            print(
                f"{name}: {counts['computed']} videos computed, {counts['kept']} up to date, "
                f"{counts['silent']} without audio, {len(found)} not readable"
            )
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(*faults, sep="\n", end="\n" if faults else "", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
