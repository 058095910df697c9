"""A tiny made-up wheel of the carrier that scripts/repack_detectron2.py takes Detectron2 from."""

import zipfile
from pathlib import Path

METADATA = "labgym-3.1.2.dist-info/METADATA"
FILES = {
    "LabGym/__init__.py": "raise ImportError('not for us')\n",
    "LabGym/tools.py": "import LabGym.detectron2\n",
    "LabGym/NOTICE.txt": "all rights\n",
    "LabGym/detectron2/__init__.py": '__version__ = "0.6"\n',
    "LabGym/detectron2/utils/__init__.py": "import LabGym.detectron2\n\n"
    "NAME = 'LabGym.detectron2.x'\n",
    "LabGym/detectron2/engine.py": "from LabGym.detectron2 import __version__\n"
    "from LabGym.detectron2.utils import NAME as LABEL\n",
    "LabGym/detectron2/model_zoo/__init__.py": "",
    "LabGym/detectron2/model_zoo/model_zoo.py": """\
import os
import pkg_resources
import LabGym.detectron2


def get_config_file(config_path):
    cfg_file = pkg_resources.resource_filename(
        "LabGym.detectron2.model_zoo", os.path.join("configs", config_path)
    )
    return cfg_file
""",
    "LabGym/detectron2/model_zoo/configs/a.yaml": "_BASE_: ü.yaml\n",
    METADATA: "Metadata-Version: 2.1\nName: LabGym\nVersion: 3.1.2\n",
    "labgym-3.1.2.dist-info/licenses/LICENSE.txt": "GNU GENERAL PUBLIC LICENSE\n",
}


def make_carrier(folder: Path, changed: dict[str, str] | None = None) -> Path:
    """Write the wheel; ``changed`` has the contents of files that are to differ or be added."""
    path = folder / "labgym-3.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**FILES, **(changed or {})}.items():
            archive.writestr(name, text)
    return path
