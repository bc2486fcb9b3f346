"""Renders the head of a comment, which is shortened last: verdict, table, what was not judged."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

from review.model import Action, Concern, ResourceChange, Stack, Verdict
from review.rendering.markdown import cell, code, counted, first, number, path_text
from review.rendering.points import since
from review.rendering.values import clip
from review.rendering.wording import SYMBOLS, revision_nouns
from review.verdicts import Counts, Review, StackReview, is_refused

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

MOST: Final = 50
"""Rows of the table when the points have to be shortened; the worst stacks come first. Of more stacks, those
without changes have no row."""

_PROBLEM = 140
_ENVIRONMENTS = 6
_ACTIONS = 6
_WAITS = 6
_SHORT = 12
_PATHS = 20
_SHORT_COMMIT = 7


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
    """Returns commit and run."""
    found = []
    if review.commit:
        found.append(f"commit {code(review.commit[:_SHORT])}")
    if review.run_url:
        found.append(f"[run]({review.run_url})")
    return found


def hashes(review: Review) -> list[str]:
    """Returns each stack's name with the SHA-256 of its plan, or the first and how many more there are."""
    found = [
        f"{code(each.stack.name)} {code(each.stack.plan.sha256)}" for each in review.stacks if each.stack.plan
    ]
    return [
        *found[:MOST],
        *([f"{number(len(found) - MOST)} more in the verdict file"] if len(found) > MOST else []),
    ]


def unchanged(review: Review) -> str:
    """Names the stacks without changes, or the first of them; empty if all change."""
    found = [code(each.stack.name) for each in review.stacks if each.verdict is Verdict.NO_CHANGES]
    return f"No changes: {first(found, MOST)}." if found else ""


def sentence(review: Review, points: int) -> str:
    """Says what the verdict means for these plans, and how many points there are to look at."""
    return " ".join(_sentences(review, points))


