"""Scripts of the repository that are not part of the package, as modules."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def load_script(path: str) -> ModuleType:
    """Import e.g. ``tools/publish_model.py``; the path is relative to the repository."""
    spec = importlib.util.spec_from_file_location(f"rcf_script_{Path(path).stem}", ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
