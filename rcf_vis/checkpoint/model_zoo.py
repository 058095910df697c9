"""Weights that come with the package, by the path ``rcf_vis://<file>``.

As Detectron2 has ``detectron2://`` for the weights of its model zoo, so that ``MODEL.WEIGHTS`` of a
config holds from any folder. Importing this module registers the prefix with Detectron2.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from detectron2.utils.file_io import PathHandler, PathManager

__all__ = ["WEIGHTS_FOLDER", "WeightsHandler"]

WEIGHTS_FOLDER = Path(__file__).resolve().parents[1] / "weights"


class WeightsHandler(PathHandler):
    """Resolves ``rcf_vis://rcf_tiny.safetensors`` to the file in :data:`WEIGHTS_FOLDER`."""

    PREFIX = "rcf_vis://"

    def _get_supported_prefixes(self) -> list[str]:
        return [self.PREFIX]

    def _get_local_path(self, path: str, **kwargs: Any) -> str:
        local = WEIGHTS_FOLDER / path[len(self.PREFIX) :]
        if not local.is_file():
            renamed = local.with_suffix(".safetensors")
            if renamed.is_file():
                raise FileNotFoundError(f"{path}: its weights are now {self.PREFIX}{renamed.name}")
            there = sorted(p.name for p in WEIGHTS_FOLDER.glob("*.safetensors"))
            raise FileNotFoundError(f"{path}: no such weights; the package has {there}")
        return str(local)

    def _isfile(self, path: str, **kwargs: Any) -> bool:
        return (WEIGHTS_FOLDER / path[len(self.PREFIX) :]).is_file()

    def _open(self, path: str, mode: str = "r", **kwargs: Any) -> IO[Any]:
        return PathManager.open(self._get_local_path(path), mode, **kwargs)


PathManager.register_handler(WeightsHandler(), allow_override=True)
