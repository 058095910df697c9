"""What ``import rcf_vis`` brings with it: modules are counted, as seconds depend on the machine."""

import subprocess
import sys

import pytest

from rcf_vis.audio import LogMelSpectrogram
from rcf_vis.errors import extra
from tests.plain_python import run_plain

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
    (imported,) = modules_after("import rcf_vis")
    added = imported - base
    assert "rcf_vis.modeling" in added
    assert not HEAVY & added
    packages = {name.partition(".")[0] for name in added} - sys.stdlib_module_names
    assert {name for name in packages if not name.startswith("_")} <= {"rcf_vis", "scipy"}
    assert len(added) <= 140  # it was 582


def test_a_package_that_is_missing_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(ModuleNotFoundError, match=r"torchaudio .* pip install 'rcf_vis\[audio\]'"):
        LogMelSpectrogram()
    with pytest.raises(ModuleNotFoundError, match=r"no_such .* pip install 'rcf_vis\[report\]'"):
        with extra("report"):
            import no_such  # noqa: F401


WITHOUT_DETECTRON2 = """\
import rcf_vis
from rcf_vis.tracking import BoxMasks, IdentityRules, IdentityState, assign_identities
import numpy
masks = BoxMasks.from_dense(numpy.ones((1, 4, 4), dtype=bool))
print(*assign_identities([3], masks, IdentityState(), IdentityRules())[0], masks.rles())
assert not {"torch", "detectron2", "scipy", "pycocotools"} & set(sys.modules)
try:
    from rcf_vis import OnlinePredictor
except ModuleNotFoundError as error:
    print(error)
assert not hasattr(rcf_vis, "no_such")
"""


def test_without_pytorch_and_detectron2():
    """Identities are there, and who asks for more is told what is missing."""
    identities, message = run_plain(WITHOUT_DETECTRON2).splitlines()
    assert identities == "0 [{'size': [4, 4], 'counts': '0`0'}]"
    assert message.startswith("rcf_vis needs PyTorch, and Detectron2, which is not on PyPI")
