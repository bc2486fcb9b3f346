"""The import direction that import-linter cannot check: it takes packages, and `main` is a module."""

import ast

from tests.places import ROOT

OURS = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}


def test_the_program_knows_of_ours_only_the_stacks() -> None:
    imported = set()
    for node in ast.walk(ast.parse((ROOT / "main.py").read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).partition(".")[0])
    assert imported & OURS == {"stacks"}
