"""Builds the parts of a stack's section in order: errors, groups, outputs, checks and so on."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from review.model import Action, Plan, ResourceChange, Stack
from review.rendering import entries
from review.rendering.budget import Entry, Shown, Tier
from review.rendering.grouping import group_of, groups_of
from review.rendering.markdown import code, counted, number
from review.rendering.wording import NOUNS, REMARKS, TITLES, revision_nouns
from review.table import Table
from review.verdicts import is_revision


class Rank(IntEnum):
    """What a block is about, the most important first; the last ones make room first."""

    ERRORS = 0
    WAITS = 1
    REPLACE = 2
    DELETE = 3
    UNRECOGNISED = 4
    CHECKS = 5
    DEFERRED = 6
    ACTIONS = 7
    COMMANDS = 8
    FORGET = 9
    UPDATE = 10
    REVISION = 11
    OUTPUTS = 12
    CREATE = 13
    IMPORT = 14
    MOVE = 15
    DRIFT = 16
    READ = 17
    NOTES = 18

    @property
    def tier(self) -> Tier:
        """Returns FIRST up to the commands: a reviewer needs all of these."""
        return Tier.FIRST if self <= Rank.COMMANDS else Tier.SECOND


_LISTS: Final = {
    Rank.OUTPUTS: ("Outputs", "output", "values"),
    Rank.CHECKS: ("Failed checks", "failed check", "text"),
    Rank.DEFERRED: ("Put off to a later plan", "deferred change", "text"),
    Rank.ACTIONS: ("Actions to invoke", "action", "text"),
    Rank.COMMANDS: ("Commands run by the apply", "command", "text"),
    Rank.DRIFT: ("Drift: changed outside of Terraform", "drifted resource", "differences"),
}
"""Title, noun and what may be left out of the lists of a plan that are not groups of changes."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fold with a title and entries. `nouns` (one, many) and `details` name what may be left out."""

    rank: Rank
    title: str
    is_open: bool
    nouns: tuple[str, str]
    details: str
    entries: tuple[Entry, ...]

    def body(self, shown: Shown) -> str:
        """Returns the entries that are shown, as Markdown."""
        return "".join(
            entry.detailed if position < shown.detailed else entry.listed
            for position, entry in enumerate(self.entries[: shown.listed])
        ).lstrip("\n")

    def rest(self, shown: Shown) -> str:
        """Returns a line that counts what is not listed; empty if all is."""
        left = self.entries[shown.listed :]
        count = _weight(left)
        if not count:
            return ""
        types = Counter(entry.type for entry in left if entry.type and entry.weight)
        told = ", ".join(f"{number(types[each])} {code(each)}" for each in sorted(types))
        colon = f": {told}" if told else ""
        return f"\n{number(count)} not listed here{colon}\n"


def blocks_of(stack: Stack, table: Table) -> Iterator[Block]:
    """Yields all there is to show of a stack below the table and the flags."""
    if stack.errors or stack.problem:
        errors = entries.error_entries(stack)
        yield Block(Rank.ERRORS, "What is wrong", True, ("error", "errors"), "text", errors)
    if stack.waits:
        waits = tuple(map(entries.wait_entry, stack.waits))
        yield _counted(
            Rank.WAITS, "To apply first", ("stack to apply first", "stacks to apply first"), "text", waits
        )
    if stack.plan is not None:
        yield from _plan_blocks(stack.plan, table)
    if stack.notes:
        notes = tuple(map(entries.note_entry, stack.notes))
        yield _counted(Rank.NOTES, "Notes on the input", ("note", "notes"), "text", notes)


def _plan_blocks(plan: Plan, table: Table) -> Iterator[Block]:
    revisions = [change for change in plan.changes if is_revision(change, table)]
    for group in groups_of(change for change in plan.changes if not is_revision(change, table)):
        rank = Rank[group.action.name]
        details = "attributes" if group.action is Action.CREATE else "differences"
        found = entries.group_entries(group)
        yield _counted(
            rank, TITLES[group.action], NOUNS[group.action], details, found, REMARKS.get(group.action)
        )
    if revisions:
        found = entries.revision_entries(group_of(Action.REPLACE, revisions), table)
        nouns = revision_nouns({change.type for change in revisions})
        yield _counted(Rank.REVISION, nouns[0].capitalize(), nouns, "differences", found, "nothing is lost")
    lists = {
        Rank.OUTPUTS: map(entries.output_entry, plan.outputs),
        Rank.CHECKS: map(entries.check_entry, plan.failed_checks),
        Rank.DEFERRED: map(entries.deferred_entry, plan.deferred),
        Rank.ACTIONS: map(entries.invocation_entry, plan.actions),
        Rank.COMMANDS: map(entries.command_entry, plan.provisioners),
        Rank.DRIFT: _drift_entries(plan.drift),
    }
    for rank, listed in lists.items():
        if found := tuple(listed):
            title, noun, details = _LISTS[rank]
            yield _counted(rank, title, (noun, f"{noun}s"), details, found)


def _counted(
    rank: Rank,
    title: str,
    nouns: tuple[str, str],
    details: str,
    found: tuple[Entry, ...],
    remark: str | None = None,
) -> Block:
    """Builds a block with the number of its entries in the title, open if it is important."""
    count = number(_weight(found))
    remarks = f" · {remark}" if remark else ""
    return Block(rank, f"{title} ({count}){remarks}", rank.tier is Tier.FIRST, nouns, details, found)


def _drift_entries(drift: tuple[ResourceChange, ...]) -> tuple[Entry, ...]:
    actions = dict.fromkeys(change.action for change in drift)
    groups = [group_of(each, [change for change in drift if change.action is each]) for each in actions]
    return tuple(entry for group in groups for entry in entries.group_entries(group, entries.Of.DRIFT))


def other_drift(plan: Plan) -> str:
    """Returns a sentence on drift that the plan does not call relevant; empty without any."""
    if not plan.other_drift:
        return ""
    count = counted(plan.other_drift, "other resource")
    return f"{count} changed outside of Terraform; nothing in this plan depends on that."


def left_out(blocks: Sequence[Block], shown: Sequence[Shown]) -> list[str]:
    """Describes what is not listed, and which listed entries lack details, over all stacks."""
    return _phrases(
        (
            block,
            _weight(block.entries[each.listed :]),
            _weight(entry for entry in block.entries[each.detailed : each.listed] if entry.has_details),
        )
        for block, each in zip(blocks, shown, strict=True)
    )


def most_left_out(blocks: Sequence[Block]) -> list[str]:
    """Returns text at least as long as whatever `left_out` says of the blocks."""
    return _phrases((block, _weight(block.entries), _weight(block.entries)) for block in blocks)


def _weight(found: Iterable[Entry]) -> int:
    return sum(entry.weight for entry in found)


def _phrases(missing: Iterable[tuple[Block, int, int]]) -> list[str]:
    """Says how many entries of these blocks are not listed, and how many lack details."""
    counts: Counter[tuple[Rank, str, tuple[str, str]]] = Counter()
    for block, unlisted, without_details in missing:
        counts[block.rank, "all but the number of ", block.nouns] += unlisted
        counts[block.rank, f"the {block.details} of ", block.nouns] += without_details
    return [
        f"{words}{counted(count, *nouns)}" for (_, words, nouns), count in sorted(counts.items()) if count
    ]
