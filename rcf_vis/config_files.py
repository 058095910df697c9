"""The yaml of a config and of its ``_BASE_``, read without running what tags may say in it.

Detectron2's ``cfg.merge_from_file`` runs what a tag as ``!!python/object/apply`` names.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from itertools import accumulate
from typing import Any

import yaml
from detectron2.utils.file_io import PathManager

from rcf_vis.errors import shown
from rcf_vis.foreign_files import open_regular
from rcf_vis.limits import check_limit, limit

__all__ = ["load_config_file"]

_BASE = "_BASE_"
_MAX_FILES = 50
_DEEPEST = 100
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


def load_config_file(path: str) -> dict[str, Any]:
    """What a config says, on top of what it names under ``_BASE_``, a path or a list of them.

    Args:
        path: of a yaml in UTF-8 or UTF-16; or what Detectron2's ``PathManager`` knows.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it is no file.
        ValueError: it is no yaml of plain values, too large, or is its own base. The message names
            the file.
    """
    return _load(path, [])


def _load(path: str, read: list[str], above: tuple[str, ...] = ()) -> dict[str, Any]:
    local = os.path.realpath(PathManager.get_local_path(os.path.expanduser(path)))
    if local in above:
        raise ValueError(f"{path}: its {_BASE} leads back to it")
    read.append(local)
    if len(read) > _MAX_FILES:
        raise ValueError(f"{path}: {_BASE} of more than {_MAX_FILES} files")
    own = _parse(path, local)
    bases = own.pop(_BASE, [])
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list) or not all(isinstance(base, str) for base in bases):
        raise ValueError(f"{path}: {_BASE} is {shown(bases)}, expected a path or a list of paths")
    content: dict[str, Any] = {}
    for base in bases:
        base = os.path.expanduser(base)
        if "://" not in base:
            base = os.path.join(os.path.dirname(path), base)
        _merge(_load(base, read, (*above, local)), content, path)
    _merge(own, content, path)
    return content


def _parse(path: str, local: str) -> dict[str, Any]:
    with open_regular(local) as file:
        size = os.fstat(file.fileno()).st_size
        check_limit("CONFIG_BYTES", size, f"{path}: bytes of a config")
        text = file.read(size + 1)
    if max(accumulate(_STEPS.get(byte, 0) for byte in text), default=0) > _DEEPEST:
        raise ValueError(f"{path}: brackets nested deeper than {_DEEPEST}")  # yaml would take long
    try:
        loader = yaml.SafeLoader(text)
        tree = loader.get_single_node()
        if tree is None:  # an empty file
            return {}
        values = _count(tree, {})
        check_limit("CONFIG_BYTES", values, f"{path}: values of a config, aliases written out")
        content = loader.construct_document(tree)
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())[:300]  # with its place, in one line
        raise ValueError(f"{path}: no config of plain values ({reason})") from error
    except ValueError as error:  # a date or a number that is none; or the limit
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: a {type(content).__name__} at the top, expected KEY: VALUE")
    return content


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Values of a tree in which aliases are written out; one that is part of itself is over all."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = limit("CONFIG_BYTES") + 1  # until it is known
    children = node.value if isinstance(node, yaml.CollectionNode) else []
    if isinstance(node, yaml.MappingNode):
        children = [part for pair in children for part in pair]
    known[id(node)] = 1 + sum(_count(child, known) for child in children)
    return known[id(node)]


def _merge(source: dict[Hashable, Any], target: dict[Hashable, Any], path: str) -> None:
    """Put ``source`` into ``target``, dicts into dicts."""
    for key, value in source.items():
        if isinstance(value, dict) and key in target:
            if not isinstance(target[key], dict):
                raise ValueError(f"{path}: {key} has keys, but is a value in its {_BASE}")
            _merge(value, target[key], path)
        else:
            target[key] = value
