"""Renders the head of a comment, which is shortened last: verdict, table, flags."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, fields
from typing import Final

from review.model import ABSENT, Action, Concern, Flag, ResourceChange, Stack, Verdict
from review.rendering.markdown import cell, code, counted, number, path_list, path_text
from review.rendering.values import INLINE, clip, pair
from review.rendering.wording import SYMBOLS
from review.verdicts import REVISIONS, Counts, Review, StackReview, is_destructive

COLUMNS: Final = {
    "replace": "replace",
    "delete": "delete",
    "unrecognised": "unrecognised",
    "update": "update",
    "create": "create",
    "revisions": "new revision",
    "forget": "forget",
    "imports": "import",
    "moves": "move",
    "read": "read",
    "outputs": "outputs",
    "failed_checks": "failed checks",
    "deferred": "deferred",
    "actions": "actions",
    "drift": "drift",
}
"""The counts that have a column in the table, in its order."""

_PROBLEM = 140
_ENVIRONMENTS = 6
_ACTIONS = 6
_WAITS = 6
_SHORT = 12


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns, which of them are numbers, and its rows; everything is Markdown."""

    columns: tuple[str, ...]
    numeric: frozenset[str]
    rows: tuple[tuple[str, ...], ...]


def environments(review: Review) -> list[str]:
    """Returns the environments of the plans, or their number."""
    names = sorted({each.stack.environment for each in review.stacks})
    if len(names) > _ENVIRONMENTS:
        return [counted(len(names), "environment")]
    return [code(name) for name in names]


def facts(review: Review) -> list[str]:
    """Returns commit, run and, for a single plan, its SHA-256."""
    found = []
    if review.commit:
        found.append(f"commit {code(review.commit[:_SHORT])}")
    if review.run_url:
        found.append(f"[run]({review.run_url})")
    if len(review.plans) == 1:
        found.append(f"plan SHA-256 {code(review.plans[0].sha256)}")
    return found


def hashes(review: Review) -> list[tuple[str, str]]:
    """Returns each stack's name and the SHA-256 of its plan, if there are several."""
    found = [
        (code(each.stack.name), code(each.stack.plan.sha256)) for each in review.stacks if each.stack.plan
    ]
    return found if len(found) > 1 else []


def sentence(review: Review, points: int) -> str:
    """Says what the verdict means for these plans, and how many points there are to look at."""
    return " ".join(_sentences(review, points))


def _sentences(review: Review, points: int) -> Iterable[str]:
    counts = review.counts
    if errored := [each for each in review.stacks if each.verdict is Verdict.ERRORED]:
        yield (
            f"**{counted(len(errored), 'plan')} of {number(len(review.stacks))} failed or cannot be read:** "
            "what would change there is not known."
        )
    if waiting := [each.stack for each in review.stacks if each.verdict is Verdict.WAITS]:
        yield f"**{_waits(waiting)}** Apply that first, then review again."
    if missing := sum(each.stack.missing for each in review.stacks):
        yield f"**{counted(missing, 'plan')} {_is(missing)} missing.**"
    if counts.deferred:
        yield f"{counted(counts.deferred, 'change')} {_is(counts.deferred)} put off to a later plan."
    elif any(
        each.verdict is Verdict.INCOMPLETE and each.stack.plan and not each.stack.plan.complete
        for each in review.stacks
    ):
        yield (
            "Terraform says that a plan is incomplete: it is of a part only (`-target`), or another one is "
            "needed after it."
        )
    yield from _destroyed(review)
    if review.verdict is Verdict.NO_CHANGES:
        yield "Nothing would be created, changed, moved, imported or destroyed."
        return
    if review.verdict is Verdict.SAFE:
        yield f"Nothing is destroyed{_kept(review)}, and nothing else needs a closer look."
        return
    if review.verdict is Verdict.REVIEW:
        yield f"Nothing is destroyed{_kept(review)}."
    if counts.actions:
        yield f"{counted(counts.actions, 'action')} {_is(counts.actions)} invoked: {_actions(review)}."
    if points:
        yield f"**{counted(points, 'point')} to look at first.**"
    if counts.failed_checks:
        yield f"{counted(counts.failed_checks, 'check')} failed."
    if counts.drift:
        yield f"{counted(counts.drift, 'resource')} changed outside of Terraform."


