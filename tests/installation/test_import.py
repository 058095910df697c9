"""What ``import rcf_vis`` brings with it: modules are counted, as seconds depend on the machine."""

import subprocess
import sys

import pytest

from rcf_vis.audio import LogMelSpectrogram
from rcf_vis.errors import extra

# The parts of Detectron2 that no use of rcf_vis does without
BASE = """\
import timm, torch
import detectron2.checkpoint, detectron2.config, detectron2.data, detectron2.layers
import detectron2.modeling, detectron2.projects.deeplab, detectron2.structures
"""
HEAVY = {
    *("av", "jinja2", "matplotlib", "numba", "pandas", "tensorboard", "torchaudio"),
    *("scipy.optimize", "scipy.stats", "torch.utils.tensorboard"),
    *("detectron2.engine", "detectron2.evaluation", "detectron2.utils.visualizer"),
    *("rcf_vis.analysis", "rcf_vis.engine", "rcf_vis.evaluation", "rcf_vis.visualization"),
}


USE = """\
import torch
from rcf_vis.tracking import BoxMasks, pair_masks
masks = BoxMasks.from_dense(torch.ones(1, 4, 4, dtype=torch.bool))
assert pair_masks(masks, masks, 0.5) == [(0, 0)]
"""


def modules_after(*codes):
    """The modules that are loaded after each of some pieces of code, run one after the other."""
    note = "\nimport sys\nprint(*sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", note.join([*codes, ""])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_nothing_heavy_comes_with_the_package():
    (base,) = modules_after(BASE)
    imported, used = modules_after("import rcf_vis", USE)
    added = imported - base
    assert "rcf_vis.modeling" in added
    assert not HEAVY & added
    packages = {name.partition(".")[0] for name in added} - sys.stdlib_module_names
    assert {name for name in packages if not name.startswith("_")} <= {"rcf_vis", "scipy"}
    assert len(added) <= 120  # it was 582
    assert "scipy.optimize" in used


def test_a_package_that_is_missing_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(ModuleNotFoundError, match=r"torchaudio .* pip install 'rcf_vis\[audio\]'"):
        LogMelSpectrogram()
    with pytest.raises(ModuleNotFoundError, match=r"no_such .* pip install 'rcf_vis\[report\]'"):
        with extra("report"):
            import no_such  # noqa: F401
