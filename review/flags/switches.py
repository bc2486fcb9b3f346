"""Flags attributes that change from a good to a bad state."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from review.flags.subject import Subject, hidden, values
from review.model import ABSENT, Concern, Flag, Tree, is_nothing


@dataclass(frozen=True, slots=True)
class Switch:
    """An attribute, by its path with dots, and when it is bad.

    `types` are the resource types that it is about; none are all that have such an attribute.
    `when_new` says whether it is worth a word in a creation too; there only a value that is
    written down counts, not one that is left out or unknown. `unless_unknown`: what is unknown is
    something, and only nothing would be bad.
    """

    path: str
    bad: Callable[[Tree], bool]
    title: str
    reason: str
    types: frozenset[str] = frozenset()
    when_new: bool = False
    unless_unknown: bool = False


def on(value: Tree) -> bool:
    """Returns whether it is turned on."""
    return value is True or value == "true"


def off(value: Tree) -> bool:
    """Returns whether it is turned off, or absent."""
    return value is False or value == "false" or is_nothing(value)


def nothing(value: Tree) -> bool:
    """Returns whether nothing is set."""
    return is_nothing(value)


def zero(value: Tree) -> bool:
    """Returns whether the number is 0, or absent."""
    return is_nothing(value) or (value in (0, "0") and value is not False)


def one_of(*words: str) -> Callable[[Tree], bool]:
    """Builds a test for one of some words."""
    lower = frozenset(word.lower() for word in words)
    return lambda value: isinstance(value, str) and value.lower() in lower


def has(word: str) -> Callable[[Tree], bool]:
    """Builds a test for a list, or a single value, with a word."""
    return lambda value: word in value if isinstance(value, list) else value == word


def none_of(*words: str) -> Callable[[Tree], bool]:
    """Builds a test for anything except the good words; absent is bad."""
    lower = frozenset(word.lower() for word in words)

    def bad(value: Tree) -> bool:
        word = "true" if value is True else value
        return not (isinstance(word, str) and word.lower() in lower)

    return bad


Table = dict[str, list[Switch]]
"""Switches by the attribute in which they are."""


def by_attribute(*switches: Switch) -> Table:
    """Builds a table of switches by attribute."""
    table: Table = {}
    for switch in switches:
        table.setdefault(switch.path.partition(".")[0], []).append(switch)
    return table


def switched(subject: Subject, table: Table, concern: Concern) -> Iterator[Flag]:
    """Flags all switches of a change that went from good to bad, or to unknown."""
    if not subject.stays:
        return
    for key in table.keys() & (subject.before.keys() | subject.after.keys()):
        for switch in table[key]:
            if switch.types and subject.change.type not in switch.types:
                continue
            if subject.is_new:
                yield from _when_new(subject, switch, concern)
            else:
                yield from _when_changed(subject, switch, concern)


def _when_new(subject: Subject, switch: Switch, concern: Concern) -> Iterator[Flag]:
    if not switch.when_new:
        return
    path = tuple(switch.path.split("."))
    for value in values(subject.after, path):
        if not hidden(value) and not is_nothing(value) and switch.bad(value):
            yield subject.flag(concern, switch.title, switch.reason, path, ABSENT, value)
            return


def _when_changed(subject: Subject, switch: Switch, concern: Concern) -> Iterator[Flag]:
    path = tuple(switch.path.split("."))
    before, after = values(subject.before, path), values(subject.after, path)
    if before == after:
        return
    if any(hidden(value) for value in after):
        value = next(value for value in after if hidden(value))
        if not switch.unless_unknown and not all(switch.bad(former) for former in before):
            yield subject.unknown(switch.title, path, before[0], value)
        return
    bad = [value for value in after if switch.bad(value)]
    if len(bad) > sum(not hidden(value) and switch.bad(value) for value in before):
        former = next((value for value in before if not switch.bad(value)), ABSENT)
        yield subject.flag(concern, switch.title, switch.reason, path, former, bad[0])
