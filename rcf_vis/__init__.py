"""Online video instance segmentation by Robust Context Fusion (RCF), a Detectron2 project.

Importing this package registers the meta-architecture ``"RCF"``, the video data sets and the prefix
``rcf_vis://`` of the weights that come with it; nothing is read until one of them is used.

Where PyTorch or Detectron2 is not installed there is :mod:`rcf_vis.runtime` alone.
"""

import importlib.util

__version__ = "0.2.0.dev0"

__all__ = [
    "OnlinePredictor",
    "StreamPool",
    "add_rcf_config",
    "optimize_for_inference",
    "to_supervision",
]

if all(importlib.util.find_spec(name) is not None for name in ("torch", "detectron2")):
    from . import checkpoint, data, modeling  # noqa: F401  (imported for what they register)
    from .config import add_rcf_config
    from .inference import OnlinePredictor, StreamPool, optimize_for_inference, to_supervision
else:

    def __getattr__(name: str) -> None:
        if name in __all__:
            raise ModuleNotFoundError(
                "rcf_vis needs PyTorch, and Detectron2, which is not on PyPI; "
                "scripts/install_detectron2.py installs it. Without them there is rcf_vis.runtime"
            )
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
