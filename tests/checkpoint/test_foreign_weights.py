"""Files of weights that nobody has vouched for: no code of theirs runs, no memory is asked for."""

import argparse
import collections
import contextlib
import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from torch import nn

from rcf_vis import weight_files
from rcf_vis.checkpoint import RCFCheckpointer, read_bare_weights
from rcf_vis.errors import BrokenWeights
from rcf_vis.weight_files import read_state_dict, read_torch_file, read_zoo_pickle
from tests.scripts import ROOT, load_script

SUFFIXES = ("evil.pkl", "evil.pth", "evil.pyth", "evil.bin")


class Touch:
    """A pickle that makes a file when it is read."""

    def __init__(self, path, call=os.mkdir):
        self.path, self.call = str(path), call

    def __reduce__(self):
        return self.call, (self.path,)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(2, 3)


@pytest.fixture(autouse=True)
def _trust_nobody():
    yield
    weight_files.trust_weights(False)


def weights(model) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def write(path, content, legacy=False) -> str:
    if path.suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return str(path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", SUFFIXES)
def test_no_code_of_a_file_runs(model, tmp_path, name, legacy):
    mark = tmp_path / "mark"
    content = {"model": {"weight": Touch(mark)}, "__author__": "x"}
    content["model_state"] = content["model"]
    path = write(tmp_path / name, content, legacy)
    with pytest.raises(BrokenWeights, match=f"{name}: it names posix.mkdir, .*--trust-weights"):
        RCFCheckpointer(model).load(path)
    if not name.endswith(".pkl"):
        for read in (read_bare_weights, read_state_dict):
            with pytest.raises(BrokenWeights, match="posix.mkdir"):
                read(path)
    assert not mark.exists()
    weight_files.trust_weights()
    with pytest.raises(BrokenWeights, match="'weight' is no tensor"):
        RCFCheckpointer(model).load(path)
    assert mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"cos\nsystem\n(S'touch mark'\ntR.",
        b"c__builtin__\neval\n(S'1'\ntR.",
        b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.",
        b"(S'touch mark'\nios\nsystem\n.",  # INST
        b"\x82\x01.",  # of copyreg's numbers
        pickle.dumps(collections.defaultdict(list)),
        pickle.dumps(np.array([Touch("mark")], dtype=object)),
        pickle.dumps(np.zeros(2, dtype=[("a", "f4"), ("b", "O")])),
        b"\x80\x02r\xff\xff\xff\x7f.",  # a memo of 16 GB
        b"\x80\x02]" + b"\x8e" + struct.pack("<Q", 1 << 60) + b".",  # a string as long
        pickle.dumps({"a": np.zeros(3)})[:-9],
        b"",
    ],
)
def test_pickles_that_are_refused(tmp_path, content):
    (tmp_path / "x.pkl").write_bytes(content)
    with pytest.raises(BrokenWeights, match=r"x\.pkl: "):
        read_zoo_pickle(tmp_path / "x.pkl")


@pytest.mark.parametrize("shape", [(3, 2**40), (-1, 5), (2.5,), ("3",), (4, 2)])
def test_arrays_of_shapes_that_are_not_there(tmp_path, shape):
    class Array:
        def __reduce__(self):
            state = (1, shape, np.dtype("f4"), False, bytes(20))
            return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), state

    (tmp_path / "x.pkl").write_bytes(pickle.dumps(Array()))
    with pytest.raises(BrokenWeights, match="array"):
        read_zoo_pickle(tmp_path / "x.pkl")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("zoo", [True, False])
