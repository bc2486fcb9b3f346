"""Flags for encryption, deletion protection, backups, logs and alarms that are turned off."""

from collections.abc import Iterator

from review.flags.guardians import GUARDIANS
from review.flags.protections import PROTECTIONS
from review.flags.subject import Subject, blocks, hidden, is_nothing
from review.flags.switches import switched
from review.model import Action, Concern, Flag
from review.trees import ABSENT, Tree


def protection(subject: Subject) -> Iterator[Flag]:
    """All flags about what protects."""
    yield from switched(subject, PROTECTIONS, Concern.PROTECTION)
    yield from _guardian_deleted(subject)
    if not subject.stays or subject.is_new:
        return
    match subject.change.type:
        case "aws_ecs_cluster":
            yield from _insights(subject)
        case "aws_wafv2_web_acl":
            yield from _firewall(subject)


def _guardian_deleted(subject: Subject) -> Iterator[Flag]:
    guardian = GUARDIANS.get(subject.change.type)
    if guardian is None or subject.change.deposed is not None or subject.is_moot:
        return
    if subject.change.action is Action.DELETE:
        title, reason = guardian
        yield subject.flag(Concern.PROTECTION, title, reason, *_identity(subject))


def _identity(subject: Subject) -> tuple[tuple[str, ...], Tree]:
    for key in ("alarm_name", "name", "bucket", "endpoint", "resource_arn", "id"):
        value = subject.before.get(key)
        if not is_nothing(value):
            return (key,), value
    return (), ABSENT


def _insights(subject: Subject) -> Iterator[Flag]:
    before, after = _insight(subject.before), _insight(subject.after)
    if isinstance(before, str) and before != "disabled" and (after == "disabled" or after is ABSENT):
        reason = "What the containers use is no longer measured."
        path = ("setting", "containerInsights")
        yield subject.flag(Concern.PROTECTION, "Metrics off", reason, path, before, after)


def _insight(resource: dict[str, Tree]) -> Tree:
    for setting in blocks(resource.get("setting")):
        if setting.get("name") == "containerInsights":
            return setting.get("value", ABSENT)
    return ABSENT


def _firewall(subject: Subject) -> Iterator[Flag]:
    """A web application firewall that lets through what it blocked, or has lost rules."""
    if _blocks_first(subject.before) and not _blocks_first(subject.after):
        reason = "What no rule of the firewall names is newly let through."
        path = ("default_action",)
        former, now = subject.before.get(path[0], ABSENT), subject.after.get(path[0], ABSENT)
        yield subject.flag(Concern.PROTECTION, "Firewall weakened", reason, path, former, now)
    kept = {
        rule.get("name") for rule in blocks(subject.after.get("rule")) if isinstance(rule.get("name"), str)
    }
    for rule in blocks(subject.before.get("rule")):
        name = rule.get("name")
        if isinstance(name, str) and name not in kept and not hidden(subject.after.get("rule")):
            reason = "A rule of the firewall is gone."
            yield subject.flag(Concern.PROTECTION, "Firewall weakened", reason, ("rule", name), name)


def _blocks_first(resource: dict[str, Tree]) -> bool:
    return any(blocks(block.get("block")) for block in blocks(resource.get("default_action")))
