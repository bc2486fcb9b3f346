"""The list of mutations: reading it, and putting one into a copy of the tree."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).with_name("mutations.toml")


class StaleError(Exception):
    """The list names what is no longer there; the text says where."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """A text of a file, the text that takes its place, and the tests that have to notice.

    A test is a file, or a test of it as pytest names it. `harm` is what a user would meet.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    harm: str

    def mutated(self, root: Path) -> str:
        """The file's text with the fault in it. StaleError unless `old` occurs in it exactly once."""
        file = root / self.file
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if (times := text.count(self.old)) != 1:
            raise StaleError(
                f"{LIST.name}: {self.name}: `old` occurs {times} times in {self.file}, not once."
            )
        return text.replace(self.old, self.new)

    def check(self, root: Path) -> None:
        """StaleError unless the fault can be put in, is one, and all its tests are there."""
        changed = self.mutated(root)
        if self.old == self.new:
            raise StaleError(f"{LIST.name}: {self.name}: `new` is `old`.")
        is_table = self.file.endswith(".toml")
        try:
            if is_table:
                tomllib.loads(changed)
            else:
                compile(changed, self.file, "exec")
        except (SyntaxError, tomllib.TOMLDecodeError) as error:
            language = "TOML" if is_table else "Python"
            raise StaleError(f"{LIST.name}: {self.name}: no {language} any more: {error}") from None
        if missing := [test for test in self.tests if not _is_there(root, test)]:
            raise StaleError(f"{LIST.name}: {self.name}: no such test: {', '.join(missing)}.")
        if not self.tests:
            raise StaleError(f"{LIST.name}: {self.name}: names no tests.")


def _is_there(root: Path, test: str) -> bool:
    path, _, name = test.partition("::")
    file = root / path
    return file.is_file() and f"def {name}" in file.read_text(encoding="utf-8")


def read_mutations(path: Path = LIST) -> tuple[Mutation, ...]:
    """The mutations of a list, in its order."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return tuple(
        Mutation(name, **(entry | {"tests": tuple(entry["tests"])})) for name, entry in entries.items()
    )
