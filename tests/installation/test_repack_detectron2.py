"""The wheel that scripts/repack_detectron2.py writes, on a tiny made-up wheel of the carrier."""

import base64
import csv
import hashlib
import importlib.metadata
import subprocess
import sys
import zipfile

import pytest

from repack_detectron2 import InstallError, repack

from .made_up_carrier import METADATA, make_carrier

WHEEL_NAME = "detectron2-0.6+labgym.3.1.2-py3-none-any.whl"
CODE = "LabGym/detectron2"
INFO = "detectron2-0.6+labgym.3.1.2.dist-info"


@pytest.fixture
def wheel(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    return repack(make_carrier(tmp_path), out)


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_only_detectron2_is_in_it_under_its_own_name(wheel):
    assert wheel.name == WHEEL_NAME
    assert [path.name for path in wheel.parent.iterdir()] == [WHEEL_NAME]
    assert set(contents(wheel)) == {
        "detectron2/__init__.py",
        "detectron2/engine.py",
        "detectron2/model_zoo/__init__.py",
        "detectron2/model_zoo/model_zoo.py",
        "detectron2/model_zoo/configs/a.yaml",
        "detectron2/utils/__init__.py",
        *(f"{INFO}/{n}" for n in ("METADATA", "WHEEL", "RECORD", "LICENSE", "NOTICE")),
        f"{INFO}/top_level.txt",
    }


def test_names_are_changed_back_and_nothing_else_is(wheel):
    files = contents(wheel)
    assert files["detectron2/utils/__init__.py"] == b"import detectron2\n\nNAME = 'detectron2.x'\n"
    assert files["detectron2/model_zoo/configs/a.yaml"] == "_BASE_: ü.yaml\n".encode()
    code = {name: data for name, data in files.items() if name.startswith("detectron2/")}
    assert not [name for name, data in code.items() if b"labgym" in (name.encode() + data).lower()]


def test_record_lists_each_file_with_its_hash_and_size(wheel):
    files = contents(wheel)
    rows = list(csv.reader(files[f"{INFO}/RECORD"].decode().splitlines()))
    assert [row[0] for row in rows] == list(files)
    for name, digest, size in rows:
        if name == f"{INFO}/RECORD":
            assert (digest, size) == ("", "")
            continue
        kind, value = digest.split("=", 1)
        padded = value + "=" * (-len(value) % 4)
        assert kind == "sha256"
        assert base64.urlsafe_b64decode(padded) == hashlib.sha256(files[name]).digest()
        assert int(size) == len(files[name])


def test_metadata_as_an_installer_reads_it(wheel):
    (found,) = importlib.metadata.distributions(path=[str(wheel)])
    assert (found.metadata["Name"], found.version) == ("detectron2", "0.6+labgym.3.1.2")
    assert found.metadata["License"] == "Apache-2.0"
    assert not [r for r in found.requires if r.lower().startswith("setuptools")]
    assert "fvcore<0.1.6,>=0.1.5" in found.requires or "fvcore>=0.1.5,<0.1.6" in found.requires
    assert not [r for r in found.requires if r.lower().startswith(("torch", "labgym"))]
    lines = contents(wheel)[f"{INFO}/WHEEL"].decode().splitlines()
    assert {"Wheel-Version: 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any"} <= set(lines)


def test_licence_and_origin_are_in_it(wheel):
    files = contents(wheel)
    licence, notice = files[f"{INFO}/LICENSE"].decode(), files[f"{INFO}/NOTICE"].decode()
    assert "Apache License" in licence and "Version 2.0, January 2004" in licence
    assert "END OF TERMS AND CONDITIONS" in licence and "Copyright 2019, Facebook, Inc" in licence
    assert "LabGym 3.1.2" in notice and "Copyright (c) Facebook" in notice
    assert notice in files[f"{INFO}/METADATA"].decode()
    assert not [name for name, data in files.items() if b"GNU GENERAL PUBLIC" in data]


def test_the_rewritten_package_imports(wheel):
    code = "import detectron2.engine as e; print(e.__version__, e.LABEL)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(wheel)!r}); {code}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0.6 detectron2.x\n", done.stderr


def test_the_model_zoo_does_without_pkg_resources(wheel, tmp_path):
    """setuptools 82 has none; the package is looked at as it lies in an environment."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import sys; sys.modules['pkg_resources'] = None\n"
        f"sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "from detectron2.model_zoo import model_zoo\n"
        "print(open(model_zoo.get_config_file('a.yaml'), encoding='utf-8').read())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", code], capture_output=True, encoding="utf-8"
    )
    assert done.stdout.strip() == "_BASE_: ü.yaml", done.stderr


def test_same_input_same_bytes(wheel, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    assert repack(make_carrier(tmp_path), again).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize(
    "changed, message",
    [
        ({METADATA: "Name: LabGym\nVersion: 3.1.3\n"}, "LabGym 3.1.2, it is LabGym 3.1.3"),
        ({METADATA: "Name: Other\nVersion: 3.1.2\n"}, "LabGym 3.1.2, it is Other 3.1.2"),
        ({f"{CODE}/a.py": "from LabGym import b\n"}, "LabGym is left over in detectron2/a.py"),
        ({f"{CODE}/a.py": "# see labgym\n"}, "LabGym is left over in detectron2/a.py"),
        ({f"{CODE}/labgym.py": "\n"}, "LabGym is left over in detectron2/labgym.py"),
        ({f"{CODE}/model_zoo/model_zoo.py": "import os\n"}, "expected 'import pkg_resources"),
        ({f"{CODE}/__init__.py": '__version__ = "0.7"\n'}, 'with __version__ = "0.6"'),
    ],
)
def test_an_unexpected_carrier_is_refused(tmp_path, changed, message):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InstallError) as error:
        repack(make_carrier(tmp_path, changed), out)
    assert message in str(error.value)
    assert "labgym-3.1.2-py3-none-any.whl" in str(error.value)
    assert not list(out.iterdir())
