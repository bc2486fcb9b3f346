"""Renders the points to look at first: the gravest first, equal ones as one, old and new values in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Final

from review.comparing.policies import holds, told
from review.marker import Marker
from review.model import ABSENT, Document, Flag, Masked, Special, Tree, is_nothing, natural
from review.rendering.budget import prefix, size
from review.rendering.history import Earlier, State, decoded, encoded
from review.rendering.markdown import (
    OPEN,
    address_code,
    code,
    first,
    folded,
    number,
    path_list,
    path_text,
    visible,
)
from review.rendering.values import INLINE, clipped, pair, plain, show
from review.rules import Ignore
from review.table import Table
from review.verdicts import Review

SYMBOLS: Final = ((80, "🔴"), (60, "🟠"), (40, "🟡"), (0, "⚪"))
"""The mark of a point by its weight."""

IGNORED: Final = 20
"""Addresses of a line about what a rule ignores."""

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
    state: State | None = None
    """How it compares with the earlier review; None without one."""

    @property
    def places(self) -> int:
        """Returns at how many addresses the point is."""
        return len(self.said)

    def _parts(self) -> tuple[str, str]:
        """Returns symbol and title, and the reason."""
        first = self.flags[0]
        symbol = next(symbol for least, symbol in SYMBOLS if first.weight >= least)
        title = first.shown_title if self.places == 1 else f"{number(self.places)} \u00d7 {first.shown_title}"
        reason = first.reason
        if first.forced_by:
            reason += f" Forced by {', '.join(map(code, first.forced_by))}."
        return f"{symbol} **{title}**{_marked(self.state)}", reason

    def text(self) -> str:
        """Renders the point with all its values and addresses."""
        head, reason = self._parts()
        told = {values for found in self.said.values() for values in found}
        if len(told) == 1:
            (values,) = told
            return f"{head} · {f'{values} · ' if values else ''}{folded([*self.said], ', ')}<br>{reason}"
        if self.places == 1:
            ((address, found),) = self.said.items()
            return f"{head} · {address}<br>{reason}<br>{folded(found, '<br>')}"
        lines = [f"{address}: {', '.join(filter(None, found))}" for address, found in self.said.items()]
        return f"{head}<br>{reason}<br>{folded(lines, '<br>')}"

    def shortened(self, room: int) -> tuple[str, int]:
        """Renders the point without values, with the addresses that fit in `room` bytes, and their number.

        There is one address at least.
        """
        head, reason = self._parts()
        fold = folded([""] * (self.places + 1), "") if self.places > OPEN + 1 else ""
        rest = f" and {number(self.places)} more"
        room -= size(f"{head} · <br>{reason}{fold}{rest}")
        shown = max(1, prefix((size(f"{address}, ") for address in self.said), room))
        more = f" and {number(self.places - shown)} more" if self.places > shown else ""
        return f"{head} · {folded([*islice(self.said, shown)], ', ')}{more}<br>{reason}", shown


@lru_cache(maxsize=1)
def points(review: Review) -> list[Point]:
    """Returns the points, the gravest first; flags with the same words are one."""
    merged: dict[tuple[object, ...], list[Flag]] = {}
    for each in review.stacks:
        for flag in each.flags:
            merged.setdefault((flag.concern, flag.title, flag.reason, flag.forced_by), []).append(flag)
    several = len(review.stacks) > 1
    table, earlier = review.rules.table, earlier_of(review)
    found = [_point(sorted(flags, key=_order), table, several, earlier) for flags in merged.values()]
    return sorted(found, key=lambda point: _order(point.flags[0]))


def _point(flags: Sequence[Flag], table: Table, with_stack: bool, earlier: Earlier | None) -> Point:
    states = [earlier.state(flag) for flag in flags] if earlier else []
    state = (states[0] if len(set(states)) == 1 else State.CHANGED) if states else None
    through: dict[tuple[str, str], dict[str, None]] = {}
    for flag in flags:
        through.setdefault((flag.stack, flag.principal), {})[address_code(flag.address)] = None
    said: dict[str, list[str]] = {}
    for index, flag in enumerate(flags):
        place = address_code(flag.address)
        if flag.principal:
            place = f"{address_code(flag.principal)} ({first([*through[flag.stack, flag.principal]], OPEN)})"
        place = f"{place} in {code(flag.stack)}" if with_stack else place
        values = _values(flag, table)
        if len(set(states)) > 1:
            values = f"{values}{_marked(states[index])}".strip()
        said.setdefault(place, []).append(values)
    return Point(tuple(flags), said, state)


def _marked(state: State | None) -> str:
    return f" ({state})" if state in (State.NEW, State.CHANGED) else ""


def earlier_of(review: Review) -> Earlier | None:
    """Returns the review that this one is compared with: that of another commit; None if it is not known."""
    previous = review.previous
    if previous is None or not review.commit:
        return None
    if previous.commit == review.commit:
        return decoded(previous.since, previous.earlier)
    return decoded(previous.commit, previous.points)


def marker_of(review: Review) -> Marker:
    """Returns the marker with the points of the review and of the one that it is compared with.

    Without a commit there is nothing to name a comparison by.
    """
    if not review.commit:
        return review.marker
    marker = replace(review.marker, points=encoded([point.flags for point in points(review)]))
    earlier, previous = earlier_of(review), review.previous
    if earlier is None or previous is None:
        return marker
    is_again = previous.commit == review.commit
    return replace(marker, since=earlier.commit, earlier=previous.earlier if is_again else previous.points)


@dataclass(frozen=True, slots=True)
class Since:
    """How many points are new, changed and gone since the review of a commit; `gone` None if not known."""

    commit: str
    new: int
    changed: int
    gone: int | None


def since(review: Review) -> Since | None:
    """Compares the points with those of the review before; None without one.

    A point of a stack that could not be planned now is not gone.
    """
    earlier = earlier_of(review)
    if earlier is None:
        return None
    states = [point.state for point in points(review)]
    is_whole = all(each.stack.plan and not each.stack.plan.errored for each in review.stacks)
    flags = [flag for each in review.stacks for flag in (*each.flags, *(one.flag for one in each.ignored))]
    gone = earlier.gone(flags) if is_whole else None
    return Since(earlier.commit, states.count(State.NEW), states.count(State.CHANGED), gone)


def ignored(review: Review) -> list[str]:
    """Returns a line for each rule and title that it ignores, with the rule's reason and last day."""
    found: dict[tuple[str, Ignore], dict[str, None]] = {}
    several = len(review.stacks) > 1
    for stack in review.stacks:
        for each in stack.ignored:
            place = address_code(each.flag.address)
            place = f"{place} in {code(each.flag.stack)}" if several else place
            found.setdefault((each.flag.shown_title, each.ignore), {})[place] = None
    return [
        f"**{title}** · {first([*places], IGNORED)}: {code(ignore.reason)}, until {ignore.until.isoformat()}"
        for (title, ignore), places in found.items()
    ]