def _waits(stacks: list[Stack]) -> str:
    """Says which stacks wait for which others, or how many do."""
    if len(stacks) > _WAITS:
        return f"{counted(len(stacks), 'stack')} wait for others."
    told = [f"{code(each.name)} waits for {', '.join(code(w.stack) for w in each.waits)}" for each in stacks]
    return f"{'; '.join(told)}."


def _kept(review: Review) -> str:
    """Says what looks destroyed and is not: revisions, and previous objects that stay."""
    changes = [change for plan in review.plans for change in plan.changes]
    gone = sum(change.action is Action.DELETE and change.type in REVISIONS for change in changes)
    kept = sum(change.keeps_former and change.type not in REVISIONS for change in changes)
    holds = "holds" if gone == 1 else "hold"
    found = f" but {counted(gone, 'revision')}, which {holds} no data" if gone else ""
    told = []
    if made := review.counts.revisions:
        told.append(f"{counted(made, 'new revision')} {'loses' if made == 1 else 'lose'} nothing")
    if kept:
        stays = "stays" if kept == 1 else "stay"
        told.append(f"{counted(kept, 'former object')} {stays} in the account, no longer managed")
    return f"{found} ({'; '.join(told)})" if told else found


def _actions(review: Review) -> str:
    """Lists the addresses of the actions that an apply invokes, or the first of them."""
    found = [each.address for plan in review.plans for each in plan.actions]
    more = f" and {number(len(found) - _ACTIONS)} more" if len(found) > _ACTIONS else ""
    return f"{', '.join(map(code, found[:_ACTIONS]))}{more}"


def _destroyed(review: Review) -> Iterable[str]:
    grave = [
        (each, change)
        for each in review.stacks
        if each.stack.plan
        for change in each.stack.plan.changes
        if is_destructive(change)
    ]
    removed = sum(output.action is Action.DELETE for plan in review.plans for output in plan.outputs)
    if grave:
        replaced = sum(change.action is Action.REPLACE for _, change in grave)
        deleted = len(grave) - replaced
        told = [f"{counted(replaced, 'resource')} {_is(replaced)} replaced"] if replaced else []
        if deleted:
            noun = "" if replaced else " resource" if deleted == 1 else " resources"
            told.append(f"{number(deleted)}{noun} {_is(deleted)} deleted")
        yield f"**{' and '.join(told)}{_data(review, grave)}.**"
    if removed:
        yield f"{counted(removed, 'output')} {_is(removed)} removed."


def _data(review: Review, grave: list[tuple[StackReview, ResourceChange]]) -> str:
    """Says how many of the destroyed resources hold data, judging by the flags."""
    flagged = {
        (flag.stack, flag.address)
        for each in review.stacks
        for flag in each.flags
        if flag.concern is Concern.DATA_LOSS
    }
    holding = sum((each.stack.name, change.address) in flagged for each, change in grave)
    if not holding:
        return ""
    if len(grave) == 1:
        return ", and it holds data"
    return f"; {number(holding)} of them {'holds' if holding == 1 else 'hold'} data"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def table(review: Review) -> Table:
    """Returns stacks and their counts, without columns that are zero throughout."""
    used = [
        each.name for each in fields(Counts) if each.name in COLUMNS and getattr(review.counts, each.name)
    ]
    used.sort(key=list(COLUMNS).index)
    numbers = [COLUMNS[name] for name in used]
    several = len(review.plans) > 1
    columns = (
        "environment",
        "stack",
        "verdict",
        *numbers,
        *(("plan",) if several or len(review.plans) < len(review.stacks) else ()),
    )
    rows = tuple(_row(each, used, columns, short=several) for each in review.stacks)
    return Table(columns, frozenset(numbers), rows)


