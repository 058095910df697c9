"""Pack the Detectron2 code that a wheel of LabGym carries as a wheel of its own name.

LabGym (GPL-3.0) ships a copy of Detectron2's Python code (Apache-2.0) as ``LabGym.detectron2``.
Only that copy is taken, under its own name again; no file of LabGym itself is.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zipfile
from email.parser import Parser
from pathlib import Path

CARRIER = "LabGym"
CARRIER_VERSION = "3.1.2"
CODE_VERSION = "0.6"
WHEEL_VERSION = f"{CODE_VERSION}+labgym.{CARRIER_VERSION}"  # pip list shows where it came from
LICENSE_FILE = Path(__file__).with_name("detectron2_LICENSE.txt")

REQUIREMENTS = [
    "Pillow>=7.1",
    "black",
    "cloudpickle",
    "fvcore>=0.1.5,<0.1.6",
    "hydra-core>=1.1",
    "iopath>=0.1.7,<0.1.11",
    "matplotlib",
    "omegaconf>=2.1,<2.4",
    "packaging",
    "pycocotools>=2.0.2",
    "tabulate",
    "tensorboard",
    "termcolor>=1.1",
    "tqdm>4.29.0",
    "yacs>=0.1.8",
]

# setuptools 82 has no pkg_resources any more, which this one module asks for the place of a file.
MODEL_ZOO = "detectron2/model_zoo/model_zoo.py"
PATCHES = [
    (b"import pkg_resources\n", b"from importlib.resources import files\n"),
    (
        b"pkg_resources.resource_filename(\n"
        b'        "detectron2.model_zoo", os.path.join("configs", config_path)\n    )',
        b'str(files("detectron2.model_zoo") / "configs" / config_path)',
    ),
]

ORIGIN = f"""\
Detectron2 {CODE_VERSION}, Copyright (c) Facebook, Inc. and its affiliates.
Apache License 2.0, see LICENSE. Project: https://github.com/facebookresearch/detectron2

This wheel was packed on the computer it is installed on, by scripts/install_detectron2.py of
rcf_vis, from the copy of Detectron2's Python code in the PyPI wheel {CARRIER} {CARRIER_VERSION}.
That copy bears the name `{CARRIER}.detectron2`; here each such name was changed back to
`detectron2`, and in model_zoo.py pkg_resources to importlib.resources. Nothing else was changed.
Detectron2's compiled operators (rotated boxes, deformable convolution, fast COCO evaluation) are
not in it, and no file of {CARRIER} itself is.
"""


class InstallError(RuntimeError):
    """A source of Detectron2 cannot be used; the message says why."""


def repack(carrier: Path, folder: Path) -> Path:
    """Write the wheel ``detectron2`` with the Detectron2 code of the carrier's wheel.

    The same input gives the same bytes.

    Raises:
        InstallError: the carrier has another name or version than the pinned one, carries no
            Detectron2 or another one than expected, or its name is left over in a file.
    """
    files = detectron2_files(carrier)
    info = f"detectron2-{WHEEL_VERSION}.dist-info"
    files |= {
        f"{info}/METADATA": metadata().encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: rcf_vis\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/top_level.txt": b"detectron2\n",
        f"{info}/LICENSE": LICENSE_FILE.read_bytes(),
        f"{info}/NOTICE": ORIGIN.encode(),
    }
    record = [f"{name},{record_hash(data)},{len(data)}" for name, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()

    wheel = folder / f"detectron2-{WHEEL_VERSION}-py3-none-any.whl"
    unfinished = wheel.with_suffix(".tmp")
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    os.replace(unfinished, wheel)
    return wheel


def detectron2_files(carrier: Path) -> dict[str, bytes]:
    """The carrier's copy of Detectron2 under its own name: path in the wheel -> content."""
    prefix, renamed = f"{CARRIER}/detectron2/", f"{CARRIER}.detectron2".encode()
    with zipfile.ZipFile(carrier) as archive:
        names = sorted(archive.namelist())
        check_carrier(archive, names, carrier.name)
        found = [name for name in names if name.startswith(prefix) and not name.endswith("/")]
        files = {
            name.removeprefix(f"{CARRIER}/"): archive.read(name).replace(renamed, b"detectron2")
            for name in found
        }
    for name, data in files.items():
        if CARRIER.lower() in name.lower() or CARRIER.lower().encode() in data.lower():
            raise InstallError(f"{carrier.name}: the name {CARRIER} is left over in {name}")
    files[MODEL_ZOO] = patched(files.get(MODEL_ZOO, b""), carrier.name)
    expected = f'__version__ = "{CODE_VERSION}"'
    if expected.encode() not in files.get("detectron2/__init__.py", b""):
        raise InstallError(f"{carrier.name}: expected {prefix}__init__.py with {expected}")
    return files


def patched(code: bytes, file: str) -> bytes:
    """``model_zoo.py`` with :data:`PATCHES`; InstallError if one of them has no place in it."""
    for old, new in PATCHES:
        if code.count(old) != 1:
            raise InstallError(f"{file}: expected {old.decode()!r} once in {MODEL_ZOO}")
        code = code.replace(old, new)
    return code


def check_carrier(archive: zipfile.ZipFile, names: list[str], file: str) -> None:
    found = [n for n in names if n.count("/") == 1 and n.endswith(".dist-info/METADATA")]
    if len(found) != 1:
        raise InstallError(f"{file}: expected one .dist-info/METADATA, found {len(found)}")
    fields = Parser().parsestr(archive.read(found[0]).decode())
    if (fields["Name"], fields["Version"]) != (CARRIER, CARRIER_VERSION):
        raise InstallError(
            f"{file}: expected {CARRIER} {CARRIER_VERSION}, "
            f"it is {fields['Name']} {fields['Version']}"
        )


def metadata() -> str:
    fields = [
        "Metadata-Version: 2.1",
        "Name: detectron2",
        f"Version: {WHEEL_VERSION}",
        "Summary: Detectron2, FAIR's platform for detection and segmentation (Python code only)",
        "Home-page: https://github.com/facebookresearch/detectron2",
        "Author: FAIR",
        "License: Apache-2.0",
        "License-File: LICENSE",
        "License-File: NOTICE",
        "Requires-Python: >=3.7",
        *(f"Requires-Dist: {requirement}" for requirement in REQUIREMENTS),
    ]
    return "\n".join(fields) + "\n\n" + ORIGIN


def record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return "sha256=" + digest.rstrip(b"=").decode()
