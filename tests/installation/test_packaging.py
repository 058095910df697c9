"""What pyproject.toml promises: requirements, extras, Pythons; other files say the same."""

import ast
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import rcf_vis
import setup_venv
from tests.scripts import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # a requirement of pytest there

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Of Detectron2, which requires them itself and is not on PyPI
WITH_DETECTRON2 = {"detectron2", "matplotlib", "omegaconf"}


def distribution(requirement):
    """The normalised name of what a requirement asks for."""
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def imported_packages(folder, *, without=()):
    """Third-party packages that the modules under a folder import anywhere: name -> a module."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        if any(part in path.parts for part in without):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                found[name.partition(".")[0]] = path.name
    return {
        name: path
        for name, path in found.items()
        if name not in {*sys.stdlib_module_names, "rcf_vis"}
    }


def distributions_of(package):
    return {name.lower().replace("_", "-") for name in packages_distributions().get(package, [])}


def test_every_import_has_its_requirement():
    """The core does with the core's requirements, but for what is imported as of an extra."""
    core = {distribution(r) for r in PROJECT["dependencies"]} | WITH_DETECTRON2
    optional = ("audio", "export", "openvino", "ray", "report", "supervision", "trackers")
    extras = {distribution(r) for name in optional for r in EXTRAS[name]}
    for package, module in imported_packages(Path(rcf_vis.__file__).parent).items():
        assert distributions_of(package) & (core | extras), f"{package} of {module}"
    assert not core & extras - WITH_DETECTRON2
    guarded = re.compile(r"with extra\(\"(\w+)\"\):\n\s+import (\w+)")
    used = set()
    for path in Path(rcf_vis.__file__).parent.rglob("*.py"):
        used |= set(guarded.findall(path.read_text()))
    for extra, package in used:
        promised = {distribution(r) for r in EXTRAS[extra]}
        assert package in promised, f"{package} is not in the extra {extra}"


def test_every_requirement_is_used():
    imported = set()
    for package in imported_packages(Path(rcf_vis.__file__).parent):
        imported |= distributions_of(package)
    for requirement in [*PROJECT["dependencies"], *EXTRAS["audio"], *EXTRAS["report"]]:
        assert distribution(requirement) in imported, requirement


def test_nothing_is_held_back():
    """No upper bounds: an old release of a library is a reason for a fix, or for a note here."""
    required = [*PROJECT["dependencies"], *EXTRAS["audio"], *EXTRAS["report"]]
    assert not [r for r in [*required, PROJECT["requires-python"]] if re.search("<|==|~=|!=", r)]


def test_the_pythons_are_the_same_everywhere():
    marker = "Programming Language :: Python :: "
    pythons = [c.removeprefix(marker) for c in PROJECT["classifiers"] if c.startswith(marker)]
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    oldest, newest = setup_venv.OLDEST, setup_venv.NEWEST
    assert pythons == [f"3.{minor}" for minor in range(oldest[1], newest[1] + 1)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == pythons
    steps = [step.get("run", "") for step in job["steps"]]
    assert any(step.startswith("make test") for step in steps)
    setup = next(s["with"] for s in job["steps"] if "setup-python" in s.get("uses", ""))
    assert setup["python-version"] == "${{ matrix.python }}"
    for pattern in setup["cache-dependency-path"].split():
        assert list(ROOT.glob(pattern)), pattern


def test_the_files_of_the_package_are_packed():
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    root = ROOT / "rcf_vis"
    globs = packed["package-data"]["rcf_vis"]
    found = {path for pattern in globs for path in root.glob(pattern)}
    others = {p for p in root.rglob("*") if p.is_file() and p.suffix != ".py"}
    assert {p for p in others if p.parent.name != "__pycache__"} == found
    missing = {p.parent for p in root.rglob("*.py")} - {p.parent for p in root.rglob("__init__.py")}
    assert not missing


def test_changelog_and_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = rcf_vis.__version__
    assert headings[0] == ("Unreleased" if ".dev" in version else version)
    assert version.partition(".dev")[0] not in headings[1:]


def test_the_citation_can_be_read():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and citation["license"] == PROJECT["license"]
    assert len(citation["preferred-citation"]["authors"]) == 5


@pytest.mark.filterwarnings("ignore:pkg_resources is deprecated")
def test_the_model_zoo_of_the_installed_detectron2_imports():
    """The official one imports pkg_resources, which setuptools 82 has no more."""
    from detectron2 import model_zoo

    assert Path(model_zoo.get_config_file("COCO-Detection/retinanet_R_50_FPN_1x.yaml")).is_file()
