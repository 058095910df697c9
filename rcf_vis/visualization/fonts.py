"""Class names of any script: a font of this machine that has them, or numbers in their place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache

import matplotlib
from matplotlib import font_manager

__all__ = ["drawable_names", "fonts_for"]

_FAMILY = "sans-serif"  # in which Detectron2 writes


def drawable_names(names: Sequence[str]) -> list[str]:
    """The names; ``class 3`` for number 3 where no font of this machine has its characters."""
    return [
        name if _family_with(_missing(name)) is not None else f"class {index}"
        for index, name in enumerate(names)
    ]


def fonts_for(texts: Sequence[str]) -> AbstractContextManager[None]:
    """Where the texts are drawn, so that characters that the usual font lacks come from others."""
    families = {_family_with(_missing(text)) for text in texts} - {None, _FAMILY}
    if not families:
        return nullcontext()
    usual = matplotlib.rcParams[f"font.{_FAMILY}"]
    return matplotlib.rc_context({f"font.{_FAMILY}": [*usual, *sorted(families)]})


def _missing(text: str) -> frozenset[str]:
    """The characters that the usual font does not have."""
    if text.isascii():
        return frozenset()
    path = font_manager.findfont(font_manager.FontProperties(family=[_FAMILY]))
    return frozenset(c for c in text if ord(c) not in _characters_of(path) and not c.isspace())


@lru_cache(maxsize=256)
def _family_with(characters: frozenset[str]) -> str | None:
    """A family of fonts that has them all; the usual one for none; None where there is no such."""
    if not characters:
        return _FAMILY
    wanted = {ord(c) for c in characters}
    for font in font_manager.fontManager.ttflist:
        upright = font.style == "normal" and font.weight in (400, "normal", "regular", "book")
        placeholder = font.name.startswith("Last Resort")  # of matplotlib: a box for any character
        if upright and not placeholder and wanted <= _characters_of(font.fname):
            return font.name
    return None


@lru_cache(maxsize=512)
def _characters_of(path: str) -> frozenset[int]:
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):  # a font in matplotlib's list that is gone or broken
        return frozenset()
