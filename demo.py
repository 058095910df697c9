#!/usr/bin/env python
"""Track the instances of a video, frame by frame, and draw them.

    python demo.py --config-file configs/synthvis/rcf_tiny.yaml --input in.mp4 --output out.mp4
    python demo.py --config-file FILE --input "frames/*.jpg" --output DIR --opts MODEL.WEIGHTS FILE

The input is a video file, a folder of images, a glob pattern in quotes, or several images. Frames
are read, tracked, drawn and written one at a time, so the length of the video does not matter. What
was tracked when an error or Ctrl-C ends it is kept, as out.partial.mp4 and tracks.partial.json.
An audio-visual model takes the audio track of a video file, which also goes into the output.
"""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

from detectron2.config import CfgNode
from detectron2.utils.logger import setup_logger
from tqdm import tqdm

from rcf_vis import OnlinePredictor
from rcf_vis.audio import AudioFile
from rcf_vis.config import read_config
from rcf_vis.evaluation import TrackAccumulator
from rcf_vis.evaluation.exports import EXPORT_FORMATS, write_tracks
from rcf_vis.files import check_output, partial_path
from rcf_vis.inference.setup import prepare_cfg
from rcf_vis.inference.video_io import ON_ERROR, FrameSource, open_frames
from rcf_vis.inference.video_sound import VideoSound, open_audio
from rcf_vis.inference.video_writer import VideoWriter, open_writer
from rcf_vis.visualization.tracks import TrackVisualizer
from rcf_vis.weight_files import add_trust_option

