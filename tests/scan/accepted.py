"""The failed checks that are accepted, each with the reason, and what is wrong with them."""

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from tests.places import ROOT

FILE: Final = Path(__file__).with_name("accepted.toml")
_SHOWN: Final = FILE.relative_to(ROOT)


@dataclass(frozen=True)
class Accepted:
    """A check that may fail for resources that match one of the patterns, `<stack>/<address>`."""

    check: str
    resources: tuple[str, ...]
    reason: str


@dataclass(frozen=True, order=True)
class Failure:
    """A check that failed for a resource; `settings` says whose stack it is."""

    check: str
    stack: str
    address: str
    settings: str
    name: str

    def matches(self, check: str, pattern: str) -> bool:
        """Whether an accepted check is about this failure."""
        return self.check == check and fnmatchcase(f"{self.stack}/{self.address}", pattern)


def read_accepted(file: Path = FILE) -> tuple[Accepted, ...]:
    """Returns what the file accepts, in its order."""
    tables = tomllib.loads(file.read_text())["accepted"]
    return tuple(Accepted(each["check"], tuple(each["resources"]), each["reason"]) for each in tables)


def judge(failures: Collection[Failure], accepted: Collection[Accepted]) -> Iterator[str]:
    """Yields a line for each failure that has no reason, and for each reason that has no failure."""
    patterns = [(each.check, pattern) for each in accepted for pattern in each.resources]
    for failure in sorted(failures):
        if not any(failure.matches(*pattern) for pattern in patterns):
            yield (
                f"{failure.check} fails for {failure.stack}/{failure.address} ({failure.settings}): "
                f"{failure.name}. Fix it, or give the reason in {_SHOWN}."
            )
    for check, pattern in patterns:
        if not any(failure.matches(check, pattern) for failure in failures):
            yield f"{_SHOWN}: {check} does not fail for {pattern}. Remove it."