def test_weights_of_the_model_zoo(model, tmp_path, protocol, zoo):
    arrays = weights(model)
    arrays["weight"] = np.asfortranarray(arrays["weight"])
    arrays["bias"] = arrays["bias"].astype(">f4")
    found = {"model": arrays, "__author__": "me", "scale": np.float64(0.5)}
    content = found if zoo else {"blobs": {**arrays, "weight_momentum": np.zeros(1)}}
    path = tmp_path / "zoo.pkl"
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    other = nn.Linear(2, 3)
    rest = RCFCheckpointer(other).load(str(path))
    if zoo:
        assert rest["scale"] == 0.5
        assert torch.equal(other.weight, model.weight)
        assert torch.equal(other.bias, model.bias)
    else:
        assert rest["__author__"] == "Caffe2"


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", ["bare", "model", "pycls", "heuristics"])
def test_weights_of_pytorch(model, tmp_path, kind, legacy):
    state, name, query = model.state_dict(), "w.pth", ""
    content = {"model": state, "parameter": model.weight, "generator": torch.get_rng_state()}
    if kind == "bare":
        content = state
    elif kind == "pycls":
        content, name = {"model_state": state}, "w.pyth"
    elif kind == "heuristics":
        query = "?matching_heuristics=True"
    path = write(tmp_path / name, content, legacy)
    other = nn.Linear(2, 3)
    RCFCheckpointer(other).load(path + query)
    assert torch.equal(other.weight, model.weight)
    with pytest.raises(ValueError, match="'also=1' unknown"):
        RCFCheckpointer(other).load(str(write(tmp_path / "x.pth", state)) + "?also=1")


def test_other_tensors_that_a_checkpoint_may_have(tmp_path):
    content = {
        "last": torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last),
        "part": torch.arange(10)[3:6],
        "empty": torch.zeros(0, 7),
        "types": [torch.zeros(2, dtype=t) for t in (torch.bool, torch.bfloat16, torch.half)],
        "same": torch.zeros(1).expand(5),
        "plain": (1, 2.5, "text", None, True, {3}, torch.Size([2]), torch.float32),
        "named": collections.OrderedDict(a=1),
    }
    for legacy in (False, True):
        found = read_torch_file(write(tmp_path / "x.pth", content, legacy))
        assert torch.equal(found["last"], content["last"])
        assert found["part"].tolist() == [3, 4, 5]
        assert found["plain"] == content["plain"]


def rewritten(path, change) -> None:
    """A file of torch.save whose pickle is changed."""
    with zipfile.ZipFile(path) as archive:
        records = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, record in records.items():
            archive.writestr(name, change(record) if name.endswith("data.pkl") else record)


def test_tensors_larger_than_their_memory(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(1).expand(1 << 21)}, path)
    with pytest.raises(BrokenWeights, match=r"shape \(2097152,\) in a memory of 1 elements"):
        read_torch_file(path)
    torch.save({"a": torch.zeros(3, 7)}, path)
    rewritten(path, lambda pickled: pickled.replace(b"K\x03K\x07", b"K\x03K\x08"))
    with pytest.raises(BrokenWeights, match=r"shape \(3, 8\) in a memory of 21 elements"):
        read_torch_file(path)
    torch.save({"a": torch.zeros(3, 7)}, path)
    rewritten(path, lambda pickled: pickled.replace(b"K\x15", b"K\x16"))
    with pytest.raises(BrokenWeights, match="record '0' has 84 bytes, not 88"):
        read_torch_file(path)


def test_items_are_set_in_dicts_alone(tmp_path):
    """Before PyTorch 2.10 a tensor could be written into by SETITEM."""
    path = tmp_path / "x.pth"
    torch.save({"a": torch.zeros(3)}, path)
    rewritten(path, lambda pickled: pickled.removesuffix(b"s.") + b"K\x00K\x01ss.")
    with pytest.raises(BrokenWeights, match="item assignment"):
        read_torch_file(path)


def stored(path, *entries, kind=zipfile.ZIP_STORED, comment=b"") -> None:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.comment = comment


