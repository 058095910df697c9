"""Configs and weights: no exception but the documented ones, and no code that runs."""

import io
import pickle
import pickletools

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from rcf_vis.checkpoint import RCFCheckpointer
from rcf_vis.config import read_config
from rcf_vis.errors import BrokenWeights
from rcf_vis.weight_files import read_torch_file, read_zoo_pickle

from .mutations import anything, mutated

CONFIG = {
    "SEED": 3,
    "OUTPUT_DIR": "output",
    "MODEL": {"WEIGHTS": "", "RCF": {"NUM_CLASSES": 3}, "PIXEL_MEAN": [1.0, 2.0, 3.0]},
    "DATASETS": {"TRAIN": ["a"], "REGISTER": [["a", "b", "c"]]},
    "INPUT": {"CROP": {"SIZE": [0.5, 0.5]}},
}
_YAML = st.text(alphabet="ab:- \n[]{}&*!<>|'\"#%@`?,0.~=\\_BASE", max_size=60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzzed")


def read(path) -> None:
    try:
        cfg = read_config(str(path))
    except (KeyError, OSError, ValueError) as error:
        assert "fuzzed" in str(error)  # the folder of the file
    else:
        assert cfg.VERSION == 2


@given(st.one_of(_YAML.map(str.encode), st.binary(max_size=40)))
def test_the_text_of_a_config(folder, text):
    (folder / "c.yaml").write_bytes(text)
    read(folder / "c.yaml")


@given(mutated(CONFIG))
def test_the_values_of_a_config(folder, content):
    try:
        text = yaml.safe_dump(content)
    except (yaml.YAMLError, ValueError):
        return
    (folder / "c.yaml").write_text(text, errors="surrogatepass" if "\\ud8" in text else "strict")
    read(folder / "c.yaml")


STATE = {"weight": torch.zeros(3, 2), "bias": torch.ones(3)}
ZOO = pickle.dumps({"model": {k: v.numpy() for k, v in STATE.items()}, "__author__": "x"})


def _saved(legacy: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"model": STATE}, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


SAVED = (_saved(False), _saved(True))
_OPCODES = st.sampled_from([code.code.encode("latin1") for code in pickletools.opcodes])


@st.composite
def changed(draw, contents) -> bytes:
    """Bytes with some of them changed, cut out or put in."""
    content = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        new = draw(st.one_of(st.binary(max_size=3), _OPCODES))
        content[place : place + draw(st.integers(0, 4))] = new
    return bytes(content)


@given(changed([ZOO]))
def test_a_zoo_pickle(folder, content):
    (folder / "w.pkl").write_bytes(content)
    try:
        found = read_zoo_pickle(folder / "w.pkl")
        RCFCheckpointer(nn.Linear(2, 3)).load(str(folder / "w.pkl"))
    except BrokenWeights as error:
        assert "w.pkl" in str(error)
    else:
        assert isinstance(found, dict)


@given(changed(SAVED))
def test_a_file_of_torch_save(folder, content):
    (folder / "w.pth").write_bytes(content)
    try:
        read_torch_file(folder / "w.pth")
        RCFCheckpointer(nn.Linear(2, 3)).load(str(folder / "w.pth"))
    except BrokenWeights as error:
        assert "w.pth" in str(error)


@given(anything)
def test_any_content_as_weights(folder, content):
    for name, dump in (("w.pkl", pickle.dump), ("w.pth", torch.save)):
        with open(folder / name, "wb") as file:
            dump({"model": content, "__author__": "x"}, file)
        try:
            RCFCheckpointer(nn.Linear(2, 3)).load(str(folder / name))
        except BrokenWeights as error:
            assert name in str(error)
        else:
            assert content == {}
