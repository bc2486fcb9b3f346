"""Renders the points to look at first: the gravest first, equal ones as one, old and new values in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Final

from review.comparing.policies import told
from review.model import ABSENT, Concern, Document, Flag, Masked, Special, Tree, is_nothing, natural
from review.rendering.budget import prefix, size
from review.rendering.markdown import code, number, path_list, path_text, visible
from review.rendering.values import INLINE, clip, pair, show
from review.table import Table
from review.verdicts import Review

SYMBOLS: Final = ((80, "🔴"), (60, "🟠"), (40, "🟡"), (0, "⚪"))
"""The mark of a point by its weight."""

OPEN: Final = 3
"""Places of a point that are not folded."""

LONG: Final = 500
"""Characters of what somebody may do."""

_HASH: Final = re.compile(
    r"@?(?:sha256:)?\b(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{64}|[A-Za-z0-9+/]{43}=)(?![0-9A-Za-z])"
)
"""A hash in a value: nobody can compare two of them."""


@dataclass(frozen=True, slots=True)
class Point:
    """One or more flags that are shown as one, the gravest first."""

    flags: tuple[Flag, ...]
    said: Mapping[str, Sequence[str]]
    """What changes by address, in Markdown."""

    @property
    def places(self) -> int:
        """Returns at how many addresses the point is."""
        return len(self.said)

    def _parts(self) -> tuple[str, str]:
        """Returns symbol and title, and the reason."""
        first = self.flags[0]
        symbol = next(symbol for least, symbol in SYMBOLS if first.weight >= least)
        title = _title(first) if self.places == 1 else f"{number(self.places)} \u00d7 {_title(first)}"
        reason = first.reason
        if first.forced_by:
            reason += f" Forced by {', '.join(map(code, first.forced_by))}."
        return f"{symbol} **{title}**", reason

    def text(self) -> str:
        """Renders the point with all its values and addresses."""
        head, reason = self._parts()
        told = {values for found in self.said.values() for values in found}
        if len(told) == 1:
            (values,) = told
            return f"{head} · {f'{values} · ' if values else ''}{_folded([*self.said], ', ')}<br>{reason}"
        if self.places == 1:
            ((address, found),) = self.said.items()
            return f"{head} · {address}<br>{reason}<br>{_folded(found, '<br>')}"
        lines = [f"{address}: {', '.join(filter(None, found))}" for address, found in self.said.items()]
        return f"{head}<br>{reason}<br>{_folded(lines, '<br>')}"

    def shortened(self, room: int) -> tuple[str, int]:
        """Renders the point without values, with the addresses that fit in `room` bytes, and their number.

        There is one address at least.
        """
        head, reason = self._parts()
        rest = f" and {number(self.places)} more"
        room -= size(f"{head} · <br>{reason}") + len(rest)
        shown = max(1, prefix((size(f"{address}, ") for address in self.said), room))
        more = f" and {number(self.places - shown)} more" if self.places > shown else ""
        return f"{head} · {', '.join(islice(self.said, shown))}{more}<br>{reason}", shown


@lru_cache(maxsize=1)
def points(review: Review) -> list[Point]:
    """Returns the points, the gravest first; flags with the same words are one."""
    merged: dict[tuple[object, ...], list[Flag]] = {}
    for each in review.stacks:
        for flag in each.flags:
            merged.setdefault((flag.concern, flag.title, flag.reason, flag.forced_by), []).append(flag)
    several = len(review.stacks) > 1
    found = [_point(sorted(flags, key=_order), review.rules.table, several) for flags in merged.values()]
    return sorted(found, key=lambda point: _order(point.flags[0]))


def _point(flags: Sequence[Flag], table: Table, with_stack: bool) -> Point:
    through: dict[tuple[str, str], dict[str, None]] = {}
    for flag in flags:
        through.setdefault((flag.stack, flag.principal), {})[code(flag.address)] = None
    said: dict[str, list[str]] = {}
    for flag in flags:
        place = code(flag.address)
        if flag.principal:
            place = f"{code(flag.principal)} ({_first([*through[flag.stack, flag.principal]])})"
        place = f"{place} in {code(flag.stack)}" if with_stack else place
        said.setdefault(place, []).append(_values(flag, table))
    return Point(tuple(flags), said)


def _first(addresses: Sequence[str]) -> str:
    """Returns the addresses of a principal's policies, or the first of many."""
    more = len(addresses) - OPEN
    return f"{', '.join(addresses[:OPEN])}{f' and {number(more)} more' if more > 0 else ''}"


