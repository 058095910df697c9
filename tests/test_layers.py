"""What import-linter (pyproject.toml) cannot see: it knows other packages by their root alone."""

import ast

import pytest

from tests.scripts import ROOT

PREFIXES = (
    *("detectron2.checkpoint.", "detectron2.data.", "detectron2.utils.file_io."),
    *("timm.models.load_checkpoint.", "timm.models.load_state_dict.", "torch.load."),
)


@pytest.mark.parametrize("package", ["modeling", "tracking"])
def test_no_library_reads_files_or_data_for_the_network(package):
    modules = sorted((ROOT / "rcf_vis" / package).rglob("*.py"))
    assert modules
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Attribute):
                names = [ast.unparse(node)]
            for name in names:
                assert not f"{name}.".startswith(PREFIXES), f"{path}, line {node.lineno}: {name}"
