#!/usr/bin/env python
"""Take the weights out of a training checkpoint, without optimizer, schedule and iteration.

python tools/publish_model.py --ema output/rcf_tiny/model_final.pth rcf_tiny.safetensors
python tools/publish_model.py output/rcf_r50/model_final.pth rcf_r50.pth
"""

import argparse
from pathlib import Path

from rcf_vis.checkpoint import read_bare_weights, save_bare_weights
from rcf_vis.files import check_output
from rcf_vis.weight_files import add_trust_option


def publish(checkpoint: Path, output: Path, *, ema: bool = False, half: bool = False) -> int:
    """Write the weights, and the class names where the checkpoint has them.

    Args:
        output: ``.safetensors`` or ``.pth``.
        ema: take the averaged weights (``SOLVER.EMA``) instead of the last ones.
        half: write matrices and kernels in half precision; vectors, among them the statistics of
            batch norms, stay as they are. Loading brings all back to the model's precision.

    Returns:
        The size of the file in bytes.

    Raises:
        KeyError: the file is no checkpoint of Detectron2's trainer, or has no averaged weights.
        BrokenWeights: it is broken, or has more in it than weights and plain values.
        ValueError: the output has another suffix.
    """
    content = read_bare_weights(checkpoint, ema=ema)
    if half:
        content["model"] = {
            name: value.half() if value.is_floating_point() and value.ndim > 1 else value
            for name, value in content["model"].items()
        }
    save_bare_weights(content, output)
    return output.stat().st_size


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path, help=".safetensors, or .pth for torch.load")
    parser.add_argument("--ema", action="store_true", help="the averaged weights (SOLVER.EMA)")
    parser.add_argument("--half", action="store_true", help="in half precision, half the size")
    add_trust_option(parser)
    args = parser.parse_args()
    try:
        check_output(args.output, args.checkpoint)
        size = publish(args.checkpoint, args.output, ema=args.ema, half=args.half)
    except (KeyError, OSError, ValueError) as error:
        parser.error(str(error.args[0] if isinstance(error, KeyError) else error))
    print(f"{args.output}: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