def ignored(review: Review) -> list[str]:
    """Returns a line for each flag that a rule ignores, with the rule's reason and last day."""
    return [
        f"**{_title(each.flag)}** · {code(each.flag.address)}: {code(each.ignore.reason)}, "
        f"until {each.ignore.until.isoformat()}"
        for stack in review.stacks
        for each in stack.ignored
    ]


def _order(flag: Flag) -> tuple[object, ...]:
    return (-flag.weight, flag.concern, flag.title, flag.stack, natural(flag.address), flag.path)


def _folded(found: Sequence[str], between: str) -> str:
    if len(found) <= OPEN + 1:
        return between.join(found)
    rest = between.join(found[OPEN:])
    return (
        f"{between.join(found[:OPEN])}{between}"
        f"<details><summary>{number(len(found) - OPEN)} more</summary>{rest}</details>"
    )


def _title(flag: Flag) -> str:
    """Returns the title; that of a rule which cannot be judged as a question."""
    if flag.concern is not Concern.UNKNOWN or flag.title.endswith("not known"):
        return flag.title
    return f"Not known: {flag.title}?"


def _values(flag: Flag, table: Table) -> str:
    """Renders what changes, as `max tasks 6 → 3`; empty where there is nothing to compare."""
    before, after = (ABSENT if is_nothing(side) else told(side) for side in (flag.before, flag.after))
    last = flag.path[-1] if flag.path else ""
    name = table.names.get(last) or (path_list([flag.path]) if path_text(flag.path) else "")
    if before is ABSENT and after is ABSENT:
        return name
    unit = f" {table.units[last]}" if last in table.units else ""
    if ABSENT in (before, after):
        said = code(_words(after if before is ABSENT else before, LONG if flag.principal else INLINE))
        gone = "" if before is ABSENT else "was "
        return f"{name} {gone}{said}{unit}".strip()
    old, new = _pair(before, after)
    if old == new or (_HASH.fullmatch(old) and _HASH.fullmatch(new)):
        return name
    return f"{name} {code(old)} → {code(new)}{unit}".strip()


def _pair(before: Tree, after: Tree) -> tuple[str, str]:
    """Returns two values as a person writes them, cut around what differs."""
    old, new = _plain(before), _plain(after)
    former, now = pair(old, new, INLINE)
    return _bare(former, old), _bare(now, new)


def _words(value: Tree, limit: int) -> str:
    plain = _plain(value)
    return clip(visible(plain), 0, limit) if isinstance(plain, str) else show(plain, limit)


def _bare(text: str, value: Tree) -> str:
    """Returns a text without its quotes, of which a clipped one has one at most."""
    if not isinstance(value, str) or text == '""':
        return text
    return text.removeprefix('"').removesuffix('"')


def _plain(value: Tree) -> Tree:
    """Returns lists and objects as text without brackets and quotes, except with masked parts."""
    if isinstance(value, Document):
        return _plain(value.content)
    if isinstance(value, str | list | dict) and not _holds_marks(value):
        return _text(value)
    return value


def _text(value: Tree) -> str:
    match value:
        case Document():
            return _text(value.content)
        case dict():
            return ", ".join(
                f"{key} {_text(each)}" for key, each in value.items() if each not in (None, "", [], {})
            )
        case list():
            return ", ".join(map(_text, value))
        case str():
            return _HASH.sub("…", value)
        case _:
            return show(value)


def _holds_marks(value: Tree) -> bool:
    match value:
        case dict():
            return any(map(_holds_marks, value.values()))
        case list():
            return any(map(_holds_marks, value))
        case Document():
            return _holds_marks(value.content)
        case _:
            return isinstance(value, Masked | Special)