def test_zips_that_torch_save_does_not_write(tmp_path):
    path, pickled = tmp_path / "x.pth", pickle.dumps({}, protocol=2)
    stored(path, ("x/data.pkl", pickled), ("x/data/0", bytes(1 << 20)), kind=zipfile.ZIP_DEFLATED)
    with pytest.raises(BrokenWeights, match="records are compressed"):
        read_torch_file(path)
    stored(path, ("x/data.pkl", pickled), ("y/data.pkl", pickled))
    with pytest.raises(BrokenWeights, match="files beside the folder 'x'"):
        read_torch_file(path)
    with pytest.warns(UserWarning, match="Duplicate"):
        stored(path, ("x/data.pkl", pickled), ("x/data.pkl", pickled))
    with pytest.raises(BrokenWeights, match="a record twice"):
        read_torch_file(path)
    stored(path, ("x/data.pkl", pickled), comment=b"hidden")
    with pytest.raises(BrokenWeights, match="no zip of torch.save"):
        read_torch_file(path)
    stored(path, ("x/version", b"3"))
    with pytest.raises(BrokenWeights, match="x/data.pkl"):
        read_torch_file(path)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        archive.writestr("x/data.pkl", bytes(1000))
        (info,) = archive.infolist()
        for key in range(3):  # the same bytes under three more names
            other = zipfile.ZipInfo(f"x/data/{key}")
            other.header_offset, other.CRC = info.header_offset, info.CRC
            other.file_size = other.compress_size = info.file_size
            archive.filelist.append(other)
    path.write_bytes(many.getvalue())
    with pytest.raises(BrokenWeights, match="records overlap"):
        read_torch_file(path)


def test_methods_of_a_dict_stay_what_they_are(tmp_path):
    content = collections.OrderedDict(a=torch.zeros(1))
    content._metadata = {"": {"version": 1}}
    assert read_torch_file(write(tmp_path / "x.pth", content))["a"] == 0
    content.get = 3
    path = write(tmp_path / "x.pth", content)
    with pytest.raises(BrokenWeights, match="x.pth: a dict with attributes"):
        read_torch_file(path)


@pytest.mark.parametrize("content", [[], 3, torch.zeros(2), {"model": [1]}, {"model": {1: 2}}])
@pytest.mark.parametrize("name", ["x.pth", "x.pkl"])
def test_content_that_is_no_weights(model, tmp_path, content, name):
    if name == "x.pkl" and isinstance(content, torch.Tensor):
        content = np.zeros(2)
    path = write(tmp_path / name, content)
    with pytest.raises(BrokenWeights, match=rf"{name}: .*(no weights by name|is no tensor)"):
        RCFCheckpointer(model).load(path)


def test_class_names_that_are_none(model, tmp_path):
    path = write(tmp_path / "x.pth", {"model": model.state_dict(), "class_names": {"a": 1}})
    with pytest.raises(BrokenWeights, match="class_names are {'a': 1}, expected a list of str"):
        RCFCheckpointer(model, class_names=["a"]).load(path)


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    for name in ("pipe.safetensors", ""):
        for read in (read_state_dict, read_torch_file, read_zoo_pickle, read_bare_weights):
            with pytest.raises(OSError, match="is a (named pipe|folder), expected a file"):
                read(tmp_path / name)
    with pytest.raises(OSError, match="is a device, expected a file"):
        read_torch_file("/dev/zero")


def test_trust_is_said_on_the_command_line():
    parser = argparse.ArgumentParser()
    weight_files.add_trust_option(parser)
    assert not parser.parse_args([]).trust_weights
    assert not weight_files.is_trusted()
    assert parser.parse_args(["--trust-weights"]).trust_weights
    assert weight_files.is_trusted()


@pytest.mark.parametrize("script", ["tools/publish_model.py", "experiments/widen_backbone.py"])
def test_a_tool_refuses_code_unless_it_is_trusted(tmp_path, monkeypatch, capsys, script):
    mark, tool = tmp_path / "mark", load_script(script)
    path = write(tmp_path / "evil.pth", {"model": {}, "class_names": Touch(mark)})
    config = ["--config-file", str(ROOT / "configs/synthvis/rcf_tiny.yaml")]
    command = [path, str(tmp_path / "out.pth"), *(config if "widen" in script else [])]
    monkeypatch.setattr("sys.argv", [script, *command])
    with pytest.raises(SystemExit):
        tool.main()
    assert "evil.pth: it names posix.mkdir" in capsys.readouterr().err
    assert not mark.exists()
    monkeypatch.setattr("sys.argv", [script, "--trust-weights", *command])
    with contextlib.suppress(ValueError):  # these are no weights of a model to be widened
        tool.main()
    assert mark.exists()
