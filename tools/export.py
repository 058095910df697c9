#!/usr/bin/env python
"""Write a model's online step, with the state of the video, to a file.

    python tools/export.py --config-file configs/synthvis/rcf_tiny.yaml --size 320x192 \\
        --output rcf_tiny.onnx
    python tools/export.py --config-file configs/rcf_r50.yaml --format torch-export \\
        --output rcf_r50.pt2 --opts MODEL.WEIGHTS rcf_r50.safetensors

An ONNX file runs with numpy and onnxruntime, or OpenVINO, alone: rcf_vis.runtime. It is for frames
of one size, or for others that are resized to the same size. The graph takes a resized frame,
``image`` uint8 (3, h, w), with sound also ``audio``, and the tensors of the state; it gives
``logits``, ``masks`` and the next state. A state of zeros is a new video. What else a user needs
stands in the file's metadata, "rcf_vis": thresholds, class names, the order of the channels and so
on (rcf_vis.runtime.ModelDescription).
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

from detectron2.utils.logger import setup_logger

from rcf_vis import OnlinePredictor
from rcf_vis.config import read_config
from rcf_vis.files import check_output
from rcf_vis.inference.export import export_onnx, export_program
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import open_frames
from rcf_vis.weight_files import add_trust_option

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2"}


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help=".onnx or .pt2")
    parser.add_argument("--format", choices=tuple(SUFFIXES), default="onnx")
    parser.add_argument(
        "--size", type=frame_size, default=(640, 360), metavar="WxH",
        help="of the frames before they are resized, default 640x360",
    )  # fmt: skip
    parser.add_argument("--precision", help="fp32, bf16 or fp16; default: MODEL.RCF.TEST.PRECISION")
    parser.add_argument(
        "--int8", nargs="+", metavar="VIDEO",
        help="of onnx: convolutions in int8, calibrated on these, each a video or a folder",
    )  # fmt: skip
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="config options, at the end of the command",
    )  # fmt: skip
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    if not Path(args.config_file).is_file():
        parser.error(f"--config-file {args.config_file!r}: no such file")
    if args.output.suffix != SUFFIXES[args.format]:
        parser.error(f"--output {args.output}: expected {SUFFIXES[args.format]} for {args.format}")
    if args.int8 and args.format != "onnx":
        parser.error(f"--int8 with --format {args.format}: expected onnx")
    cfg = prepare_cfg(read_config(args.config_file, args.opts))
    width, height = args.size
    try:
        check_output(args.output, args.config_file, option="--output")
        predictor = OnlinePredictor(cfg, precision=args.precision, compile=False)
        if args.format == "onnx":
            videos = None if args.int8 is None else [open_frames(video) for video in args.int8]
            differences = export_onnx(predictor, args.output, (height, width), videos)
            shown = ", ".join(f"{name} {value:.1e}" for name, value in differences.items())
            print(f"largest differences from PyTorch: {shown}")
        else:
            export_program(predictor, args.output, (height, width))
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from None
    print(f"Wrote {args.output}, {args.output.stat().st_size / 1e6:.1f} MB")


def frame_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got '{text}'")
    return int(width), int(height)


if __name__ == "__main__":
    setup_logger(name="fvcore")
    setup_logger(name="rcf_vis")
    logging.getLogger("onnxscript").setLevel(logging.ERROR)  # what it does not fold, op by op
    main()
