"""Reads a user's own `review.toml`: rows of the table, ignored points, thresholds, a text for the comment.

The file has the keys of a table (`review.table`) and `text`, `quiet`, `fail_on`, `fail_weight` and
`[[ignore]]`.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final

from review.checks import TableError, check_keys, checked_flag, checked_weight
from review.model import ABSENT, Concern, Flag, Verdict
from review.table import Table, default_table, extended

NAME: Final = "review.toml"
"""The file that is looked for beside the plans."""

_KEYS: Final = frozenset(
    (
        "any",
        "back",
        "fail_on",
        "fail_weight",
        "ignore",
        "means",
        "names",
        "points",
        "quiet",
        "text",
        "types",
        "units",
    )
)
_IGNORE: Final = frozenset(("title", "address", "stack", "reason", "until"))


@dataclass(frozen=True, slots=True)
class Ignore:
    """A point that is not counted until a day, by title, address and stack; `*` stands for anything."""

    title: str
    address: str
    reason: str
    until: date
    stack: str = "*"

    def matches(self, flag: Flag) -> bool:
        """Returns whether it is about a flag."""
        is_titled = _fits(self.title, flag.title) or _fits(self.title, flag.shown_title)
        return is_titled and _fits(self.address, flag.address) and _fits(self.stack, flag.stack)


def _fits(pattern: str, text: str) -> bool:
    """Returns whether a text is a pattern's; brackets stand for themselves, as addresses have them."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A flag that a rule takes out of the verdict."""

    flag: Flag
    ignore: Ignore


@dataclass(frozen=True, slots=True)
class Rules:
    """What a team decides about its reviews.

    A review fails (exit status 4) if its verdict is `fail_on` or worse, or a point weighs `fail_weight` or
    more.
    """

    table: Table = field(default_factory=default_table)
    ignores: tuple[Ignore, ...] = ()
    expired: tuple[Ignore, ...] = ()
    fail_on: Verdict | None = None
    fail_weight: int | None = None
    text: str = ""
    quiet: bool = False
    """No new comment is made when nothing changes."""

    def split(self, flags: Iterable[Flag]) -> tuple[tuple[Flag, ...], tuple[Ignored, ...]]:
        """Returns the flags that count, and those that a rule ignores."""
        counted: list[Flag] = []
        ignored: list[Ignored] = []
        for flag in flags:
            rule = next((each for each in self.ignores if each.matches(flag)), None)
            if rule is None:
                counted.append(flag)
            else:
                ignored.append(Ignored(flag, rule))
        return tuple(counted), tuple(ignored)

    def expired_flags(self, stack: str) -> tuple[Flag, ...]:
        """Returns a flag for each ignore whose day has passed."""
        reason = "The rule no longer holds: remove it, or give it another day."
        return tuple(
            Flag(
                Concern.OTHER,
                stack,
                NAME,
                "Ignore rule expired",
                reason,
                ("ignore", each.title, each.address),
                each.until.isoformat(),
                ABSENT,
                weight=35,
            )
            for each in self.expired
        )


def find_rules(plans: Iterable[Path]) -> Path | None:
    """Returns the file of rules beside the plans, if there is one."""
    folders = dict.fromkeys(plan if plan.is_dir() else plan.absolute().parent for plan in plans)
    return next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)


def read_rules(path: Path, today: date) -> Rules:
    """Reads a file of rules as they are on a day. Raises TableError."""
    try:
        document = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path} is not TOML: {error}") from None
    for key in document:
        if key not in _KEYS:
            raise TableError(f"{path}: {key}: no such key; use {', '.join(sorted(_KEYS))}")
    table = extended(default_table(), document, str(path))
    listed = document.get("ignore", [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise TableError(f"{path}: ignore = {listed!r}: write each one as [[ignore]]")
    text, weight = document.get("text", ""), document.get("fail_weight")
    if not isinstance(text, str):
        raise TableError(f"{path}: text = {text!r}: must be a text")
    ignores = [_ignore(each, f"{path}: ignore[{place}]") for place, each in enumerate(listed)]
    return Rules(
        table,
        tuple(each for each in ignores if each.until >= today),
        tuple(each for each in ignores if each.until < today),
        _verdict(document.get("fail_on"), path),
        None if weight is None else checked_weight(weight, f"{path}: fail_weight"),
        text,
        checked_flag(document.get("quiet", False), f"{path}: quiet"),
    )


def _ignore(said: Mapping[str, Any], place: str) -> Ignore:
    check_keys(said, _IGNORE, place)
    for key in ("title", "reason"):
        if not isinstance(said.get(key), str) or not said[key].strip():
            raise TableError(f"{place}.{key} is missing: say which point, and why it is ignored")
    for key in ("address", "stack"):
        if not isinstance(said.get(key, "*"), str):
            raise TableError(f"{place}.{key} = {said[key]!r}: must be a text; `*` stands for anything")
    until = said.get("until")
    if type(until) is not date:
        raise TableError(f"{place}.until = {until!r}: give the last day, such as 2027-06-30")
    return Ignore(said["title"], said.get("address", "*"), said["reason"], until, said.get("stack", "*"))


def _verdict(said: object, path: Path) -> Verdict | None:
    if said is None:
        return None
    if not isinstance(said, str) or said not in Verdict.__members__:
        raise TableError(f"{path}: fail_on = {said!r}: use one of {', '.join(Verdict.__members__)}")
    return Verdict[said]
