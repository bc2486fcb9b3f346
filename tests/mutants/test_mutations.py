"""The list of mutations is not stale, and its runner tells who notices what."""

from pathlib import Path

import pytest

from tests.mutants.__main__ import main
from tests.mutants.mutations import Mutation, read_mutations
from tests.places import ROOT


@pytest.mark.parametrize("mutation", read_mutations(), ids=lambda mutation: mutation.name)
def test_every_mutation_can_be_put_in_and_its_tests_are_there(mutation: Mutation) -> None:
    mutation.check(ROOT)


LIST = """\
[noticed]
file = "sums.py"
old = "return 1"
new = "return 2"
tests = ["test_sums.py"]
harm = "It is two."

[unnoticed]
file = "sums.py"
old = "return 3"
new = "return 4"
tests = ["test_sums.py"]
harm = "It is four."
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with a function that is tested, and one that is not."""
    root = tmp_path / "tree"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\naddopts = -ra\npythonpath = .\n")
    (root / "sums.py").write_text("def one():\n    return 1\n\n\ndef three():\n    return 3\n")
    (root / "test_sums.py").write_text("import sums\n\n\ndef test_one():\n    assert sums.one() == 1\n")
    return root


def run(tree: Path, list_text: str, *names: str) -> int:
    path = tree.parent / "mutations.toml"
    path.write_text(list_text)
    return main(names, tree, path)


def test_a_mutation_that_no_test_notices_is_told_and_the_tree_stays_as_it_was(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_text() for path in tree.iterdir()}
    assert run(tree, LIST) == 1
    out = capsys.readouterr().out
    assert [line.split()[0::3] for line in out.splitlines()[:2]] == [
        ["noticed", "test_sums.py::test_one"],
        ["unnoticed", "SURVIVED"],
    ]
    assert "unnoticed survived test_sums.py: It is four." in out
    assert {path.name: path.read_text() for path in tree.iterdir()} == before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("return 3", "return", "`old` occurs 2 times"),
        ("return 3", "return 5", "`old` occurs 0 times"),
        ("return 4", "return 3", "`new` is `old`"),
        ("return 4", "return (", "no Python any more"),
        ("test_sums.py", "test_none.py", "no such test: test_none.py"),
        ("test_sums.py", "test_sums.py::test_two", "no such test: test_sums.py::test_two"),
    ],
)
def test_a_stale_entry_is_named(
    tree: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    head, name, entry = LIST.partition("[unnoticed]")
    assert run(tree, head + name + entry.replace(old, new)) == 2
    assert f"unnoticed: {told}" in capsys.readouterr().err


def test_a_table_can_be_mutated_as_long_as_it_stays_toml(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "sums.toml").write_text("one = 1\n")
    (tree / "test_sums.py").write_text(
        "import tomllib\n\n\ndef test_one():\n    assert tomllib.load(open('sums.toml', 'rb'))['one'] == 1\n"
    )
    entry = LIST.partition("\n\n")[0].replace("sums.py", "sums.toml", 1)
    assert run(tree, entry.replace("return 1", "= 1").replace("return 2", "= 2")) == 0
    assert run(tree, entry.replace("return 1", "= 1").replace("return 2", "=")) == 2
    assert "noticed: no TOML any more" in capsys.readouterr().err


def test_tests_that_fail_without_a_mutation_prove_nothing(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "test_sums.py").write_text("def test_one():\n    assert False\n")
    assert run(tree, LIST, "noticed") == 2
    assert "test_sums.py::test_one fails without a mutation" in capsys.readouterr().err


def test_an_unknown_name_is_told(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tree, LIST, "another") == 2
    assert "no such mutation: another" in capsys.readouterr().err
