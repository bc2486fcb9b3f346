"""The flags as the points of a comment: what is the same about several resources is told once."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Final

from review.lines import path_list
from review.markdown import code, number, path_text
from review.model import Concern, Flag
from review.report import Review
from review.trees import ABSENT
from review.values import pair

_VALUE: Final = 160
"""Characters of a value."""


@dataclass(frozen=True, slots=True)
class Point:
    """Flags that are told as one; there is at least one."""

    flags: tuple[Flag, ...]

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Stacks and addresses, each once."""
        return tuple(dict.fromkeys((flag.stack, flag.address) for flag in self.flags))

    def text(self, *, with_values: bool, most: int) -> str:
        """The point as Markdown, with at most so many addresses and the number of the others."""
        flag = self.flags[0]
        text = f"**{_title(flag)}** · {_places(self.places, most)}<br>{flag.reason}"
        if flag.forced_by and all(each.forced_by == flag.forced_by for each in self.flags):
            text += f" Forced by {', '.join(map(code, flag.forced_by))}."
        if not with_values or (flag.before is ABSENT and flag.after is ABSENT):
            return text
        before, after = pair(flag.before, flag.after, _VALUE)
        if flag.before is ABSENT:
            values = f"now {code(after)}"
        elif flag.after is ABSENT:
            values = f"was {code(before)}"
        else:
            values = f"{code(before)} → {code(after)}"
        paths = dict.fromkeys(each.path for each in self.flags if path_text(each.path))
        return f"{text}<br>{path_list(paths)}{': ' if paths else ''}{values}"


def points(review: Review) -> list[Point]:
    """The points by concern and then by stack; only addresses differ within one.

    What cannot be judged is one point even when names and stacks differ.
    """
    return _merged(review, _all_but_address)


def points_without_values(review: Review) -> list[Point]:
    """One point for each stack, title, reason and cause: for when the values are not shown."""
    return _merged(review, lambda flag: (flag.stack, flag.title, flag.reason, flag.forced_by))


def points_without_stacks(review: Review) -> list[Point]:
    """One point for each title and reason: the fewest that leave no kind of flag out."""
    return _merged(review, lambda flag: (flag.title, flag.reason))


def _all_but_address(flag: Flag) -> Hashable:
    before, after = pair(flag.before, flag.after, _VALUE)
    common = (flag.title, flag.reason, before, after, flag.before is ABSENT, flag.after is ABSENT)
    return common if flag.concern is Concern.UNKNOWN else (*common, flag.stack, flag.path, flag.forced_by)


def _merged(review: Review, key: Callable[[Flag], Hashable]) -> list[Point]:
    flags = sorted((flag for each in review.stacks for flag in each.flags), key=lambda flag: flag.concern)
    merged: dict[Hashable, list[Flag]] = {}
    for flag in flags:
        merged.setdefault((flag.concern, key(flag)), []).append(flag)
    return [Point(tuple(each)) for each in merged.values()]


def _title(flag: Flag) -> str:
    """The title; of a rule that cannot be judged, as a question."""
    if flag.concern is not Concern.UNKNOWN or flag.title.endswith("not known"):
        return flag.title
    return f"Not known: {flag.title}?"


def _places(places: Iterable[tuple[str, str]], most: int) -> str:
    found = list(places)
    by_stack: dict[str, list[str]] = {}
    for stack, address in found[:most]:
        by_stack.setdefault(stack, []).append(code(address))
    more = f" and {number(len(found) - most)} more" if len(found) > most else ""
    if len({stack for stack, _ in found}) == 1:
        return f"{', '.join(by_stack[found[0][0]])}{more} in {code(found[0][0])}"
    return "; ".join(f"{', '.join(each)} in {code(stack)}" for stack, each in by_stack.items()) + more