def _order(flag: Flag) -> tuple[object, ...]:
    return (-flag.weight, flag.concern, flag.title, flag.stack, natural(flag.address), flag.path)


def _values(flag: Flag, table: Table) -> str:
    """Renders what changes, as `max tasks 6 → 3`; empty where there is nothing to compare."""
    before, after = (ABSENT if is_nothing(side) else told(side) for side in (flag.before, flag.after))
    last = flag.path[-1] if flag.path else ""
    name = table.names.get(last) or (path_list([flag.path]) if path_text(flag.path) else "")
    if before is ABSENT and after is ABSENT:
        return name
    unit = f" {table.units[last]}" if last in table.units else ""
    if ABSENT in (before, after):
        said = code(
            plain(_unquoted(after if before is ABSENT else before), LONG if flag.principal else INLINE)
        )
        gone = "" if before is ABSENT else "was "
        return f"{name} {gone}{said}{unit}".strip()
    old, new = _pair(before, after)
    if old == new or (_HASH.fullmatch(old) and _HASH.fullmatch(new)):
        return name
    return f"{name} {code(old)} → {code(new)}{unit}".strip()


def _pair(before: Tree, after: Tree) -> tuple[str, str]:
    """Returns two values as a person writes them, cut around what differs."""
    old, new = _unquoted(before), _unquoted(after)
    if isinstance(old, str) and isinstance(new, str):
        former, now = clipped(visible(old), visible(new), INLINE)
        return former or '""', now or '""'
    former, now = pair(old, new, INLINE)
    return _bare(former, old), _bare(now, new)


def _bare(text: str, value: Tree) -> str:
    """Returns a text without its quotes, of which a clipped one has one at most."""
    if not isinstance(value, str) or text == '""':
        return text
    return text.removeprefix('"').removesuffix('"')


def _unquoted(value: Tree) -> Tree:
    """Returns lists and objects as text without brackets and quotes, except with masked parts."""
    if isinstance(value, Document):
        return _unquoted(value.content)
    if isinstance(value, str | list | dict) and not holds(value, Masked, Special):
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
