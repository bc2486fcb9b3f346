"""Flags what a reviewer should look at first in a plan. Only changes raise flags."""

from collections.abc import Iterator
from dataclasses import replace

from review.flags.attachments import attachments, boundary
from review.flags.data_loss import data_loss
from review.flags.exposure import exposure
from review.flags.ingress import split_ingress
from review.flags.permissions import permissions
from review.flags.protection import protection
from review.flags.retention import retention
from review.flags.services import services
from review.flags.subject import Subject, hidden, subjects_of
from review.flags.targets import targets
from review.flags.tasks import tasks
from review.flags.unseen import commands, lost_marks
from review.model import ABSENT, Flag, Plan


def flags_of(stack: str, plan: Plan) -> tuple[Flag, ...]:
    """Returns all flags of a stack's plan, by concern, then address, then path."""
    subjects = subjects_of(stack, plan)
    flags = [flag for subject in subjects for flag in _flags(subject)]
    flags += split_ingress(subjects)
    put_off = replace(plan, changes=tuple(deferred.change for deferred in plan.deferred))
    flags += [flag for subject in subjects_of(stack, put_off) for flag in data_loss(subject)]
    flags += [*commands(stack, plan), *lost_marks(stack, plan)]
    return tuple(sorted(flags, key=lambda flag: (flag.concern, flag.address, flag.path, flag.title)))


def _flags(subject: Subject) -> Iterator[Flag]:
    after = subject.change.after
    if hidden(after):
        yield subject.unknown("Resource not known", (), ABSENT, after)
    yield from data_loss(subject)
    yield from retention(subject)
    yield from permissions(subject)
    yield from attachments(subject)
    yield from boundary(subject)
    yield from exposure(subject)
    yield from protection(subject)
    yield from services(subject)
    yield from targets(subject)
    yield from tasks(subject)
