#!/usr/bin/env python
"""Measure what an online step costs, stage by stage, and against its own bare backbone.

    python tools/benchmark.py --config-file configs/rcf_r50.yaml --size 640x360 1920x1080
    python tools/benchmark.py --config-file configs/rcf_r50.yaml --device cuda --precision fp16 \\
        --engine compile --json out.json
    python tools/benchmark.py --config-file configs/rcf_r50.yaml --engine onnxruntime
    python tools/benchmark.py --config-file configs/rcf_r50.yaml --streams 4 16
    python tools/benchmark.py --config-file configs/rcf_r50.yaml --data

Frames of a picture that moves are decoded, resized, passed through the network and decided on, as
OnlinePredictor and the evaluator do it. Weights are random unless --opts MODEL.WEIGHTS names some;
whatever they are, as many slots fire as --objects says, with ellipses that move for masks, each
5 % of the frame: what comes behind the network costs what it does with so many objects. After each
frame the bare backbone (as it is trained, not made ready for inference) is timed as well; with
--engine compile on a GPU also the backbone alone as a CUDA graph, in the precision of the model.
"""

import argparse
import copy
import json
import platform
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import torch
from detectron2.modeling import build_model
from detectron2.utils.file_io import PathManager
from tabulate import tabulate
from torch import Tensor
from tqdm import tqdm

from rcf_vis import OnlinePredictor, optimize_for_inference
from rcf_vis.analysis.feeding import clips_a_cpu_second, write_videos
from rcf_vis.analysis.streams import measure_streams
from rcf_vis.checkpoint import RCFCheckpointer, load_part_weights
from rcf_vis.config import read_config
from rcf_vis.data.augmentation import build_test_augmentation
from rcf_vis.files import check_output, whole_file
from rcf_vis.foreign_files import check_regular
from rcf_vis.inference import frame_input
from rcf_vis.inference.export import export_onnx
from rcf_vis.inference.frame_input import resize_on_device
from rcf_vis.inference.graphs import GraphedStep, captured
from rcf_vis.modeling import decisions
from rcf_vis.modeling.online import FrameOutput
from rcf_vis.runtime import RuntimeModel, RuntimeState
from rcf_vis.runtime import instances as runtime_instances
from rcf_vis.runtime.engines import ENGINES
from rcf_vis.tracking import IdentityState, box_masks_of
from rcf_vis.weight_files import add_trust_option

NETWORK = ("backbone", "fusion", "mask decoder", "instance decoder")  # seen where it is no graph
STAGES = (
    *("decode", "resize", "copy in", "network", *NETWORK),
    *("copy out", "masks", "identities", "encode"),
)
STREAM_FPS = 6  # of YouTube-VIS, which the paper's latency is about


