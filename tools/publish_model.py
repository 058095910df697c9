#!/usr/bin/env python
"""Take the weights out of a training checkpoint, without optimizer, schedule and iteration.

python tools/publish_model.py output/rcf_tiny/model_final.pth rcf_vis/weights/rcf_tiny.pth
"""

import argparse
from pathlib import Path

import torch

from rcf_vis.files import whole_file


def publish(checkpoint: Path, output: Path) -> int:
    """Write ``{"model": weights}``; returns the size of the file in bytes.

    Raises:
        KeyError: the file is no checkpoint of Detectron2's trainer.
    """
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    if "model" not in content:
        raise KeyError(f"{checkpoint}: expected the key 'model', it has {sorted(content)}")
    with whole_file(output) as temporary:
        torch.save({"model": content["model"]}, temporary)
    return output.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    size = publish(args.checkpoint, args.output)
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