def _sentences(review: Review, points: int) -> Iterable[str]:
    counts = review.counts
    if errored := [each for each in review.stacks if each.verdict is Verdict.ERRORED]:
        all_plans = f"{number(len(errored))} of {counted(len(review.stacks), 'plan')}"
        yield (
            f"**{all_plans if len(review.stacks) > 1 else 'The plan'} failed or cannot be read:** "
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
        yield ("A plan is incomplete: it is of a part only (`-target`), or another one is needed after it.")
    if any(each.stack.plan and is_refused(each.stack.plan) for each in review.stacks):
        yield "A plan says that it cannot be applied (`applyable` is false), though it changes something."
    yield from _destroyed(review)
    if review.verdict is Verdict.NO_CHANGES:
        yield "Nothing would be created, changed, moved, imported or destroyed."
        return
    if review.verdict is Verdict.SAFE:
        yield f"Nothing is destroyed{_kept(review)}, and every changed attribute is known to be harmless."
        return
    if review.verdict in (Verdict.REVIEW, Verdict.UNJUDGED):
        yield f"Nothing is destroyed{_kept(review)}."
    if counts.actions:
        addresses = [code(each.address) for plan in review.plans for each in plan.actions]
        invoked = f"{counted(counts.actions, 'action')} {_is(counts.actions)} invoked"
        yield f"{invoked}: {first(addresses, _ACTIONS)}."
    if points:
        yield f"**{counted(points, 'point')} to look at first.**"
    if any(each.unjudged for each in review.stacks):
        yield _not_judged(review)
    if counts.failed_checks:
        yield f"{counted(counts.failed_checks, 'check')} failed."
    if counts.drift:
        yield f"{counted(counts.drift, 'resource')} changed outside of Terraform."


def since_sentence(review: Review) -> str:
    """Says how many points are new, changed and gone since the review before; empty without one."""
    found = since(review)
    if found is None:
        return ""
    counts = ((found.new, "new"), (found.changed, "changed"), (found.gone or 0, "gone"))
    told = ["no new points"]
    if shown := [each for each in counts if each[0]]:
        (count, word), *rest = shown
        nouns = ("point gone", "points gone") if word == "gone" else (f"{word} point", f"{word} points")
        told = [counted(count, *nouns), *(f"{number(count)} {word}" for count, word in rest)]
    unknown = "" if found.gone is not None else "; what is gone is not known, as not all could be planned"
    return f"Since the review of {code(found.commit[:_SHORT_COMMIT])}: {', '.join(told)}{unknown}."


def _waits(stacks: list[Stack]) -> str:
    """Says which stacks wait for which others, or how many do."""
    if len(stacks) > _WAITS:
        return f"{counted(len(stacks), 'stack')} wait for others."
    told = [f"{code(each.name)} waits for {', '.join(code(w.stack) for w in each.waits)}" for each in stacks]
    return f"{'; '.join(told)}."


def _kept(review: Review) -> str:
    """Says what looks destroyed and is not: revisions, and previous objects that stay."""
    changes = [change for plan in review.plans for change in plan.changes]
    is_revision = review.rules.table.is_revision
    gone = sum(change.action is Action.DELETE and is_revision(change.type) for change in changes)
    nouns = _revision_nouns(review)
    noun = nouns[0].removeprefix("new ").replace("replacement", "resource")
    kept = sum(change.keeps_former and not is_revision(change.type) for change in changes)
    holds = "holds" if gone == 1 else "hold"
    found = f" but {counted(gone, noun)}, which {holds} no data" if gone else ""
    told = []
    if made := review.counts.revisions:
        told.append(f"{counted(made, *nouns)} {'loses' if made == 1 else 'lose'} nothing")
    if kept:
        stays = "stays" if kept == 1 else "stay"
        told.append(f"{counted(kept, 'previous object')} {stays} in the account, no longer managed")
    return f"{found} ({'; '.join(told)})" if told else found


def _revision_nouns(review: Review) -> tuple[str, str]:
    """Returns what the plans' replacements that lose nothing are called."""
    changes = [change for plan in review.plans for change in plan.changes]
    gone = (change.type for change in changes if change.action in (Action.REPLACE, Action.DELETE))
    return revision_nouns(set(filter(review.rules.table.is_revision, gone)))


def _destroyed(review: Review) -> Iterable[str]:
    grave = [
        (each, change)
        for each in review.stacks
        if each.stack.plan
        for change in each.stack.plan.changes
        if review.rules.table.destroys(change)
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
    if holding == len(grave):
        return "; all of them hold data"
    return f"; {number(holding)} of them {'holds' if holding == 1 else 'hold'} data"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def scanned(review: Review) -> str:
    """Says where the findings of scanners are; empty if no scan was given."""
    found = review.scanned
    if found is None:
        return ""
    told = f"Scans: {counted(found.shown, 'finding')} beside what these plans create or change"
    if found.elsewhere:
        told += f"; {number(found.elsewhere)} on resources that they do not change"
    if found.unplaced:
        told += f"; {number(found.unplaced)} that {'names' if found.unplaced == 1 else 'name'} no resource"
    return f"{told}. Findings are no part of the verdict."


def table(review: Review) -> Table:
    """Returns stacks and their counts, without columns that are zero throughout."""
    used = [
        each.name for each in fields(Counts) if each.name in COLUMNS and getattr(review.counts, each.name)
    ]
    used.sort(key=list(COLUMNS).index)
    nouns = {
        **COLUMNS,
        "revisions": _revision_nouns(review)[0].replace("replacement", "replace without loss"),
    }
    numbers = [nouns[name] for name in used]
    several = len(review.plans) > 1
    columns = (
        "environment",
        "stack",
        "verdict",
        *numbers,
        *(("plan",) if several or len(review.plans) < len(review.stacks) else ()),
    )
    shown = [
        each for each in review.stacks if len(review.stacks) <= MOST or each.verdict is not Verdict.NO_CHANGES
    ]
    rows = tuple(_row(each, used, columns, short=several) for each in shown)
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


def unjudged(review: Review) -> list[tuple[str, list[str]]]:
    """Returns each type and its attributes that nobody knows the meaning of."""
    found: dict[str, dict[str, None]] = {}
    for each in review.stacks:
        for one in each.unjudged:
            found.setdefault(one.type, {})[path_text(one.path)] = None
    return [(code(kind), _first(paths)) for kind, paths in sorted(found.items())]


def _first(paths: Iterable[str]) -> list[str]:
    found = [code(path) for path in paths]
    more = [f"{number(len(found) - _PATHS)} more"] if len(found) > _PATHS else []
    return found[:_PATHS] + more


def _not_judged(review: Review) -> str:
    found = unjudged(review)
    count = sum(len(paths) for _, paths in found)
    were = "was" if count == 1 else "were"
    return f"**{counted(count, 'attribute')} of {counted(len(found), 'type')} {were} not judged.**"
