"""Says what reverting the commit and applying again brings back, and what it does not.

What a deletion takes comes back as the table says for its type and for the values that the plan shows.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from review.flags.attributes import number
from review.flags.subject import hidden, values
from review.model import ABSENT, Action, Block, Flag, Plan, ResourceChange, Tree, is_nothing
from review.table import Table

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
"""Stands for a value of the resource in the text of a way."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a destroyed resource holds, or "", and how it comes back; no ways if that is not known.

    `values` are those of the `PLACEHOLDER`s in the texts of the ways.
    """

    stack: str
    address: str
    what: str
    ways: tuple[str, ...]
    values: Mapping[str, Tree] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a revert does, by the number of resources, and what it leaves undone.

    `moved`, `imported` and `forgotten` are addresses, `undone` titles of points.
    """

    updated: int = 0
    created: int = 0
    recreated: int = 0
    losses: tuple[Loss, ...] = ()
    moved: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    undone: tuple[str, ...] = ()

    @property
    def is_simple(self) -> bool:
        """Returns whether a revert brings back everything, as far as the plan shows."""
        return not (
            self.recreated or self.losses or self.moved or self.imported or self.forgotten or self.undone
        )


def recovery_of(stack: str, plan: Plan, flags: tuple[Flag, ...], table: Table) -> Recovery:
    """Returns what a revert of a plan brings back; `flags` are the points that it has."""
    changes = [change for change in plan.changes if not change.is_data]
    by_action = Counter(change.action for change in changes)
    gone = [change for change in changes if table.destroys(change)]
    # What is made or destroyed has no values that a revert brings back.
    others = {each.address for each in (*gone, *(one for one in changes if one.action is Action.CREATE))}
    titles = dict.fromkeys(flag.title for flag in flags if flag.address not in others)
    return Recovery(
        updated=by_action[Action.UPDATE],
        created=by_action[Action.CREATE],
        recreated=sum(change.deposed is None for change in gone),
        losses=tuple(loss for change in gone for loss in _losses(stack, change, table)),
        moved=tuple(each.address for each in changes if each.previous_address is not None),
        imported=tuple(each.address for each in changes if each.import_id is not ABSENT),
        forgotten=tuple(
            each.address for each in changes if each.action is Action.FORGET or each.keeps_former
        ),
        undone=tuple(title for title in titles if title in table.back),
    )


def _losses(stack: str, change: ResourceChange, table: Table) -> Iterator[Loss]:
    kind = table.types.get(change.type)
    deletion = kind.deleted if kind else None
    holds = deletion.text if deletion and deletion.kind == "holds" else ""
    if kind is None or not (holds or kind.back):
        return
    before = change.before if isinstance(change.before, dict) else {}
    open_ways = [
        way for way in kind.back if way.conditions and all(_holds(before, *each) for each in way.conditions)
    ]
    ways = open_ways or [way for way in kind.back if not way.conditions]
    named = {name for way in ways for name in PLACEHOLDER.findall(way.text)}
    shown = {name: before.get(name, ABSENT) for name in sorted(named)}
    yield Loss(stack, change.address, holds, tuple(way.text for way in ways), shown)


def _holds(before: Block, path: tuple[str, ...], state: str) -> bool:
    """Returns whether a condition is known to hold: an attribute that is not shown fulfils none."""
    found = [value for value in values(before, path) if not is_nothing(value) and not hidden(value)]
    match state:
        case "on":
            return any(value is True or value == "true" for value in found)
        case "off":
            return any(value is False or value == "false" for value in found)
        case "zero":
            return any(number(value) == 0 for value in found)
        case "nonzero":
            return any(number(value) for value in found)
        case _:
            return bool(found)
