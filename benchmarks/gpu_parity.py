"""A device's steps against those of the CPU in fp32: R50, random weights, the same frames.

python benchmarks/gpu_parity.py --device cuda --json parity.json

Five frames with their state, in each precision, eager and compiled. Printed are the largest
differences of the logits and of the mask logits over the largest of the CPU's.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from detectron2.modeling import build_model
from tabulate import tabulate

from rcf_vis import optimize_for_inference
from rcf_vis.config import read_config
from rcf_vis.modeling import RCF, FrameOutput

CONFIG = Path(__file__).parents[1] / "configs" / "rcf_r50.yaml"


def outputs_of(model: RCF, frames: list[torch.Tensor]) -> list[FrameOutput]:
    return [
        output._replace(logits=output.logits.float().cpu(), masks=output.masks.float().cpu())
        for output in model.run_network({"image": frames})
    ]


def difference(found: list[FrameOutput], expected: list[FrameOutput], name: str) -> float:
    pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(found, expected, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--config-file", default=str(CONFIG), metavar="FILE")
    parser.add_argument("--size", type=int, nargs=2, default=(360, 640), metavar=("H", "W"))
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args(argv)
    opts = ["MODEL.WEIGHTS", "", "MODEL.TIMM.PRETRAINED", "False", "MODEL.DEVICE", "cpu"]
    torch.manual_seed(0)
    model = build_model(read_config(args.config_file, opts)).eval()
    frames = [torch.randint(0, 256, (3, *args.size), dtype=torch.uint8) for _ in range(5)]
    expected = outputs_of(model, frames)
    model.to(args.device)
    rows = []
    for precision in ("fp32", "bf16", "fp16"):
        for compiled in (False, True):
            try:
                ready = optimize_for_inference(model, precision=precision, compile=compiled)
            except ValueError as error:
                print(error)
                break
            found = outputs_of(ready, frames)
            differences = [difference(found, expected, name) for name in ("logits", "masks")]
            rows.append([precision, "compiled" if compiled else "eager", *differences])
    print(tabulate(rows, ["precision", "engine", "logits", "masks"], "pipe", floatfmt=".1e"))
    if args.json:
        args.json.write_text(json.dumps(rows))


if __name__ == "__main__":
    main()
