"""Flags what a reviewer should look at first in a plan. Only changes raise flags."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from review.flags.attachments import attachments, boundary
from review.flags.attributes import Rows, judged
from review.flags.exposure import exposure
from review.flags.ingress import split_ingress
from review.flags.lifecycles import lifecycles
from review.flags.permissions import loose_documents, permissions
from review.flags.protection import protection
from review.flags.removals import Hints, removals
from review.flags.services import services
from review.flags.subject import Subject, hidden, subjects_of
from review.flags.tasks import tasks
from review.flags.unseen import commands, lost_marks, redacted, undone
from review.model import ABSENT, Action, Concern, Flag, Masked, Plan, ResourceChange, Unjudged, natural
from review.table import Table, default_table


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a plan's changes mean: the flags, the gravest first, and what the table does not know."""

    flags: tuple[Flag, ...] = ()
    unjudged: tuple[Unjudged, ...] = ()


def judge(stack: str, plan: Plan, table: Table | None = None) -> Judgement:
    """Judges every change of a stack's plan."""
    table = default_table() if table is None else table
    subjects = subjects_of(stack, plan)
    flags: list[Flag] = []
    unknown: Counter[tuple[str, tuple[str, ...]]] = Counter()
    hints = Hints(subjects)
    rows = Rows(table)
    # The settings of a bucket have its name, and do not make it.
    made = frozenset(
        name
        for subject in subjects[:1]
        for kind, name in subject.created
        if not kind.startswith("aws_s3_bucket_")
    )
    for subject in subjects:
        found, paths = judged(subject, rows)
        flags += found
        unknown.update((subject.change.type, path) for path in paths)
        flags += removals(subject, table, hints)
        flags += _analysed(subject)
        flags += _joined(subject, table, made)
    flags += split_ingress(subjects)
    put_off = replace(plan, changes=tuple(deferred.change for deferred in plan.deferred))
    flags += [flag for subject in subjects_of(stack, put_off) for flag in removals(subject, table, hints)]
    flags += [
        *loose_documents(stack, plan),
        *commands(stack, plan),
        *lost_marks(stack, plan),
        *redacted(stack, plan),
        *undone(stack, plan),
    ]
    weighed = [
        replace(each, weight=table.points[each.title]) if each.title in table.points else each
        for each in flags
    ]
    unjudged = sorted(unknown.items(), key=lambda each: each[0])
    return Judgement(
        tuple(sorted(weighed, key=order)),
        tuple(Unjudged(kind, path, count) for (kind, path), count in unjudged),
    )


def order(flag: Flag) -> tuple[object, ...]:
    """Returns a key that sorts flags, the gravest first."""
    return (-flag.weight, flag.concern, natural(flag.address), flag.path, flag.title)


def _lacks_values(change: ResourceChange) -> bool:
    """Returns whether an object is missing on a side where Terraform always writes one."""
    is_kept, is_new = change.action in (Action.UPDATE, Action.REPLACE), change.action is Action.CREATE
    return (
        (is_kept and not isinstance(change.before, dict | Masked))
        or ((is_kept or is_new) and not isinstance(change.after, dict))
        or (is_new and change.after == {})
    )


def _joined(subject: Subject, table: Table, made: frozenset[str]) -> Iterator[Flag]:
    """Flags what a new resource means to something that this plan does not make; `made` has what it does."""
    kind = table.types.get(subject.change.type)
    if kind is None or not (subject.is_new and subject.stays):
        return
    for key, meaning in kind.joins.items():
        name = subject.after.get(key)
        if isinstance(name, str) and name and name not in made:
            yield subject.flag(
                meaning.concern, meaning.title, meaning.reason, (key,), ABSENT, name, weight=meaning.weight
            )


def _analysed(subject: Subject) -> Iterator[Flag]:
    after = subject.change.after
    if hidden(after):
        yield subject.unknown("Resource not known", (), ABSENT, after)
        return
    if _lacks_values(subject.change):
        reason = "The plan leaves out its values, as a shortened or redacted form of a plan does."
        yield subject.flag(Concern.UNKNOWN, "Resource not known", reason)
        return
    yield from lifecycles(subject)
    yield from permissions(subject)
    yield from attachments(subject)
    yield from boundary(subject)
    yield from exposure(subject)
    yield from protection(subject)
    yield from services(subject)
    yield from tasks(subject)