def get_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", required=True, metavar="FILE")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: cuda where there is one"
    )
    parser.add_argument(
        "--size", type=frame_size, nargs="+", default=[(640, 360)], metavar="WxH",
        help="of the source, default 640x360",
    )  # fmt: skip
    parser.add_argument(
        "--objects", type=count, nargs="+", default=[3], metavar="N", help="default 3"
    )
    parser.add_argument("--frames", type=positive, default=30, help="measured, default 30")
    parser.add_argument("--warmup", type=count, default=5, help="frames before, default 5")
    parser.add_argument(
        "--precision", default="fp32", help="fp32, bf16 or fp16 (MODEL.RCF.TEST.PRECISION)"
    )
    parser.add_argument(
        "--engine", choices=("torch", "compile", *ENGINES), default="torch",
        help="compile: a CUDA graph, on a CPU torch.compile (MODEL.RCF.TEST.COMPILE); onnxruntime, "
        "openvino: a file of tools/export.py, run by rcf_vis.runtime",
    )  # fmt: skip
    parser.add_argument(
        "--streams", type=positive, nargs="+", metavar="N",
        help="instead, frames a second of N streams in one step, and of one after the other in the "
        "same run; objects as the weights find them",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=positive, nargs="?", const=200, metavar="CLIPS",
        help="instead, clips a CPU second of the config's training mapper, of videos of 1280x720; "
        "default 200",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    add_trust_option(parser)
    parser.add_argument(
        "--opts", nargs=argparse.REMAINDER, default=[], metavar="KEY VALUE",
        help="config options, at the end of the command",
    )  # fmt: skip
    return parser


class Stopwatch:
    """Seconds of each stage, frame by frame; waits for a GPU before it looks at the clock."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._started: dict[str, float] = {}

    def now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def begin(self, name: str) -> None:
        self._started[name] = self.now()

    def end(self, name: str) -> None:
        self.seconds[name].append(self.now() - self._started.pop(name))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.begin(name)
        yield
        self.end(name)

    def around(self, function, name: str):
        def timed(*args, **kwargs):
            with self.stage(name):
                return function(*args, **kwargs)

        return timed


class Source(Sequence):
    """Frames of a camera: jpegs in memory, decoded and resized when they are asked for."""

    def __init__(self, size: tuple[int, int], length: int, cfg, watch: Stopwatch) -> None:
        width, height = size
        noise = np.random.default_rng(0).integers(0, 256, (height // 8 + 9, width // 8 + 9, 3))
        picture = cv2.resize(
            noise.astype(np.uint8), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC
        )
        views = [picture[k : k + height, k : k + width] for k in range(8)]
        self._jpegs = [cv2.imencode(".jpg", view)[1] for view in views]
        self._length = length
        self._resize, self._format = build_test_augmentation(cfg), cfg.INPUT.FORMAT
        self._watch = watch

    def __len__(self) -> int:
        return self._length

    def decoded(self, index: int) -> np.ndarray:
        with self._watch.stage("decode"):
            return cv2.imdecode(self._jpegs[index % len(self._jpegs)], cv2.IMREAD_COLOR)

    def __getitem__(self, index: int) -> Tensor:
        if index >= self._length:
            raise IndexError(index)
        frame = self.decoded(index)
        device, seconds = self._watch.device, self._watch.seconds
        name = "resize" if device.type == "cpu" else "copy in"  # of the whole frame, then resized
        timed = self._watch.around(resize_on_device, "resize")
        with mock.patch.object(frame_input, "resize_on_device", timed), self._watch.stage(name):
            image = frame_input.frame_input(
                frame, self._resize, image_format=self._format, device=device
            )
        if device.type == "cpu":
            seconds["copy in"].append(0.0)
        else:
            seconds["copy in"][-1] -= seconds["resize"][-1]
        return image


def with_objects(output: FrameOutput, count: int, number: int) -> FrameOutput:
    """The output of the network with ``count`` slots that fire, on ellipses of 5 % of the frame."""
    if count > len(output.logits):
        raise SystemExit(
            f"--objects {count}: there are {len(output.logits)} slots "
            "(MODEL.RCF.NUM_OBJECT_QUERIES)"
        )
    logits = torch.zeros_like(output.logits)
    logits[:, -1] = 9.0
    logits[:count, -1], logits[:count, 0] = 0.0, 9.0
    height, width = output.masks.shape[1:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    masks = torch.full_like(output.masks, -9.0)
    for slot in range(count):
        centre = ((0.1 + 0.31 * slot + 0.003 * number) % 1, (0.2 + 0.17 * slot) % 1)
        reach = ((x / width - centre[0]) ** 2 + (y / height - centre[1]) ** 2).sqrt()
        masks[slot] = (60 * ((0.05 / np.pi) ** 0.5 - reach)).to(masks)
    return output._replace(logits=logits, masks=masks)


def measure(model, backbone, cfg, size, objects: int, frames: int, warmup: int) -> dict:
    """Milliseconds of each stage, of the whole step and of the bare backbone."""
    watch = Stopwatch(model.device)
    source = Source(size, frames + warmup, cfg, watch)
    graphed, replay = isinstance(model.frame_step, GraphedStep), None
    identities, (width, height) = IdentityState(), size
    parts = {
        "fusion": model.context_fusion,
        "mask decoder": model.mask_decoder,
        "instance decoder": model.instance_decoder,
    }
    with ExitStack() as stack:
        for name, part in parts.items():
            handle = part.register_forward_pre_hook(lambda *_, name=name: watch.begin(name))
            stack.callback(handle.remove)
            handle = part.register_forward_hook(lambda *_, name=name: watch.end(name))
            stack.callback(handle.remove)
        for owner, function, name in (
            (model, "frame_step", "network"),
            (model, "extract_features", "backbone"),  # with normalising and padding
            (decisions, "summarize_slots", "copy out"),
            (decisions, "binary_masks", "masks"),  # on a GPU with their copy to the host
            (decisions, "assign_identities", "identities"),
        ):
            timed = watch.around(getattr(owner, function), name)
            stack.enter_context(mock.patch.object(owner, function, timed))
        stack.enter_context(torch.no_grad())
        outputs = model.run_network({"image": source})
        for number in tqdm(range(frames + warmup), desc=f"{width}x{height}, {objects} objects"):
            start = watch.now()
            output = next(outputs)
            network = watch.now() - start
            output = with_objects(output, objects, number)
            start = watch.now()
            instances, identities = model.decide(output, identities, (height, width))
            with watch.stage("encode"):
                box_masks_of(instances).rles()
            watch.seconds["whole step"].append(network + watch.now() - start)
            image = time_bare_backbone(backbone, output.image_size, cfg, watch)
            if graphed:
                if replay is None:
                    image = image.to(model.dtype)
                    replay, _ = captured(partial(model.backbone, image), model.device)
                with watch.stage("backbone as a graph"):
                    replay()
    return summary(watch, frames, size, output.image_size, objects)


def measure_file(model: RuntimeModel, backbone, cfg, size, objects: int, frames, warmup) -> dict:
    """As :func:`measure`, of an exported file."""
    watch = Stopwatch(torch.device("cpu"))
    source = Source(size, frames + warmup, cfg, watch)
    state, (width, height), description = RuntimeState(), size, model.description
    with ExitStack() as stack:
        for owner, function, name in (
            (model, "prepare", "resize"),
            (model, "step", "network"),
            (runtime_instances, "enlarged_masks", "masks"),
            (runtime_instances, "assign_identities", "identities"),
        ):
            timed = watch.around(getattr(owner, function), name)
            stack.enter_context(mock.patch.object(owner, function, timed))
        for number in tqdm(range(frames + warmup), desc=f"{width}x{height}, {objects} objects"):
            start = watch.now()
            logits, masks, tensors = model.step(model.prepare(source.decoded(number)), state)
            network = watch.now() - start
            output = FrameOutput(
                torch.from_numpy(logits),
                torch.from_numpy(masks),
                description.stride,
                description.input_size,
            )
            output = with_objects(output, objects, number)
            start = watch.now()
            instances, identities = runtime_instances.decide(
                output.logits.numpy(),
                output.masks.numpy(),
                state.identities,
                (height, width),
                description,
            )
            state = RuntimeState(tensors, identities)
            with watch.stage("encode"):
                instances.masks.rles()
            watch.seconds["whole step"].append(network + watch.now() - start)
            time_bare_backbone(backbone, output.image_size, cfg, watch)
    return summary(watch, frames, size, description.input_size, objects)


def time_bare_backbone(backbone, image_size: tuple[int, int], cfg, watch: Stopwatch) -> Tensor:
    """Of a black picture of the padded size, which is returned."""
    divisor = cfg.MODEL.RCF.SIZE_DIVISIBILITY
    rows, columns = (-(-side // divisor) * divisor for side in image_size)
    image = torch.zeros(1, 3, rows, columns, device=watch.device)
    with watch.stage("bare backbone"), torch.no_grad():
        backbone(image)
    return image


def summary(watch: Stopwatch, frames: int, size, image_size: tuple[int, int], objects: int) -> dict:
    found = {name: 1000 * np.array(times[-frames:]) for name, times in watch.seconds.items()}
    figures = {
        name: dict(zip(("p50", "p95", "p99"), np.percentile(times, (50, 95, 99)), strict=True))
        for name, times in found.items()
    }
    step = figures["whole step"]["p50"]
    predictor = found["whole step"] - found["decode"] - found["encode"]
    return {
        "size": list(size),
        "network input": list(image_size[::-1]),
        "objects": objects,
        "milliseconds": figures,
        "frames a second": 1000 / step,
        "latency of a stream of 6 frames a second, s": 1 / STREAM_FPS + step / 1000,
        "step / bare backbone": float(np.median(predictor / found["bare backbone"])),
        **_of_graphs(found),
        "peak memory, MB": _peak_memory(watch.device),
    }


def _of_graphs(found: dict[str, np.ndarray]) -> dict[str, float]:
    if "backbone as a graph" not in found:
        return {}
    ratio = float(np.median(found["network"] / found["backbone as a graph"]))
    return {"network / backbone as a graph": ratio}


def show(result: dict) -> str:
    figures = result["milliseconds"]
    names = (*STAGES, "whole step", "bare backbone", "backbone as a graph")
    rows = [[name, *figures[name].values()] for name in names if name in figures]
    (width, height), (columns, lines) = result["size"], result["network input"]
    table = tabulate(rows, ["ms", "p50", "p95", "p99"], tablefmt="pipe", floatfmt=".1f")
    ratio = result.get("network / backbone as a graph")
    graphs = "" if ratio is None else f"network ÷ backbone as a graph {ratio:.2f}; "
    title = f"{width}×{height}, to the network {columns}×{lines}, {result['objects']} objects"
    return (
        f"\n{title}\n{table}\n"
        f"{result['frames a second']:.1f} frames/s; step without decoding and encoding ÷ bare "
        f"backbone {result['step / bare backbone']:.2f}; latency (1/6 s + step) "
        f"{result['latency of a stream of 6 frames a second, s']:.3f} s; {graphs}"
        f"peak memory {result['peak memory, MB']} MB"
    )


def machine(device: torch.device) -> dict[str, str | int]:
    """What the figures are of."""
    name = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.is_file():
        lines = cpu_info.read_text().splitlines()
        name = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), name)
    made = {"CPU": name, "threads": torch.get_num_threads(), "torch": torch.__version__}
    if device.type == "cuda":
        made["GPU"] = torch.cuda.get_device_name(device)
        made["CUDA"] = torch.version.cuda
    return {**made, "Python": platform.python_version()}


def main(argv: Sequence[str] | None = None) -> None:
    parser = get_parser()
    args = parser.parse_args(argv)
    try:
        check_regular(args.config_file)
        if args.json:
            check_output(args.json, args.config_file, option="--json")
    except OSError as error:
        parser.error(str(error))
    if args.data is not None:
        feed(args)
        return
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if args.engine in ENGINES:
        if args.device == "cuda" or args.streams:
            raise SystemExit(f"--engine {args.engine}: on a CPU and without --streams alone")
        device = "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("--device cuda: there is no GPU that PyTorch can use")
    alone = ["MODEL.WEIGHTS", "", "MODEL.TIMM.PRETRAINED", "False", "MODEL.RCF.AUDIO.WEIGHTS", ""]
    cfg = read_config(args.config_file, [*alone, *args.opts, "MODEL.DEVICE", device])
    model = load_part_weights(build_model(cfg), cfg).eval()
    if cfg.MODEL.WEIGHTS and PathManager.isfile(cfg.MODEL.WEIGHTS):
        RCFCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    backbone = copy.deepcopy(model.backbone)
    try:
        model = optimize_for_inference(
            model, inplace=True, precision=args.precision, compile=args.engine == "compile"
        )
    except ValueError as error:
        raise SystemExit(str(error)) from None
    about = {
        "config": args.config_file,
        "engine": args.engine,
        "precision": args.precision,
        **machine(model.device),
    }
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    results = []
    for result in measure_all(args, model, backbone, cfg):
        results.append(result)
        print((show_streams if args.streams else show)(result), flush=True)
        if args.json:  # each as soon as it is known
            with whole_file(args.json) as temporary:
                temporary.write_text(json.dumps({"machine": about, "results": results}))


def measure_all(args: argparse.Namespace, model, backbone, cfg) -> Iterator[dict]:
    for size in args.size:
        if args.engine in ENGINES:
            exported = export_for(args, cfg, size)
            for objects in args.objects:
                yield measure_file(exported, backbone, cfg, size, objects, args.frames, args.warmup)
            continue
        if args.streams is None:
            for objects in args.objects:
                yield measure(model, backbone, cfg, size, objects, args.frames, args.warmup)
            continue
        source = Source(size, max(args.streams), cfg, Stopwatch(model.device))
        for number in args.streams:
            images = [source[index] for index in range(number)]
            result = measure_streams(model, images, size[::-1], args.frames, args.warmup)
            yield {"size": list(size), **result, "peak memory, MB": _peak_memory(model.device)}


def export_for(args: argparse.Namespace, cfg, size: tuple[int, int]) -> RuntimeModel:
    """A file of the model for frames of this size; it is gone when it has been read."""
    predictor = OnlinePredictor(cfg, precision=args.precision, compile=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.onnx"
        try:
            export_onnx(predictor, path, size[::-1])
        except ValueError as error:
            raise SystemExit(str(error)) from None
        return RuntimeModel(path, engine=args.engine, threads=torch.get_num_threads())


def show_streams(result: dict) -> str:
    (width, height), one = result["size"], result["one after the other"]
    return (
        f"{width}×{height}, {result['streams']} streams, {result['instances']:.1f} objects a "
        f"frame: {result['frames a second']:.1f} frames/s in one step, {one:.1f} one after the "
        f"other, ratio {result['ratio']:.2f}"
    )


def feed(args: argparse.Namespace) -> None:
    """Clips a CPU second, with INPUT.FAST_DECODE and without."""
    cfg = read_config(args.config_file, args.opts)
    with tempfile.TemporaryDirectory() as folder:
        figures = clips_a_cpu_second(cfg, write_videos(Path(folder)), args.data)
    about = {"config": args.config_file, **machine(torch.device("cpu"))}
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    print(
        f"clips a CPU second: {figures['fast']:.1f}; with INPUT.FAST_DECODE False "
        f"{figures['plain']:.1f}; ratio {figures['ratio']:.2f}"
    )
    if args.json:
        with whole_file(args.json) as temporary:
            temporary.write_text(json.dumps({"machine": about, "clips a CPU second": figures}))


def count(text: str) -> int:
    """A whole number, 0 or more."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number, got '{text}'")
    return int(text)


def positive(text: str) -> int:
    """A whole number, 1 or more."""
    if count(text) < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, got '{text}'")
    return int(text)


def frame_size(text: str) -> tuple[int, int]:
    """``640x360`` → (640, 360)."""
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT, got '{text}'")
    return int(width), int(height)


def _peak_memory(device: torch.device) -> int:
    """Of the GPU what PyTorch took of it, else of the process; since it began."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
