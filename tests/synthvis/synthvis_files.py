"""Generated SynthVIS sets as the tests compare them."""

import hashlib
from pathlib import Path

from rcf_vis.synthvis import SynthVISSpec, generate_split


def digest(folder: Path) -> str:
    """One hash over the names and bytes of all files below a folder but the lock."""
    hashed = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"):
        hashed.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return hashed.hexdigest()


def make_both_splits(spec: SynthVISSpec, root: Path) -> Path:
    """Generate train and val below ``root`` in this process; gives ``root``."""
    for split in ("train", "val"):
        generate_split(spec, root, split, workers=1)
    return root
