#!/usr/bin/env python
"""Take the weights out of a training checkpoint, without optimizer, schedule and iteration.

python tools/publish_model.py output/rcf_tiny/model_final.pth rcf_vis/weights/rcf_tiny.pth
python tools/publish_model.py --ema output/rcf_r50/model_final.pth rcf_r50.pth
"""

import argparse
from pathlib import Path

import torch

from rcf_vis.checkpoint import read_bare_weights
from rcf_vis.files import whole_file


def publish(checkpoint: Path, output: Path, *, ema: bool = False) -> int:
    """Write ``{"model": weights}``, and the class names where the checkpoint has them.

    Args:
        ema: take the averaged weights (``SOLVER.EMA``) instead of the last ones.

    Returns:
        The size of the file in bytes.

    Raises:
        KeyError: the file is no checkpoint of Detectron2's trainer, or has no averaged weights.
    """
    kept = read_bare_weights(checkpoint, ema=ema)
    with whole_file(output) as temporary:
        torch.save(kept, temporary)
    return output.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--ema", action="store_true", help="the averaged weights (SOLVER.EMA)")
    args = parser.parse_args()
    size = publish(args.checkpoint, args.output, ema=args.ema)
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
