"""Online video instance segmentation by Robust Context Fusion (RCF), a Detectron2 project.

Importing this package registers the meta-architecture ``"RCF"``, the video data sets and the prefix
``rcf_vis://`` of the weights that come with it; nothing is read until one of them is used.
"""

import importlib.util

if importlib.util.find_spec("detectron2") is None:
    raise ModuleNotFoundError(
        "rcf_vis needs Detectron2, which is not on PyPI; scripts/install_detectron2.py installs it"
    )


from . import checkpoint, data, modeling  # noqa: F401  (imported for what they register)
from .config import add_rcf_config
from .inference import OnlinePredictor, StreamPool, optimize_for_inference, to_supervision

__version__ = "0.2.0.dev0"

__all__ = [
    "OnlinePredictor",
    "StreamPool",
    "add_rcf_config",
    "optimize_for_inference",
    "to_supervision",
]