logger = logging.getLogger("rcf_vis.demo")
IMAGE_FRAME_RATE = Fraction(6)  # of images, which have none of their own: that of YouTube-VIS


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE", help="path to config file")
    parser.add_argument(
        "--input", required=True, nargs="+", help="a video, a folder, a glob in quotes, or images"
    )
    parser.add_argument("--output", help="a video (.mp4), or a folder for images (no suffix)")
    parser.add_argument(
        "--confidence-threshold",
        type=probability,
        metavar="P",
        default=0.0,
        help="minimum score of the masks that are drawn; tracks and --save-json stay as they are: "
        "what counts as an object is said by --opts MODEL.RCF.TEST.SCORE_THRESH P",
    )
    parser.add_argument("--save-json", metavar="FILE", help="short for --export ytvis=FILE")
    parser.add_argument(
        "--export",
        type=export,
        nargs="+",
        default=[],
        metavar="FORMAT=FILE",
        help="write the tracks: ytvis=out.json, coco=out.json (frame by frame) or mots=out.txt",
    )
    parser.add_argument("--video-id", type=int, default=1, help="video_id in what is exported")
    parser.add_argument(
        "--frame-rate",
        type=frame_rate,
        metavar="R",
        help="of the output, e.g. 12.5 or 30000/1001; default: the video's own, 6 for images",
    )
    parser.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="skip",
        help="what a damaged packet of a video means: skip it and go on (default), or stop",
    )
    parser.add_argument("--no-audio", action="store_true", help="leave out the audio of the video")
    add_trust_option(parser)
    parser.add_argument(
        "--opts",
        nargs=argparse.REMAINDER,
        default=[],
        metavar="KEY VALUE",
        help="config options, at the end of the command",
    )
    parser.add_argument("more_opts", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def setup_cfg(args: argparse.Namespace) -> CfgNode:
    cfg = read_config(args.config_file, args.more_opts + args.opts)
    return prepare_cfg(cfg)


def track_video(
    frames: FrameSource,
    predictor: OnlinePredictor,
    visualizer: TrackVisualizer,
    tracks: TrackAccumulator,
    *,
    output: str | None,
    frame_rate: Fraction | None = None,
    audio: AudioFile | None = None,
) -> None:
    """Run the predictor over a video, one frame and its audio in memory at a time.

    Args:
        frame_rate: of the output; None: each frame is shown as long as in the input.
    """
    # At another frame rate the audio would not be in step with the pictures.
    in_step = audio is not None and frame_rate is None
    if audio is not None and not in_step:
        logger.warning("The output has another frame rate than the input, so it has no audio")
    writer = nullcontext()
    if output:
        writer = open_writer(
            output,
            frame_rate=frame_rate or frames.frame_rate or IMAGE_FRAME_RATE,
            sample_rate=audio.sample_rate if in_step else None,
            time_base=frames.time_base if frame_rate is None else None,
            keep_partial=True,
        )
    writes_audio = in_step and isinstance(writer, VideoWriter)
    sound = None if audio is None else VideoSound(audio)
    progress = tqdm(total=frames.num_frames, unit="frame", desc=Path(frames.name).name)
    with writer, progress:
        for frame in frames.timed():
            audio_input = {} if sound is None else sound.of(frame)
            instances = predictor(frame.image, **audio_input)
            tracks.add(instances)
            if output:
                writer.write(visualizer.draw(frame.image, instances), (frame.start, frame.end))
            if writes_audio:
                writer.write_audio(audio_input["audio"])
            del frame  # before the next one is read
            progress.update()


def check_outputs(args: argparse.Namespace, exports: list, inputs: Sequence[str]) -> None:
    """Raise, before the first frame, where a result could not be written at the end."""
    for kind, path in exports:
        check_output(path, *inputs, option=f"--export {kind}=")
    if args.output and Path(args.output).suffix:
        check_output(args.output, *inputs, option="--output")
    names = [os.path.abspath(path) for path in (args.output, *(p for _, p in exports)) if path]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ValueError(f"two results have the name {twice!r}: one would replace the other")


def main(argv: list[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    if not os.path.isfile(args.config_file):
        parser.error(f"--config-file {args.config_file!r}: no such file")
    exports = [*args.export, *([("ytvis", args.save_json)] if args.save_json else [])]
    if not (args.output or exports):
        parser.error("nothing to do: give --output, --export or both")
    cfg = setup_cfg(args)
    frames = open_frames(args.input, on_error=args.on_error)
    check_outputs(args, exports, [*frames.paths, args.config_file])
    predictor = OnlinePredictor(cfg)
    if predictor.metadata is None:
        raise ValueError(
            "the classes have no names: neither DATASETS.TEST names a data set whose json is "
            f"there, nor does {cfg.MODEL.WEIGHTS or 'MODEL.WEIGHTS'} have them"
        )
    metadata = predictor.metadata
    tracks = TrackAccumulator(video_id=args.video_id)
    whole = False
    try:
        track_video(
            frames,
            predictor,
            TrackVisualizer(metadata.thing_classes, min_score=args.confidence_threshold),
            tracks,
            output=args.output,
            frame_rate=args.frame_rate,
            audio=open_audio(frames) if cfg.MODEL.RCF.AUDIO.ENABLED and not args.no_audio else None,
        )
        whole = True
    finally:  # also after an error or Ctrl-C what was tracked is kept, under a name that says so
        for kind, path in exports if whole or len(tracks) else ():
            path = path if whole else partial_path(path)
            write_tracks(kind, path, tracks, metadata, cfg.MODEL.RCF.TEST.LABELS_PER_TRACK)
            if not whole:
                logger.warning("The tracks of the first %d frames are in %s", len(tracks), path)
    for path in filter(None, (args.output, *(path for _, path in exports))):
        print(f"Wrote {path}")


def export(text: str) -> tuple[str, str]:
    kind, _, path = text.partition("=")
    if kind not in EXPORT_FORMATS or not path:
        raise argparse.ArgumentTypeError(
            f"expected FORMAT=FILE, FORMAT one of {', '.join(EXPORT_FORMATS)}, got '{text}'"
        )
    return kind, path


def probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number in [0, 1], got {text}")
    return value


def frame_rate(text: str) -> Fraction:
    value = Fraction(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


if __name__ == "__main__":
    # Being terminated ends the program as Ctrl-C does: what was tracked is written.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    setup_logger(name="fvcore")
    setup_logger(name="rcf_vis")
    main()
