"""The import directions that import-linter cannot check: it takes packages that this directory can import."""

import ast
from pathlib import Path

from tests.places import ROOT

OURS = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}


def _imported(file: Path) -> set[str]:
    """The top-level names that a file imports."""
    imported = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    return imported


def test_the_program_knows_of_ours_only_the_stacks() -> None:
    assert _imported(ROOT / "main.py") & OURS == {"stacks"}


def test_an_example_imports_nothing_of_ours() -> None:
    files = list((ROOT / "examples").rglob("*.py"))
    assert files
    assert [file for file in files if _imported(file) & {*OURS, "main"}] == []
