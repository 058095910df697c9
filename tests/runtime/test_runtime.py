"""An exported file against OnlinePredictor, also where only numpy and the engine are there."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from rcf_vis import OnlinePredictor
from rcf_vis.inference import export
from rcf_vis.inference.quantization import quantize_convolutions
from rcf_vis.modeling import OnlineState
from rcf_vis.runtime import (
    ModelDescription,
    RuntimeInstances,
    RuntimeModel,
    RuntimePredictor,
    RuntimeState,
)
from rcf_vis.tracking import box_masks_of
from tests.conftest import make_patch_cfg
from tests.plain_python import run_plain

SIZE = (45, 80)  # is resized to 54×96 and padded


def frames_of(count=8, seed=0):
    """Noise that moves, with bright boxes in it."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 120, (2 * SIZE[0], 2 * SIZE[1], 3), dtype=np.uint8)
    picture[30:50, 40:80] = 220
    return [picture[4 * k : 4 * k + SIZE[0], 6 * k : 6 * k + SIZE[1]].copy() for k in range(count)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A predictor that fires a few slots a frame, and its file."""
    cfg = make_patch_cfg()
    cfg.MODEL.RCF.NUM_REFERENCE_FRAMES, cfg.MODEL.RCF.CARRY_CODE = 2, True
    cfg.MODEL.RCF.TEST.SCORE_THRESH = 0.5
    torch.manual_seed(3)
    predictor = OnlinePredictor(cfg)
    nn.init.normal_(predictor.model.carrier.query.weight, std=0.3)
    nn.init.normal_(predictor.model.heads.class_embed.weight, std=0.5)
    path = tmp_path_factory.mktemp("exported") / "patch.onnx"
    assert max(export.export_onnx(predictor, path, SIZE).values()) < 1e-4
    return predictor, path


def check_same(predictor, runtime):
    fired = set()
    for number, frame in enumerate(frames_of()):
        expected, found = predictor(frame), runtime(frame)
        assert isinstance(found, RuntimeInstances) and found.image_size == SIZE
        assert found.slots.tolist() == expected.slots.tolist(), number
        assert found.track_ids.tolist() == expected.track_ids.tolist(), number
        assert found.pred_classes.tolist() == expected.pred_classes.tolist()
        np.testing.assert_allclose(found.class_probs, expected.class_probs, atol=1e-4)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
        differing = found.pred_masks != expected.pred_masks.numpy()
        assert differing.shape == (len(found), *SIZE) and differing.mean() < 1e-3
        np.testing.assert_allclose(found.pred_boxes, expected.pred_boxes.tensor, atol=1)
        assert len(found.masks.rles()) == len(box_masks_of(expected).rles()) == len(found)
        fired.add(tuple(found.slots.tolist()))
    assert len(fired) > 2  # slots come and go


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_it_is_the_predictor(exported, engine):
    predictor, path = exported
    runtime = RuntimePredictor(path, engine=engine, threads=1)
    for _ in range(2):
        predictor.reset()
        runtime.reset()
        check_same(predictor, runtime)


def test_videos_through_one_model(exported):
    _, path = exported
    model = RuntimeModel(path, threads=1)
    videos = [frames_of(4, seed) for seed in (0, 1)]
    alone = [[RuntimePredictor(model)] * 4 for _ in videos]
    expected = [
        [p(f) for p, f in zip(*pair, strict=True)] for pair in zip(alone, videos, strict=True)
    ]
    states = [RuntimeState(), RuntimeState()]
    for number in range(4):
        for k, frames in enumerate(videos):
            found, states[k] = model.track(frames[number], states[k])
            np.testing.assert_array_equal(found.class_probs, expected[k][number].class_probs)
            assert found.track_ids.tolist() == expected[k][number].track_ids.tolist()


PLAIN = """
import numpy
from rcf_vis.runtime import RuntimePredictor
_, engine, model, frames = sys.argv
predictor = RuntimePredictor(model, engine=engine, threads=1)
for frame in numpy.load(frames):
    found = predictor(frame)
    found.masks.rles()
    print(*zip(found.slots.tolist(), found.track_ids.tolist()), found.pred_masks.sum())
packages = {name.partition(".")[0] for name in sys.modules}
assert not {"torch", "detectron2", "PIL", "cv2", "scipy"} & packages, packages
"""


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_python_without_pytorch(exported, tmp_path, engine):
    _, path = exported
    np.save(tmp_path / "frames.npy", np.stack(frames_of(4)))
    runtime = RuntimePredictor(path, engine=engine, threads=1)
    expected = []
    for frame in frames_of(4):
        found = runtime(frame)
        pairs = zip(found.slots.tolist(), found.track_ids.tolist(), strict=True)
        expected.append(" ".join(map(str, [*pairs, found.pred_masks.sum()])))
    files = (str(path), str(tmp_path / "frames.npy"))
    printed = run_plain(PLAIN, engine, *files, packages=("numpy", engine))
    assert printed.splitlines() == expected


def test_bad_frames(exported):
    predictor = RuntimePredictor(exported[1], threads=1)
    (frame,) = frames_of(1)
    predictor(frame)
    twice = np.repeat(np.repeat(frame, 2, axis=0), 2, axis=1)
    with pytest.raises(
        ValueError, match=r"a frame of \(90, 160\) pixels .* follows frames of \(45, 80"
    ):
        predictor(twice)
    assert predictor(frame).image_size == SIZE  # the video goes on
    predictor.reset()
    assert predictor(twice).image_size == (90, 160)  # is resized to the same size
    predictor.reset()
    message = (
        r"\(80, 80\) pixels .* to \(64, 64\), but .*patch.onnx takes \(54, 96\): .* --size 80x80"
    )
    with pytest.raises(ValueError, match=message):
        predictor(np.zeros((80, 80, 3), np.uint8))
    for bad, message in (
        (frame.astype(float), "array of uint8, got ndarray of float64"),
        (frame.tolist(), "array of uint8, got list of no dtype"),
        (frame[..., 0], r"shape \(H, W, 3\), got \(45, 80\)"),
        (frame[:0], r"shape \(H, W, 3\), got \(0, 80, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            predictor(bad)
    with pytest.raises(ValueError, match="audio for .*patch.onnx, which is a model without sound"):
        predictor(frame, audio=np.zeros((96, 64), np.float32))


def test_a_state_of_another_model(exported):
    model, (frame,) = RuntimeModel(exported[1], threads=1), frames_of(1)
    _, state = model.track(frame, RuntimeState())
    narrow = {**state.tensors, "reference_0": state.tensors["reference_0"][:, :3]}
    fewer = {name: state.tensors[name] for name in ("frames", "reference_0")}
    for tensors in (narrow, fewer):
        message = r"a state of another model, .* takes {'frames': \(1,\), 'reference_0': \(1, 24, 2"
        with pytest.raises(ValueError, match=message):
            model.track(frame, replace(state, tensors=tensors))


def test_a_file_with_other_numbers_is_found_out(exported, monkeypatch):
    predictor, path = exported
    step, _ = export._prepared(predictor, SIZE)
    right = RuntimeModel.step

    def wrong(*args):
        logits, masks, state = right(*args)
        return logits, masks + np.float32(0.1), state

    monkeypatch.setattr(RuntimeModel, "step", wrong)
    with pytest.raises(RuntimeError, match=r"x.onnx is not written: its masks differ .* by 0\.1"):
        export._differences(step, path, Path("x.onnx"))


def test_convolutions_in_int8(exported, tmp_path):
    path = Path(shutil.copy(exported[1], tmp_path / "int8.onnx"))
    quantize_convolutions(path, [frames_of(5), iter(frames_of(5, seed=1))])
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert kinds.count("DequantizeLinear") >= 3 * kinds.count("Conv") > 10
    model, exact = RuntimeModel(path, threads=1), RuntimeModel(exported[1], threads=1)
    assert model.description == replace(exact.description, precision="int8")
    states = [RuntimeState(), RuntimeState()]
    for frame in frames_of(6):
        images = [model.prepare(frame)] * 2
        (logits, masks, state), (want, want_masks, want_state) = (
            m.step(image, s) for m, image, s in zip((model, exact), images, states, strict=True)
        )
        states = [RuntimeState(state), RuntimeState(want_state)]
        assert 0 < np.abs(logits - want).mean() < 0.1 * np.abs(want).mean()
        assert np.abs(masks - want_masks).mean() < 0.1 * np.abs(want_masks).mean()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"\(80, 80\) pixels .* is resized to \(64, 64\)"):
        quantize_convolutions(path, [[np.zeros((80, 80, 3), np.uint8)]])
    with pytest.raises(ValueError, match="int8.onnx: no frame to calibrate on"):
        quantize_convolutions(path, [])
    assert path.read_bytes() == before


def with_metadata(path: Path, text: str | None, to: Path) -> Path:
    content = onnx.load(path)
    del content.metadata_props[:]
    if text is not None:
        content.metadata_props.add(key="rcf_vis", value=text)
    onnx.save(content, to)
    return to


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_files_that_are_none_of_ours(exported, tmp_path, engine):
    _, path = exported
    description = RuntimeModel(path, threads=1).description
    with pytest.raises(FileNotFoundError, match="no.onnx: no such file"):
        RuntimeModel(tmp_path / "no.onnx", engine=engine)
    (tmp_path / "cut.onnx").write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="cut.onnx is no ONNX file that .* can run"):
        RuntimeModel(tmp_path / "cut.onnx", engine=engine)
    other = with_metadata(path, None, tmp_path / "other.onnx")
    with pytest.raises(ValueError, match="other.onnx has no metadata 'rcf_vis'"):
        RuntimeModel(other, engine=engine)
    for change in (
        {"input_size": (64, 96)},
        {"state": ("frames",)},
        {"audio_shape": (96, 64)},
    ):
        wrong = replace(description, **change).to_json()
        with pytest.raises(ValueError, match="other.onnx: its metadata .* are not of its graph"):
            RuntimeModel(with_metadata(path, wrong, other), engine=engine)


def test_engines(exported, monkeypatch):
    with pytest.raises(ValueError, match="engine is 'tensorrt', expected one of .'onnxruntime'"):
        RuntimeModel(exported[1], engine="tensorrt")
    with pytest.raises(ValueError, match="threads is 0, expected 1 or more"):
        RuntimeModel(exported[1], threads=0)
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
        with pytest.raises(ModuleNotFoundError, match=f"{engine} is not installed: pip install"):
            RuntimeModel(exported[1], engine=engine)


def test_with_sound(tmp_path):
    cfg = make_patch_cfg()
    audio = cfg.MODEL.RCF.AUDIO
    audio.ENABLED, audio.NET, audio.FEATURE_DIM, audio.NUM_FRAMES = True, "small", 24, 32
    audio.LSTM_HIDDEN, audio.LSTM_LAYERS = 8, 1
    predictor = OnlinePredictor(cfg)
    export.export_onnx(predictor, tmp_path / "heard.onnx", SIZE)
    model, rng = RuntimeModel(tmp_path / "heard.onnx", threads=1), np.random.default_rng(0)
    assert model.description.audio_shape == (32, 64)
    past, state = OnlineState(), RuntimeState()
    heard = []
    for patch in (*rng.normal(size=(3, 32, 64)), None):
        image = rng.integers(0, 256, (3, 54, 96), dtype=np.uint8)
        sound = None if patch is None else torch.from_numpy(patch).float()
        expected, past = predictor.model._frame_output(torch.from_numpy(image), past, sound)
        logits, masks, tensors = model.step(image, state, patch)
        np.testing.assert_allclose(logits, expected.logits, atol=1e-4)
        np.testing.assert_allclose(masks, expected.masks, atol=1e-4)
        heard.append(np.abs(logits - model.step(image, state)[0]).max())
        state = RuntimeState(tensors)
    assert min(heard[:3]) > 1e-3 > heard[3]  # it is heard; None is silence
    with pytest.raises(ValueError, match=r"an audio patch of \(96, 64\), expected \(32, 64\)"):
        model.step(image, state, np.zeros((96, 64)))


def test_the_metadata_are_for_other_readers(exported):
    """One json in the ONNX file; the names of the graph are those of the description."""
    content = onnx.load(exported[1])
    (text,) = (prop.value for prop in content.metadata_props if prop.key == "rcf_vis")
    state = json.loads(text)["state"]
    assert [x.name for x in content.graph.input] == ["image", *state]
    names = ["logits", "masks", *(f"next_{name}" for name in state)]
    assert [x.name for x in content.graph.output] == names
    description = ModelDescription.from_json(text, "file")
    assert state == [*description.state] and state[:3] == ["frames", "reference_0", "reference_1"]
