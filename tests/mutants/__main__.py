"""Puts each mutation of the list into a copy of the tree and runs the tests that have to notice.

    .venv/bin/python -m tests.mutants [NAME...]

Exit status 1 when a mutation survives; 2 when the list is stale or the tests fail without a mutation.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.mutations import LIST, Mutation, StaleError, read_mutations
from tests.places import ROOT

AT_ONCE: Final = 2

NOT_COPIED: Final = shutil.ignore_patterns(
    "__pycache__",
    "cdktf.out",
    "node_modules",
    ".git",
    ".hypothesis",
    ".oaktree",
    ".tools",
    ".venv",
    ".*_cache",
)

_FAILED: Final = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tests made of a mutation: `caught_by` is the first that failed, empty when none did."""

    mutation: Mutation
    caught_by: str
    seconds: float


class BrokenError(Exception):
    """pytest ended with something else than passed or failed tests; the text is what it printed."""


def main(arguments: Sequence[str], root: Path = ROOT, path: Path = LIST) -> int:
    """Run the mutations that are named, or all; returns the exit status."""
    known = {mutation.name: mutation for mutation in read_mutations(path)}
    if unknown := [name for name in arguments if name not in known]:
        print(f"mutants: no such mutation: {', '.join(unknown)}. {path.name} has them.", file=sys.stderr)
        return 2
    chosen = [known[name] for name in arguments] or list(known.values())
    try:
        for mutation in chosen:
            mutation.check(root)
        with _copy(root) as tree:
            tests = sorted({test for mutation in chosen for test in mutation.tests})
            print(f"mutants: {len(tests)} test files without a mutation ...", file=sys.stderr)
            if failed := _first_failure(tree, tests):
                print(f"mutants: {failed} fails without a mutation.", file=sys.stderr)
                return 2
        with ThreadPoolExecutor(AT_ONCE) as pool:
            outcomes = list(pool.map(lambda mutation: _run(root, mutation), chosen))
    except (StaleError, BrokenError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    print(_table(outcomes))
    survived = [outcome.mutation for outcome in outcomes if not outcome.caught_by]
    for mutation in survived:
        print(f"\n{mutation.name} survived {', '.join(mutation.tests)}: {mutation.harm}")
    print(f"\nmutants: {len(outcomes) - len(survived)} caught, {len(survived)} survived")
    return 1 if survived else 0


def _run(root: Path, mutation: Mutation) -> Outcome:
    started = time.monotonic()
    with _copy(root) as tree:
        (tree / mutation.file).write_text(mutation.mutated(root), encoding="utf-8")
        caught_by = _first_failure(tree, mutation.tests)
    outcome = Outcome(mutation, caught_by, time.monotonic() - started)
    print(f"mutants: {mutation.name}: {caught_by or 'SURVIVED'}", file=sys.stderr)
    return outcome


@contextmanager
def _copy(root: Path) -> Iterator[Path]:
    """A copy of the tree, which goes away in the end."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        tree = Path(directory) / root.name
        shutil.copytree(root, tree, symlinks=True, ignore=NOT_COPIED)
        yield tree


def _first_failure(tree: Path, tests: Sequence[str]) -> str:
    """The first test that fails in a tree; empty when none does."""
    # schemathesis alone would make up half of a short run.
    plugins = ("-p", "no:cacheprovider", "-p", "no:schemathesis")
    command = (sys.executable, "-m", "pytest", "-x", "-q", *plugins, *tests)
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=tree,
        # A mutation may leave a file's size and time as they are, and Python would take the former bytecode.
        env=environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    found = _FAILED.search(done.stdout)
    if done.returncode != 1 or not found:
        raise BrokenError(f"{' '.join(command[1:])} ended with status {done.returncode}:\n{done.stdout}")
    return found[1]


def _table(outcomes: Sequence[Outcome]) -> str:
    width = max(len(outcome.mutation.name) for outcome in outcomes)
    return "\n".join(
        f"{outcome.mutation.name:{width}}  {outcome.seconds:4.0f} s  {outcome.caught_by or 'SURVIVED'}"
        for outcome in outcomes
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
