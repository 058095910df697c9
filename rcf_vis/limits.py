"""How much a file may ask for: one place for the limits, which hold in all processes of a run.

A limit is compared with what a file's header or text says before anything of that size is made.
Each is a key of the config (``LIMITS.IMAGE_PIXELS``), and, for the command lines that have no
config, a variable of the environment (``RCF_LIMIT_IMAGE_PIXELS``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from rcf_vis.errors import DatasetError

__all__ = ["DEFAULTS", "apply_limits", "check_limit", "limit"]

DEFAULTS = {
    "IMAGE_PIXELS": 50_000_000,
    "VIDEO_FRAMES": 100_000,
    "OUTLINE_PIXELS": 2_500_000,
    "AUDIO_SAMPLES": 50_000_000,
    "JSON_BYTES": 2**31,
    "ZIP_RATIO": 100,
    "CONFIG_BYTES": 50_000,
}
"""Name → default; :func:`rcf_vis.config.add_rcf_config` says what each counts."""

_PREFIX = "RCF_LIMIT_"


def limit(name: str) -> int:
    """The limit of this name that holds.

    Raises:
        ValueError: the environment has something else than a positive whole number for it.
    """
    text = os.environ.get(_PREFIX + name)
    if text is None:
        return DEFAULTS[name]
    if not text.isdecimal() or not int(text):
        raise ValueError(f"{_PREFIX}{name} is {text!r}, expected a whole number over 0")
    return int(text)


def check_limit(name: str, found: int, what: str) -> None:
    """Raise a DatasetError where ``found`` is over the limit.

    Args:
        what: begins the message: the file, and what is counted, e.g. "a.png: 10x10 pixels".
    """
    if found > limit(name):
        raise DatasetError(
            f"{what}: {found} is over the limit of {limit(name)}; LIMITS.{name} of a config, or "
            f"{_PREFIX}{name} in the environment, raises it",
            "limits",
        )


def apply_limits(limits: Mapping[str, int]) -> None:
    """Let the limits of a config (``cfg.LIMITS``) hold in this process and those it starts.

    Those that are at their default are left as the environment has them.

    Raises:
        ValueError: one is no positive whole number.
    """
    for name, default in DEFAULTS.items():
        value = limits.get(name, default)
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"LIMITS.{name} is {value!r}, expected a whole number over 0")
        if value != default:
            os.environ[_PREFIX + name] = str(value)