def _row(review: StackReview, used: list[str], columns: tuple[str, ...], *, short: bool) -> tuple[str, ...]:
    stack = review.stack
    counts = (getattr(review.counts, name) for name in used)
    numbers = ("" if stack.plan is None else number(count) if count else "·" for count in counts)
    verdict = f"{SYMBOLS[review.verdict]} {review.verdict.words}"
    row = (cell(stack.environment), cell(stack.name), verdict, *numbers)
    if "plan" not in columns:
        return row
    if stack.plan is not None:
        return (*row, cell(stack.plan.sha256[:_SHORT]) if short else "")
    if stack.missing:
        return (*row, "missing: no plan was given")
    if review.verdict is Verdict.WAITS:
        return (*row, f"waits for {', '.join(cell(wait.stack) for wait in stack.waits)}")
    return (*row, cell(clip(stack.problem or _first_error(stack.errors), 0, _PROBLEM)))


def _first_error(errors: str) -> str:
    lines = [line.strip(" \t╷│╵|") for line in errors.splitlines()]
    return next((line for line in lines if line.startswith("Error")), "planning failed")


@dataclass(frozen=True, slots=True)
class Point:
    """One or more flags that are shown as one."""

    flags: tuple[Flag, ...]

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Returns stacks and addresses, each once."""
        return tuple(dict.fromkeys((flag.stack, flag.address) for flag in self.flags))

    def text(self, *, with_values: bool, most: int) -> str:
        """Renders the point with at most `most` addresses and the number of the others."""
        flag = self.flags[0]
        text = f"**{_title(flag)}** · {_places(self.places, most)}<br>{flag.reason}"
        if flag.forced_by and all(each.forced_by == flag.forced_by for each in self.flags):
            text += f" Forced by {', '.join(map(code, flag.forced_by))}."
        if not with_values or (flag.before is ABSENT and flag.after is ABSENT):
            return text
        before, after = pair(flag.before, flag.after, INLINE)
        if flag.before is ABSENT:
            values = f"now {code(after)}"
        elif flag.after is ABSENT:
            values = f"was {code(before)}"
        else:
            values = f"{code(before)} → {code(after)}"
        paths = dict.fromkeys(each.path for each in self.flags if path_text(each.path))
        return f"{text}<br>{path_list(paths)}{': ' if paths else ''}{values}"


def points(review: Review) -> list[Point]:
    """Returns the points by concern, then by stack; only addresses differ within one.

    Rules that cannot be judged are one point even if names and stacks differ.
    """
    return _merged(review, _all_but_address)


def points_without_values(review: Review) -> list[Point]:
    """Returns one point for each stack, title, reason and cause, for use without values."""
    return _merged(review, lambda flag: (flag.stack, flag.title, flag.reason, flag.forced_by))


def points_without_stacks(review: Review) -> list[Point]:
    """Returns one point for each title and reason: the fewest that keep every kind of flag."""
    return _merged(review, lambda flag: (flag.title, flag.reason))


def _all_but_address(flag: Flag) -> Hashable:
    before, after = pair(flag.before, flag.after, INLINE)
    common = (flag.title, flag.reason, before, after, flag.before is ABSENT, flag.after is ABSENT)
    return common if flag.concern is Concern.UNKNOWN else (*common, flag.stack, flag.path, flag.forced_by)


def _merged(review: Review, key: Callable[[Flag], Hashable]) -> list[Point]:
    flags = sorted((flag for each in review.stacks for flag in each.flags), key=lambda flag: flag.concern)
    merged: dict[Hashable, list[Flag]] = {}
    for flag in flags:
        merged.setdefault((flag.concern, key(flag)), []).append(flag)
    return [Point(tuple(each)) for each in merged.values()]


def _title(flag: Flag) -> str:
    """Returns the title; that of a rule which cannot be judged as a question."""
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
