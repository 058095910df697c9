"""A Python in which nothing but some packages is installed beside rcf_vis."""

import subprocess
import sys
from collections.abc import Sequence

from tests.scripts import ROOT

_HIDE = """\
import sys
from importlib.machinery import PathFinder

class Plain(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        package = name.partition(".")[0]
        if package in sys.stdlib_module_names or package in {there}:
            return super().find_spec(name, path, target)

sys.meta_path[:] = [x for x in sys.meta_path if x.__module__ == "_frozen_importlib"] + [Plain]
sys.path.insert(0, {root!r})
"""


def run_plain(code: str, *arguments: str, packages: Sequence[str] = ("numpy",)) -> str:
    """What ``code`` prints where these packages alone can be imported.

    Raises:
        AssertionError: it ends with an error, which is the message.
    """
    hide = _HIDE.format(there={"rcf_vis", *packages}, root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", hide + code, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
