#!/usr/bin/env python
"""Widen the inner convolutions of a ResNet's weights; what the network computes stays the same.

python experiments/widen_backbone.py --config-file FILE narrow.pth wide.pth --opts KEY VALUE …

The config says how wide the model shall be (MODEL.RESNETS.WIDTH_PER_GROUP); all else must be as it
is in the weights. New channels of a bottleneck begin at random and reach the block's output through
weights of zero, so training goes on where it was and may put them to use.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from detectron2.modeling import build_model
from torch import Tensor

from rcf_vis.checkpoint import read_bare_weights
from rcf_vis.config import read_config
from rcf_vis.files import whole_file
from rcf_vis.weight_files import add_trust_option

# The inner convolutions of Detectron2's BottleneckBlock
INNER = ("conv1.", "conv2.", "conv3.")


def widen(old: dict[str, Tensor], new: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put weights into those of a freshly built model with wider bottlenecks.

    Args:
        old: weights of the narrower model.
        new: initial weights of the wider one.

    Returns:
        Weights of the shapes of ``new`` that compute what ``old`` computes.

    Raises:
        ValueError: another parameter than those of a backbone's bottlenecks differs, or one of
            them is narrower in ``new``.
    """
    if old.keys() != new.keys():
        raise ValueError(
            f"the weights and the config's model differ in {sorted(old.keys() ^ new.keys())}"
        )
    return {name: _widened(name, old[name], new[name]) for name in new}


def _widened(name: str, old: Tensor, new: Tensor) -> Tensor:
    if old.shape == new.shape:
        return old.clone()
    inner = name.startswith("backbone.") and any(part in name for part in INNER)
    narrower = any(a > b for a, b in zip(old.shape, new.shape, strict=True))
    if not inner or narrower:
        raise ValueError(
            f"{name} is {tuple(old.shape)} in the weights and {tuple(new.shape)} in the config's "
            "model, expected no difference but wider bottlenecks (MODEL.RESNETS.WIDTH_PER_GROUP)"
        )
    wide = new.clone()
    if old.dim() == 4:  # what the old outputs take from new inputs: nothing
        wide[: old.shape[0], old.shape[1] :] = 0
    wide[tuple(slice(length) for length in old.shape)] = old
    return wide


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--config-file", required=True, metavar="FILE")
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="changes of the config, at the end of the command",
    )  # fmt: skip
    args = parser.parse_args(argv)
    try:
        content = read_bare_weights(args.checkpoint)
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error.args[0] if isinstance(error, KeyError) else error))
    model = build_model(read_config(args.config_file, ["MODEL.DEVICE", "cpu", *args.opts]))
    content["model"] = widen(content["model"], model.state_dict())
    with whole_file(args.output) as temporary:
        torch.save(content, temporary)
    print(f"{args.output}: {args.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
